#include "metrics/confusion.h"

#include "base/error.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

CgConfusion *cg_confusion_new(guint classes)
{
    CgConfusion *c = g_new(CgConfusion, 1);
    *c = (CgConfusion){classes, g_new0(guint64, (gsize)classes * classes)};
    return c;
}

void cg_confusion_free(CgConfusion *c)
{
    if (!c)
        return;
    g_free(c->counts);
    g_free(c);
}

void cg_confusion_add(CgConfusion *c, guint truth, guint answer)
{
    g_assert(truth < c->classes && answer < c->classes);
    c->counts[(gsize)truth * c->classes + answer]++;
}

static guint64 count(const CgConfusion *c, guint truth, guint answer)
{
    return c->counts[(gsize)truth * c->classes + answer];
}

static double share(guint64 part, guint64 whole)
{
    return whole ? (double)part / (double)whole : NAN;
}

CgConfusionClass cg_confusion_class(const CgConfusion *c, guint i)
{
    const guint64 right = count(c, i, i);
    guint64 images = 0, answers = 0;
    for (guint k = 0; k < c->classes; k++) {
        images += count(c, i, k);
        answers += count(c, k, i);
    }
    return (CgConfusionClass){.images = images,
                              .precision = share(right, answers),
                              .recall = share(right, images),
                              .f1 = share(2 * right, images + answers)};
}

/* Wilson's interval of a share P of N. */
static void interval(double p, double n, double *low, double *high)
{
    const double z = 1.959963984540054; /* 97.5 % of the normal distribution */
    const double centre = p + z * z / (2 * n);
    const double reach = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    *low = (centre - reach) / (1 + z * z / n);
    *high = (centre + reach) / (1 + z * z / n);
}

CgConfusionTotal cg_confusion_total(const CgConfusion *c)
{
    CgConfusionTotal t = {.low = NAN, .high = NAN};
    guint seen = 0;
    double recalls = 0;
    for (guint i = 0; i < c->classes; i++) {
        const CgConfusionClass row = cg_confusion_class(c, i);
        t.images += row.images;
        t.right += count(c, i, i);
        if (row.images) {
            recalls += row.recall;
            seen++;
        }
    }
    t.accuracy = share(t.right, t.images);
    t.mean_recall = seen ? recalls / seen : NAN;
    if (t.images)
        interval(t.accuracy, (double)t.images, &t.low, &t.high);
    return t;
}

/* ---- printing */

static void append_percent(GString *text, double value)
{
    if (isnan(value))
        g_string_append_printf(text, "%11s", "-");
    else
        g_string_append_printf(text, "%11.1f", 100 * value);
}

static char *print_text(const CgConfusion *c, const char *const *labels)
{
    const CgConfusionTotal t = cg_confusion_total(c);
    GString *text = g_string_new(NULL);
    int width = 5;
    for (guint i = 0; i < c->classes; i++)
        width = MAX(width, (int)g_utf8_strlen(labels[i], -1));
    if (t.images)
        g_string_append_printf(text,
                               "accuracy %.1f %% (%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                               "; 95 %% interval %.1f to %.1f), mean recall %.1f %%\n\n",
                               100 * t.accuracy, t.right, t.images, 100 * t.low, 100 * t.high,
                               100 * t.mean_recall);
    g_string_append_printf(text, "%4s%-*s%8s%11s%11s%11s\n", "", width, "class", "images",
                           "precision", "recall", "F1");
    for (guint i = 0; i < c->classes; i++) {
        const CgConfusionClass row = cg_confusion_class(c, i);
        const int pad = width - (int)g_utf8_strlen(labels[i], -1);
        g_string_append_printf(text, "%3u %s%*s%8" G_GUINT64_FORMAT, i + 1, labels[i], pad, "",
                               row.images);
        append_percent(text, row.precision);
        append_percent(text, row.recall);
        append_percent(text, row.f1);
        g_string_append_c(text, '\n');
    }
    g_string_append(text, "\nis / taken for\n    ");
    for (guint i = 0; i < c->classes; i++)
        g_string_append_printf(text, "%7u", i + 1);
    for (guint i = 0; i < c->classes; i++) {
        g_string_append_printf(text, "\n%3u ", i + 1);
        for (guint k = 0; k < c->classes; k++)
            g_string_append_printf(text, "%7" G_GUINT64_FORMAT, count(c, i, k));
    }
    g_string_append_c(text, '\n');
    return g_string_free(text, FALSE);
}

