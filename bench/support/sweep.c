#include "support/sweep.h"

#include "base/system.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES ((size_t)1 << 20)

static gboolean parse_list(const char *text, int *out, int *count, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    *count = 0;
    for (int i = 0; words[i]; i++) {
        const int value = atoi(words[i]);
        if (value < 1 || *count == BENCH_SWEEP_MAX) {
            g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "%s: 1 to %d whole numbers are needed",
                        text, BENCH_SWEEP_MAX);
            return FALSE;
        }
        out[(*count)++] = value;
    }
    return TRUE;
}

gboolean bench_sweep_parse(BenchSweep *s, const char *sizes, const char *batches,
                           const char *threads, GError **error)
{
    g_autofree char *all = cg_threads() > 1 ? g_strdup_printf("1,%d", cg_threads()) : g_strdup("1");
    return parse_list(sizes ? sizes : "256,512,768", s->sizes, &s->size_count, error) &&
           parse_list(batches ? batches : "1,2", s->batches, &s->batch_count, error) &&
           parse_list(threads ? threads : all, s->threads, &s->thread_count, error);
}

/* This program with more arguments (NULL-terminated) -> what it printed as JSON. */
static json_t *run_self(const BenchOptions *o, int size, int batch, int threads,
                        const char *const *more, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *output = NULL;
    int status = 0;
    g_ptr_array_add(argv, g_strdup("/proc/self/exe"));
    g_ptr_array_add(argv, g_strdup_printf("--model=%s", o->model));
    if (o->controlnet)
        g_ptr_array_add(argv, g_strdup_printf("--controlnet=%s", o->controlnet));
    g_ptr_array_add(argv, g_strdup_printf("--dtype=%s", cg_dtype_name(o->dtype)));
    g_ptr_array_add(argv, g_strdup_printf("--size=%d", size));
    g_ptr_array_add(argv, g_strdup_printf("--batch=%d", batch));
    g_ptr_array_add(argv, g_strdup_printf("--threads=%d", threads));
    g_ptr_array_add(argv, g_strdup_printf("--repeats=%d", o->repeats));
    for (; *more; more++)
        g_ptr_array_add(argv, g_strdup(*more));
    g_ptr_array_add(argv, NULL);
    if (!g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL,
                      &status, error) ||
        !g_spawn_check_wait_status(status, error))
        return NULL;
    return cg_json_parse(output, strlen(output), "output of bench_model", error);
}

/* Reads all files below FOLDER, so that they lie in the page cache. */
static void warm_folder(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autofree char *buffer = g_malloc(READ_BYTES);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        FILE *file = g_file_test(path, G_FILE_TEST_IS_DIR) ? NULL : fopen(path, "rb");
        if (!file) {
            warm_folder(path);
            continue;
        }
        while (fread(buffer, 1, READ_BYTES, file) == READ_BYTES)
            ;
        fclose(file);
    }
}

json_t *bench_cold_starts(const BenchOptions *o, GError **error)
{
    static const char *const more[] = {"--cold-start", NULL};
    g_autoptr(json_t) all = json_object();
    for (int i = 0; i < o->cold_starts; i++) {
        const char *key;
        json_t *value;
        warm_folder(o->model);
        if (o->controlnet)
            warm_folder(o->controlnet);
        g_autoptr(json_t) one = run_self(o, o->size, o->batch, o->threads, more, error);
        if (!one)
            return NULL;
        json_object_foreach(one, key, value)
        {
            if (!json_object_get(all, key))
                json_object_set_new(all, key, json_array());
            json_array_append(json_object_get(all, key), value);
        }
    }
    return json_incref(all);
}

/* ---- the tables -------------------------------------------------------------------------- */

static const char *const columns[] = {"step", "unet", "encode", "decode"};

typedef struct {
    int size, batch, threads;
    double seconds[G_N_ELEMENTS(columns)]; /* medians; NAN: no such part */
    double spread[G_N_ELEMENTS(columns)];  /* (largest - smallest) / median */
    double rate;                           /* of the step, operations per second */
    double memory;                         /* peak, bytes */
} Row;

static void fill_row(Row *row, const json_t *report)
{
    for (size_t c = 0; c < G_N_ELEMENTS(columns); c++)
        row->seconds[c] = row->spread[c] = NAN;
    size_t i;
    json_t *part;
    json_array_foreach(json_object_get(report, "parts"), i, part)
    {
        const char *name = json_string_value(json_object_get(part, "part"));
        const json_t *seconds = json_object_get(part, "seconds");
        for (size_t c = 0; c < G_N_ELEMENTS(columns); c++) {
            if (g_strcmp0(name, columns[c]) != 0)
                continue;
            row->seconds[c] = bench_median(seconds);
            row->spread[c] = (bench_largest(seconds) - bench_smallest(seconds)) / row->seconds[c];
        }
        if (g_strcmp0(name, "step") == 0)
            row->rate = json_number_value(json_object_get(part, "rate"));
    }
    row->memory = json_number_value(json_object_get(json_object_get(report, "memory"), "peak"));
}

