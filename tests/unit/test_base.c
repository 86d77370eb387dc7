/* Random numbers, configuration files, the log, and what the machine says about itself. */
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/size.h"
#include "base/system.h"
#include "support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Known answers of the Random123 distribution, file kat_vectors. */
static void philox_matches_the_known_answers(void)
{
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint32_t out[4];
        cg_philox4x32(rows[i].counter, rows[i].key, out);
        g_assert_cmpmem(out, sizeof out, rows[i].want, sizeof rows[i].want);
    }
}

/* Computed by a separate program from the definition: images must stay what they are. */
static void streams_never_change(void)
{
    static const float normals[4] = {-0.062499757f, 0.524236312f, 1.04961813f, -1.14652098f};
    static const float far[3] = {1.82246211f, -0.994463692f, -0.870528539f};
    static const float uniforms[4] = {0.5317631959915161f, 0.869910478591919f, 0.8754704594612122f,
                                      0.26888537406921387f};
    float out[4];
    cg_rng_normals(42, CG_STREAM(1, 7), 0, out, 4);
    for (int i = 0; i < 4; i++)
        g_assert_cmpfloat_with_epsilon(out[i], normals[i], 1e-7);
    cg_rng_normals(42, CG_STREAM(1, 7), ((uint64_t)1 << 33) + 1, out, 3);
    for (int i = 0; i < 3; i++)
        g_assert_cmpfloat_with_epsilon(out[i], far[i], 2e-7);
    cg_rng_uniforms(42, CG_STREAM(1, 7), 0, out, 4);
    for (int i = 0; i < 4; i++)
        g_assert_cmpfloat(out[i], ==, uniforms[i]);
}

static void any_range_of_a_stream_has_the_same_values(void)
{
    void (*const draw[])(uint64_t, uint64_t, uint64_t, float *, size_t) = {cg_rng_normals,
                                                                           cg_rng_uniforms};
    for (int k = 0; k < 2; k++) {
        float all[67];
        draw[k](9, 5, 0, all, 67);
        for (size_t first = 0; first < 9; first++)
            for (size_t count = 0; first + count <= 67; count += 1 + first) {
                float part[68];
                part[count] = 123;
                draw[k](9, 5, first, part, count);
                g_assert_cmpmem(part, 4 * count, all + first, 4 * count);
                g_assert_cmpfloat(part[count], ==, 123);
            }
    }
}

static void thread_count_does_not_change_the_values(void)
{
    const size_t n = 200001;
    g_autofree float *one = g_new(float, n), *four = g_new(float, n);
    cg_threads_set(1);
    cg_rng_normals(3, 4, 5, one, n);
    cg_threads_set(4);
    cg_rng_normals(3, 4, 5, four, n);
    g_assert_cmpmem(one, 4 * n, four, 4 * n);
    cg_threads_set(1);
    cg_rng_uniforms(3, 4, 5, one, n);
    cg_threads_set(4);
    cg_rng_uniforms(3, 4, 5, four, n);
    g_assert_cmpmem(one, 4 * n, four, 4 * n);
}

static void seeds_and_streams_are_independent(void)
{
    const size_t n = 20000;
    g_autofree float *a = g_new(float, n), *b = g_new(float, n);
    const uint64_t other[][2] = {
        {2, 1}, {1, 2}, {1, (uint64_t)1 << 32 | 1}, {(uint64_t)1 << 40, 1}};
    cg_rng_normals(1, 1, 0, a, n);
    for (gsize k = 0; k < G_N_ELEMENTS(other); k++) {
        double correlation = 0;
        cg_rng_normals(other[k][0], other[k][1], 0, b, n);
        for (size_t i = 0; i < n; i++)
            correlation += (double)a[i] * b[i] / (double)n;
        g_assert_cmpfloat(fabs(correlation), <, 5 / sqrt((double)n));
    }
}

static void normals_have_the_moments_of_a_normal(void)
{
    const size_t n = 1000000;
    g_autofree float *x = g_new(float, n);
    double sum[5] = {0};
    size_t below = 0;
    cg_rng_normals(11, 12, 0, x, n);
    for (size_t i = 0; i < n; i++) {
        for (int p = 1; p < 5; p++)
            sum[p] += pow(x[i], p) / (double)n;
        below += x[i] < -1.959964f;
        g_assert_true(isfinite(x[i]));
    }
    /* five standard errors: sqrt(1/n), sqrt(2/n), sqrt(15/n), sqrt(96/n) */
    g_assert_cmpfloat_with_epsilon(sum[1], 0, 0.005);
    g_assert_cmpfloat_with_epsilon(sum[2], 1, 0.00707);
    g_assert_cmpfloat_with_epsilon(sum[3], 0, 0.0194);
    g_assert_cmpfloat_with_epsilon(sum[4], 3, 0.049);
    g_assert_cmpfloat_with_epsilon((double)below / (double)n, 0.025, 0.00078);
}