static json_t *number(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static char *print_json(const CgConfusion *c, const char *const *labels)
{
    const CgConfusionTotal t = cg_confusion_total(c);
    json_t *classes = json_array(), *matrix = json_array();
    for (guint i = 0; i < c->classes; i++) {
        const CgConfusionClass row = cg_confusion_class(c, i);
        json_t *counts = json_array();
        for (guint k = 0; k < c->classes; k++)
            json_array_append_new(counts, json_integer((json_int_t)count(c, i, k)));
        json_array_append_new(matrix, counts);
        json_array_append_new(classes,
                              json_pack("{s:s, s:I, s:o, s:o, s:o}", "class", labels[i], "images",
                                        (json_int_t)row.images, "precision", number(row.precision),
                                        "recall", number(row.recall), "f1", number(row.f1)));
    }
    g_autoptr(json_t) all =
        json_pack("{s:I, s:I, s:o, s:[o, o], s:o, s:o, s:o}", "images", (json_int_t)t.images,
                  "right", (json_int_t)t.right, "accuracy", number(t.accuracy), "accuracy_interval",
                  number(t.low), number(t.high), "mean_recall", number(t.mean_recall), "classes",
                  classes, "confusion", matrix);
    char *text = json_dumps(all, JSON_COMPACT);
    char *line = g_strconcat(text, "\n", NULL);
    free(text);
    return line;
}

/* TEXT as a field of CSV. */
static char *quoted(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "\"", -1);
    g_autofree char *inner = g_strjoinv("\"\"", parts);
    return g_strconcat("\"", inner, "\"", NULL);
}

static char *print_csv(const CgConfusion *c, const char *const *labels)
{
    GString *text = g_string_new("class,images,precision,recall,f1");
    for (guint i = 0; i < c->classes; i++) {
        g_autofree char *label = quoted(labels[i]);
        g_string_append_printf(text, ",%s", label);
    }
    for (guint i = 0; i < c->classes; i++) {
        const CgConfusionClass row = cg_confusion_class(c, i);
        const double values[3] = {row.precision, row.recall, row.f1};
        g_autofree char *label = quoted(labels[i]);
        g_string_append_printf(text, "\n%s,%" G_GUINT64_FORMAT, label, row.images);
        for (int k = 0; k < 3; k++) {
            char digits[G_ASCII_DTOSTR_BUF_SIZE] = "";
            if (!isnan(values[k]))
                g_ascii_formatd(digits, sizeof digits, "%.9g", values[k]);
            g_string_append_printf(text, ",%s", digits);
        }
        for (guint k = 0; k < c->classes; k++)
            g_string_append_printf(text, ",%" G_GUINT64_FORMAT, count(c, i, k));
    }
    g_string_append_c(text, '\n');
    return g_string_free(text, FALSE);
}

char *cg_confusion_print(const CgConfusion *c, const char *const *labels, CgReportFormat format,
                         GError **error)
{
    switch (format) {
    case CG_REPORT_TEXT:
        return print_text(c, labels);
    case CG_REPORT_JSON:
        return print_json(c, labels);
    case CG_REPORT_CSV:
        return print_csv(c, labels);
    case CG_REPORT_MD:
    case CG_REPORT_LATEX:
        break;
    }
    g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                "a confusion matrix is printed as text, json or csv");
    return NULL;
}