static void write_csv(GString *out, const Row *rows, guint count)
{
    g_string_append(out, "size,batch,threads");
    for (size_t c = 0; c < G_N_ELEMENTS(columns); c++)
        g_string_append_printf(out, ",%s_seconds,%s_spread", columns[c], columns[c]);
    g_string_append(out, ",step_gflops,peak_memory_gb\n");
    for (guint i = 0; i < count; i++) {
        const Row *r = &rows[i];
        g_string_append_printf(out, "%d,%d,%d", r->size, r->batch, r->threads);
        for (size_t c = 0; c < G_N_ELEMENTS(columns); c++)
            g_string_append_printf(out, ",%.4f,%.3f", r->seconds[c], r->spread[c]);
        g_string_append_printf(out, ",%.1f,%.2f\n", r->rate * 1e-9, r->memory * 1e-9);
    }
}

static void write_markdown(GString *out, const Row *rows, guint count)
{
    g_string_append(out, "| pixels | batch | threads | guided step, s | U-Net, s | VAE encode, s | "
                         "VAE decode, s | step, GFLOP/s | peak memory, GB |\n"
                         "|---|---|---|---|---|---|---|---|---|\n");
    for (guint i = 0; i < count; i++) {
        const Row *r = &rows[i];
        g_string_append_printf(out, "| %d | %d | %d |", r->size, r->batch, r->threads);
        for (size_t c = 0; c < G_N_ELEMENTS(columns); c++)
            g_string_append_printf(out, " %.3f (%.0f %%) |", r->seconds[c], 100 * r->spread[c]);
        g_string_append_printf(out, " %.0f | %.2f |\n", r->rate * 1e-9, r->memory * 1e-9);
    }
    g_string_append(out,
                    "\nMedians; in brackets the spread from the fastest to the slowest run.\n");
}

/* ---- the plot: seconds of a guided step against the side, both logarithmic ------------------ */

#define PLOT_W 640
#define PLOT_H 400
#define LEFT   70
#define BOTTOM 50
#define TOP    30
#define RIGHT  170

typedef struct {
    double x0, x1, y0, y1; /* logarithms at the edges */
} Axes;

static double plot_x(const Axes *a, double size)
{
    return LEFT + (log2(size) - a->x0) / (a->x1 - a->x0) * (PLOT_W - LEFT - RIGHT);
}

static double plot_y(const Axes *a, double seconds)
{
    return PLOT_H - BOTTOM - (log10(seconds) - a->y0) / (a->y1 - a->y0) * (PLOT_H - TOP - BOTTOM);
}

static Axes plot_axes(const BenchSweep *s, const Row *rows, guint count)
{
    Axes a = {1e9, -1e9, 1e9, -1e9};
    for (int i = 0; i < s->size_count; i++) {
        a.x0 = MIN(a.x0, log2(s->sizes[i]));
        a.x1 = MAX(a.x1, log2(s->sizes[i]));
    }
    for (guint i = 0; i < count; i++) {
        a.y0 = MIN(a.y0, floor(log10(rows[i].seconds[0])));
        a.y1 = MAX(a.y1, ceil(log10(rows[i].seconds[0])));
    }
    a.x1 = MAX(a.x1, a.x0 + 0.1);
    a.y1 = MAX(a.y1, a.y0 + 1);
    return a;
}

static void plot_grid(GString *out, const BenchSweep *s, const Axes *a)
{
    for (int i = 0; i < s->size_count; i++)
        g_string_append_printf(out, "<text x='%.1f' y='%d' text-anchor='middle'>%d</text>\n",
                               plot_x(a, s->sizes[i]), PLOT_H - BOTTOM + 20, s->sizes[i]);
    for (double power = a->y0; power < a->y1 + 0.5; power++)
        for (int digit = 1; digit < 10 && (digit == 1 || power < a->y1 - 0.5); digit++) {
            const double value = digit * pow(10, power), y = plot_y(a, value);
            g_string_append_printf(out, "<path d='M%d %.1fH%d' stroke='#%s'/>\n", LEFT, y,
                                   PLOT_W - RIGHT, digit == 1 ? "888" : "ddd");
            if (digit == 1 || digit == 2 || digit == 5)
                g_string_append_printf(out, "<text x='%d' y='%.1f' text-anchor='end'>%g</text>\n",
                                       LEFT - 8, y + 4, value);
        }
    g_string_append_printf(out,
                           "<text x='%d' y='%d' text-anchor='middle'>side of the picture, "
                           "pixels</text>\n<text x='%d' y='%d'>seconds for a guided step</text>\n",
                           LEFT + (PLOT_W - LEFT - RIGHT) / 2, PLOT_H - 12, LEFT, TOP - 12);
}