static void uniforms_fill_the_unit_interval(void)
{
    const size_t n = 1000000;
    g_autofree float *x = g_new(float, n);
    size_t bins[16] = {0};
    double chi2 = 0;
    cg_rng_uniforms(11, 13, 0, x, n);
    for (size_t i = 0; i < n; i++) {
        g_assert_true(x[i] >= 0 && x[i] < 1);
        bins[(int)(x[i] * 16)]++;
    }
    for (int i = 0; i < 16; i++)
        chi2 += pow((double)bins[i] - (double)n / 16, 2) / ((double)n / 16);
    g_assert_cmpfloat(chi2, <, 60); /* 15 degrees of freedom: p < 1e-6 */
}

static void scalar_draws_stay_in_range(void)
{
    CgRng r = cg_rng(5, 6);
    int seen[3] = {0};
    double sum = 0, square = 0;
    for (int i = 0; i < 30000; i++) {
        double u = cg_rng_uniform(&r, -2, 3), z = cg_rng_normal(&r);
        g_assert_true(u >= -2 && u < 3);
        sum += z;
        square += z * z;
        seen[cg_rng_int(&r, -1, 1) + 1]++;
        g_assert_cmpint(cg_rng_int(&r, 7, 7), ==, 7);
    }
    for (int i = 0; i < 3; i++)
        g_assert_cmpint(ABS(seen[i] - 10000), <, 500);
    g_assert_cmpfloat(fabs(sum / 30000), <, 0.03);
    g_assert_cmpfloat_with_epsilon(square / 30000, 1, 0.042);
    int low = 0, high = 0;
    for (int i = 0; i < 1000; i++) {
        int full = cg_rng_int(&r, G_MININT, G_MAXINT);
        low += full < 0;
        high += full >= 0;
    }
    g_assert_true(low > 400 && high > 400);
    /* an interval of one step: rounding must not give its end */
    for (int i = 0; i < 100; i++)
        g_assert_cmpfloat(cg_rng_uniform(&r, 1, nextafter(1, 2)), ==, 1);
}

static void size_arithmetic_reports_overflow(void)
{
    size_t out = 1;
    g_assert_false(cg_size_mul(SIZE_MAX / 2, 3, &out));
    g_assert_false(cg_size_add(SIZE_MAX, 1, &out));
    g_assert_cmpuint(out, ==, 1);
    g_assert_true(cg_size_mul(SIZE_MAX / 2, 2, &out) && out == SIZE_MAX - 1);
    g_assert_true(cg_size_add(SIZE_MAX - 1, 1, &out) && out == SIZE_MAX);
    g_assert_cmpuint(cg_size_align(65, 64), ==, 128);
}

static json_t *parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    json_t *root = cg_json_parse(text, strlen(text), "c.json", &error);
    g_assert_no_error(error);
    return root;
}

static void values_and_defaults_are_read(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) o = parse("\xef\xbb\xbf{\"i\":-3,\"d\":2.5,\"e\":2,\"b\":true,\"s\":\"x\","
                                "\"n\":null,\"a\":[320,640]}");
    gint64 i;
    double d;
    gboolean b;
    const char *s;
    int a[4] = {1, 2, 3, 4}, count = 0;
    g_assert_true(cg_json_int(o, "c", "i", 0, -3, 3, &i, &error) && i == -3);
    g_assert_true(cg_json_int(o, "c", "none", 99, 0, 3, &i, &error) && i == 99);
    g_assert_true(cg_json_int(o, "c", "n", 98, 0, 3, &i, &error) && i == 98);
    g_assert_true(cg_json_double(o, "c", "d", 0, &d, &error) && d == 2.5);
    g_assert_true(cg_json_double(o, "c", "e", 0, &d, &error) && d == 2);
    g_assert_true(cg_json_double(o, "c", "n", 7, &d, &error) && d == 7);
    g_assert_true(cg_json_bool(o, "c", "b", FALSE, &b, &error) && b);
    g_assert_true(cg_json_bool(o, "c", "n", TRUE, &b, &error) && b);
    g_assert_true(cg_json_string(o, "c", "s", NULL, &s, &error));
    g_assert_cmpstr(s, ==, "x");
    g_assert_true(cg_json_string(o, "c", "none", "y", &s, &error));
    g_assert_cmpstr(s, ==, "y");
    g_assert_true(cg_json_int_array(o, "c", "a", 4, 1, 999, a, &count, &error));
    g_assert_true(count == 2 && a[0] == 320 && a[1] == 640 && a[2] == 3);
    g_assert_true(cg_json_int_array(o, "c", "none", 4, 1, 999, a, &count, &error) && count == 2);
}

