#include "image/plot-private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

gboolean cg_axis_shows(const CgAxis *axis, double value)
{
    return fabs(value) <= CG_PLOT_HUGE && (!axis->log || value >= CG_PLOT_TINY);
}

double cg_axis_place(const CgAxis *axis, double value)
{
    double share = (value - axis->low) / (axis->high - axis->low);
    if (axis->log)
        share = log(value / axis->low) / log(axis->high / axis->low);
    /* Far outside is far enough: cairo's coordinates have 24 bits before the point. */
    return axis->start + CLAMP(share, -10, 11) * (axis->stop - axis->start);
}

/* Ends around one value alone. */
static void widen(const CgAxis *axis, double *low, double *high)
{
    const double eps = 1e-9 * MAX(fabs(*low), fabs(*high));
    if (axis->log && *high / *low < 1 + 1e-9) {
        *low /= 2;
        *high *= 2;
    } else if (!axis->log && *high - *low <= eps) {
        const double room = *high != 0 ? 0.1 * fabs(*high) : 1;
        *low -= room;
        *high += room;
    }
}

void cg_axis_fit(CgAxis *axis, double low, double high, double fixed_low, double fixed_high)
{
    const gboolean has_low = cg_axis_shows(axis, fixed_low);
    const gboolean has_high = cg_axis_shows(axis, fixed_high);
    if (low > high) {
        low = axis->log ? 0.1 : 0;
        high = 1;
    }
    if (has_low)
        low = fixed_low;
    if (has_high)
        high = fixed_high;
    if (low > high)
        *(has_low ? &high : &low) = has_low ? low : high;
    widen(axis, &low, &high);
    if (axis->log) {
        const double room = pow(high / low, 0.04);
        axis->low = has_low ? low : low / room;
        axis->high = has_high ? high : high * room;
    } else {
        const double room = 0.04 * (high - low);
        axis->low = has_low ? low : low - room;
        axis->high = has_high ? high : high + room;
    }
}

static void add_tick(GArray *ticks, double value, const char *label)
{
    CgTick tick = {.value = value};
    g_strlcpy(tick.label, label, sizeof tick.label);
    g_array_append_val(ticks, tick);
}

/* "1e-5" of "1.0e-05". */
static void format_power(char *text, size_t size, double value)
{
    char buffer[32];
    g_snprintf(buffer, sizeof buffer, "%.6g", value);
    char *e = strchr(buffer, 'e');
    if (!e) {
        g_strlcpy(text, buffer, size);
        return;
    }
    int power = 0;
    sscanf(e + 1, "%d", &power);
    *e = '\0';
    g_snprintf(text, size, "%se%d", buffer, power);
}

/* VALUE, a multiple of STEP, on an axis up to LARGEST. */
static void format_linear(char *text, size_t size, double value, double step, double largest)
{
    static const struct {
        double unit;
        const char *suffix;
    } units[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}};
    guint u = 0;
    while (u < 3 && (largest < 10 * units[u].unit || step < 0.0999 * units[u].unit))
        u++;
    const double unit = units[u].unit;
    const int decimals = MAX((int)ceil(-log10(step / unit) - 1e-9), 0);
    if (fabs(value) < step / 2)
        g_strlcpy(text, "0", size);
    else if (decimals > 4 || largest >= 1e13)
        format_power(text, size, value);
    else
        g_snprintf(text, size, "%.*f%s", decimals, value / unit, units[u].suffix);
}

static void linear_ticks(const CgAxis *axis, int most, GArray *ticks)
{
    const double raw = (axis->high - axis->low) / MAX(most, 1);
    const double magnitude = pow(10, floor(log10(raw)));
    const double factor = raw / magnitude;
    const double step = magnitude * (factor <= 1.4 ? 1 : factor <= 2.8 ? 2 : factor <= 7 ? 5 : 10);
    const double largest = MAX(fabs(axis->low), fabs(axis->high));
    const double first = ceil(axis->low / step - 1e-6), last = floor(axis->high / step + 1e-6);
    for (double i = first; i <= last && ticks->len < 100; i++) {
        char label[32];
        format_linear(label, sizeof label, i * step, step, largest);
        add_tick(ticks, i * step, label);
    }
}

static void log_ticks(const CgAxis *axis, int most, GArray *ticks)
{
    const double decades = log10(axis->high / axis->low);
    const int first = (int)floor(log10(axis->low)), last = (int)ceil(log10(axis->high));
    const int every = MAX((int)ceil(decades / MAX(most, 1)), 1);
    for (int e = first; e <= last; e++)
        for (int m = 1; m < 10; m++) {
            const double value = m * pow(10, e);
            if (value < axis->low * (1 - 1e-9) || value > axis->high * (1 + 1e-9))
                continue;
            /* Labels at 1, 2, 5 where there is room for them; fine lines while they stay apart. */
            const gboolean is_main = m == 1 && e % every == 0;
            const gboolean is_second = (m == 2 || m == 5) && decades * 3 <= most;
            char label[32] = "";
            if (is_main || is_second)
                format_power(label, sizeof label, value);
            if (*label || decades <= 4)
                add_tick(ticks, value, label);
        }
}

GArray *cg_axis_ticks(const CgAxis *axis, int most)
{
    GArray *ticks = g_array_new(FALSE, FALSE, sizeof(CgTick));
    guint labels = 0;
    if (axis->log)
        log_ticks(axis, most, ticks);
    for (guint i = 0; i < ticks->len; i++)
        labels += *g_array_index(ticks, CgTick, i).label != '\0';
    /* Less than a decade may hold no 1, 2 or 5: round steps are better then. */
    if (labels < 2) {
        g_array_set_size(ticks, 0);
        linear_ticks(axis, most, ticks);
    }
    return ticks;
}