static void plot_line(GString *out, const BenchSweep *s, const Axes *a, const Row *rows,
                      guint count, int batch, int threads, int line)
{
    static const char *const colours[] = {"#1b6ca8", "#c8553d", "#3a7d44", "#7d5ba6"};
    const char *colour = colours[line % (int)G_N_ELEMENTS(colours)];
    const char *dash = line < (int)G_N_ELEMENTS(colours) ? "" : " stroke-dasharray='4 3'";
    g_autoptr(GString) path = g_string_new(NULL);
    const int label = TOP + 20 * (line + 1);
    (void)s;
    for (guint i = 0; i < count; i++) {
        const Row *r = &rows[i];
        if (r->batch != batch || r->threads != threads)
            continue;
        const double x = plot_x(a, r->size), y = plot_y(a, r->seconds[0]);
        g_string_append_printf(path, "%c%.1f %.1f", path->len ? 'L' : 'M', x, y);
        g_string_append_printf(out, "<circle cx='%.1f' cy='%.1f' r='3' fill='%s'/>\n", x, y,
                               colour);
    }
    g_string_append_printf(out,
                           "<path d='%s' fill='none' stroke='%s'%s stroke-width='2'/>\n"
                           "<path d='M%d %dh20' stroke='%s'%s stroke-width='2'/>\n"
                           "<text x='%d' y='%d'>batch %d, %d thread%s</text>\n",
                           path->str, colour, dash, PLOT_W - RIGHT + 14, label, colour, dash,
                           PLOT_W - RIGHT + 40, label + 4, batch, threads, threads == 1 ? "" : "s");
}

static void write_plot(GString *out, const BenchSweep *s, const Row *rows, guint count)
{
    const Axes axes = plot_axes(s, rows, count);
    g_string_append_printf(out,
                           "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' "
                           "font-family='sans-serif' font-size='12'>\n"
                           "<rect width='100%%' height='100%%' fill='white'/>\n",
                           PLOT_W, PLOT_H);
    plot_grid(out, s, &axes);
    int line = 0;
    for (int b = 0; b < s->batch_count; b++)
        for (int t = 0; t < s->thread_count; t++)
            plot_line(out, s, &axes, rows, count, s->batches[b], s->threads[t], line++);
    g_string_append(out, "</svg>\n");
}

static gboolean save(const char *base, const char *suffix, const GString *text, GError **error)
{
    g_autofree char *path = g_strconcat(base, suffix, NULL);
    return g_file_set_contents(path, text->str, (gssize)text->len, error);
}

static gboolean save_all(const BenchSweep *s, const Row *rows, guint count, GError **error)
{
    g_autoptr(GString) csv = g_string_new(NULL);
    g_autoptr(GString) md = g_string_new(NULL);
    g_autoptr(GString) svg = g_string_new(NULL);
    write_csv(csv, rows, count);
    write_markdown(md, rows, count);
    printf("%s", md->str);
    if (!s->out)
        return TRUE;
    if (count && isfinite(rows[0].seconds[0])) {
        write_plot(svg, s, rows, count);
        if (!save(s->out, ".svg", svg, error))
            return FALSE;
    }
    return save(s->out, ".csv", csv, error) && save(s->out, ".md", md, error);
}

/* The large ones on few threads would take hours and say nothing that their neighbours don't. */
static gboolean too_much(const BenchSweep *s, const Row *row)
{
    const double pixels = (double)row->size * row->size * row->batch / row->threads;
    return s->most > 0 && pixels > (double)s->most * s->most;
}

gboolean bench_sweep_run(const BenchSweep *s, const BenchOptions *o, GError **error)
{
    static const char *const more[] = {"--json", "--no-cold", "--no-layers",
                                       "--parts=step,unet,encode,decode", NULL};
    g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(Row));
    for (int b = 0; b < s->batch_count; b++)
        for (int t = 0; t < s->thread_count; t++)
            for (int i = 0; i < s->size_count; i++) {
                Row row = {.size = s->sizes[i], .batch = s->batches[b], .threads = s->threads[t]};
                if (too_much(s, &row))
                    continue;
                g_autoptr(json_t) report =
                    run_self(o, row.size, row.batch, row.threads, more, error);
                if (!report || !cg_cancel_check(error))
                    return FALSE;
                fill_row(&row, report);
                g_array_append_val(rows, row);
                fprintf(stderr, "%d pixels, batch %d, %d threads: step %.3f s\n", row.size,
                        row.batch, row.threads, row.seconds[0]);
            }
    return save_all(s, (const Row *)(void *)rows->data, rows->len, error);
}