typedef enum { INT, DOUBLE, BOOL, STRING, ARRAY } Getter;

static gboolean get(Getter getter, const json_t *o, GError **error)
{
    gint64 i = 55;
    double d;
    gboolean b;
    const char *s;
    int a[3], count = 0;
    switch (getter) {
    case INT:
        return cg_json_int(o, "c.json", "k", 0, 1, 9, &i, error);
    case DOUBLE:
        return cg_json_double(o, "c.json", "k", 0, &d, error);
    case BOOL:
        return cg_json_bool(o, "c.json", "k", FALSE, &b, error);
    case STRING:
        return cg_json_string(o, "c.json", "k", NULL, &s, error);
    case ARRAY:
        return cg_json_int_array(o, "c.json", "k", 3, 1, 9, a, &count, error);
    }
    g_assert_not_reached();
}

static void wrong_values_are_refused_by_name(void)
{
    static const struct {
        Getter getter;
        const char *text, *message;
    } rows[] = {
        {INT, "{\"k\":10}", "\"k\" holds 10, but must be in 1..9"},
        {INT, "{\"k\":0}", "\"k\" holds 0"},
        {INT, "{\"k\":2.0}", "\"k\" is a real number, but must be an integer"},
        {INT, "{\"k\":\"2\"}", "\"k\" is a string"},
        {DOUBLE, "{\"k\":\"2\"}", "must be a number"},
        {BOOL, "{\"k\":1}", "must be true or false"},
        {STRING, "{\"k\":[]}", "\"k\" is an array, but must be a string"},
        {ARRAY, "{}", "\"k\" is missing"},
        {ARRAY, "{\"k\":[]}", "\"k\" has 0 elements, but must have 1..3"},
        {ARRAY, "{\"k\":[1,2,3,4]}", "\"k\" has 4 elements"},
        {ARRAY, "{\"k\":[1,2.5]}", "an array of integers only"},
        {ARRAY, "{\"k\":[1,99]}", "\"k\" holds 99"},
        {ARRAY, "{\"k\":3}", "\"k\" is an integer, but must be an array"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(json_t) o = parse(rows[i].text);
        g_assert_false(get(rows[i].getter, o, &error));
        g_assert_true(error->domain == CG_ERROR && g_str_has_prefix(error->message, "c.json: "));
        if (!strstr(error->message, rows[i].message))
            g_error("row %d: %s", (int)i, error->message);
    }
}

static void bad_json_is_refused_with_its_place(void)
{
    g_autoptr(GString) deep = g_string_new("{\"a\":");
    for (int i = 0; i < 100000; i++)
        g_string_append(deep, "[");
    const struct {
        const char *text, *message;
    } rows[] = {
        {"", "empty"},
        {"\xef\xbb\xbf", "empty"},
        {"{\n\"a\": }", "line 2"},
        {"[1]", "a JSON object"},
        {"{\"a\":1,\"a\":2}", "duplicate"},
        {"{} {}", "end of file"},
        {"{\"a\":\"\xff\"}", "decode byte"},
        {"{\"a\":99999999999999999999}", "integer"},
        {"{\"a\":NaN}", "invalid token"},
        {deep->str, "depth"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(cg_json_parse(rows[i].text, strlen(rows[i].text), "c.json", &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_FORMAT);
        if (!strstr(error->message, rows[i].message))
            g_error("row %d: %s", (int)i, error->message);
    }
}

static void json_files_are_loaded_or_named(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_file(dir, "c.json", "{\"a\":1}", 7);
    g_autofree char *missing = cg_test_folder_path(dir, "none.json");
    g_autoptr(json_t) root = cg_json_load(path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(json_object_size(root), ==, 1);
    g_assert_null(cg_json_load(missing, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_MISSING);
}

static void quoted_text_is_json_whatever_it_was(void)
{
    const char *rows[] = {"", "plain", "a\"b\\c\n\t\x01", "é🙂", "not \xff utf-8"};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *quoted = cg_json_quote(rows[i]);
        g_autoptr(json_t) back = json_loads(quoted, JSON_DECODE_ANY, NULL);
        g_assert_nonnull(back);
        g_assert_null(strchr(quoted, '\n'));
        if (g_utf8_validate(rows[i], -1, NULL))
            g_assert_cmpstr(json_string_value(back), ==, rows[i]);
    }
}

static void exit_codes_tell_usage_and_cancelling(void)
{
    const int codes[][2] = {{CG_ERROR_USAGE, 2}, {CG_ERROR_CANCELLED, 130}, {CG_ERROR_IO, 1}};
    for (gsize i = 0; i < G_N_ELEMENTS(codes); i++) {
        g_autoptr(GError) error = g_error_new(CG_ERROR, codes[i][0], "x");
        g_assert_cmpint(cg_error_exit_code(error), ==, codes[i][1]);
    }
}

static void features_build_on_each_other(void)
{
    const CgCpuFeatures *f = cg_cpu_features();
    g_assert_true(!f->avx512 || f->avx2);
    g_assert_true(!f->avx512_bf16 || f->avx512);
    g_assert_true(!f->amx_bf16 || f->avx512_bf16);
    g_assert_cmpuint(strlen(f->model), >, 0);
    if (f->avx2 && !g_getenv("CAGEN_MAX_ISA")) {
        g_autofree char *info = NULL;
        g_assert_true(g_file_get_contents("/proc/cpuinfo", &info, NULL, NULL));
        g_assert_nonnull(strstr(info, " avx2"));
        g_assert_true(f->avx512 == (strstr(info, " avx512bw") && strstr(info, " avx512vl")));
    }
}

static void environment_lowers_the_features(void)
{
    if (g_test_subprocess()) {
        const CgCpuFeatures *f = cg_cpu_features();
        exit(f->avx2 || f->avx512 || f->avx512_bf16 || f->amx_bf16);
    }
    g_autofree char *old = g_strdup(g_getenv("CAGEN_MAX_ISA"));
    g_setenv("CAGEN_MAX_ISA", "portable", TRUE);
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    if (old)
        g_setenv("CAGEN_MAX_ISA", old, TRUE);
    else
        g_unsetenv("CAGEN_MAX_ISA");
    g_test_trap_assert_passed();
}

static void threads_default_to_the_cpus_we_may_use(void)
{
    if (g_test_subprocess()) {
        cpu_set_t set;
        g_assert_cmpint(sched_getaffinity(0, sizeof set, &set), ==, 0);
        int first = 0;
        while (!CPU_ISSET(first, &set))
            first++;
        CPU_ZERO(&set);
        CPU_SET(first, &set);
        g_assert_cmpint(sched_setaffinity(0, sizeof set, &set), ==, 0);
        g_assert_cmpint(cg_threads(), ==, 1);
        cg_threads_set(3);
        g_assert_cmpint(cg_threads(), ==, 3);
        cg_threads_set(0);
        g_assert_cmpint(cg_threads(), ==, 1);
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed();
}

static void memory_figures_are_plausible(void)
{
    g_assert_cmpuint(cg_memory_total(), >, 64 << 20);
    g_assert_cmpuint(cg_memory_available(), <=, cg_memory_total());
    guint64 before = cg_memory_peak();
    const gsize size = 96 << 20;
    char *block = g_malloc(size);
    memset(block, 1, size);
    g_assert_cmpint(block[size / 2], ==, 1);
    g_free(block);
    g_assert_cmpuint(cg_memory_peak(), >=, before + size / 2);
    g_assert_cmpuint(cg_disk_free("/no/such/folder/here"), >, 0);
    g_assert_cmpuint(cg_disk_free("relative/name"), >, 0);
}

static void a_signal_cancels(void)
{
    if (g_test_subprocess()) {
        g_autoptr(GError) error = NULL;
        cg_cancel_install();
        g_assert_true(cg_cancel_check(&error));
        raise(SIGINT);
        g_assert_true(cg_cancelled());
        g_assert_false(cg_cancel_check(&error));
        g_assert_error(error, CG_ERROR, CG_ERROR_CANCELLED);
        cg_cancel_reset();
        g_assert_false(cg_cancelled());
        cg_cancel();
        g_assert_true(cg_cancelled());
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed();
}

#define TEST(name) g_test_add_func("/base/" #name, name)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST(philox_matches_the_known_answers);
    TEST(streams_never_change);
    TEST(any_range_of_a_stream_has_the_same_values);
    TEST(thread_count_does_not_change_the_values);
    TEST(seeds_and_streams_are_independent);
    TEST(normals_have_the_moments_of_a_normal);
    TEST(uniforms_fill_the_unit_interval);
    TEST(scalar_draws_stay_in_range);
    TEST(size_arithmetic_reports_overflow);
    TEST(values_and_defaults_are_read);
    TEST(wrong_values_are_refused_by_name);
    TEST(bad_json_is_refused_with_its_place);
    TEST(json_files_are_loaded_or_named);
    TEST(quoted_text_is_json_whatever_it_was);
    TEST(exit_codes_tell_usage_and_cancelling);
    TEST(features_build_on_each_other);
    TEST(environment_lowers_the_features);
    TEST(threads_default_to_the_cpus_we_may_use);
    TEST(memory_figures_are_plausible);
    TEST(a_signal_cancels);
    return g_test_run();
}
