/* Any text as a rule to stop by: refused with a message that says so, or a rule that takes every
 * number and stays fulfilled once it is. */
#include "base/error.h"
#include "pipeline/stop.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(gboolean condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    g_autofree char *text = g_strndup((const char *)bytes, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(CgStop) stop = cg_stop_parse(text, &error);
    if (!stop) {
        require(error->domain == CG_ERROR && error->code == CG_ERROR_USAGE);
        require(g_utf8_validate(error->message, -1, NULL));
        return 0;
    }
    static const double values[] = {0, 0.5, 1, 1e300, -1, NAN, INFINITY, -INFINITY};
    gboolean fulfilled = FALSE;
    for (guint64 step = 1; step <= 300; step++) {
        const double loss = values[step % G_N_ELEMENTS(values)];
        const double obedience = values[step * 5 % 7 % G_N_ELEMENTS(values)];
        const gboolean now = cg_stop_update(stop, step, loss, obedience);
        require(!fulfilled || now);
        require(now == (cg_stop_reason(stop) != NULL));
        fulfilled = now;
    }
    return 0;
}
