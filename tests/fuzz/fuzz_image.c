/* Any bytes as a picture, in the parts that are ours: telling the format, walking the chunks of a
 * PNG, and BMP from header to pixels. */
#include "base/error.h"
#include "image/format.h"
#include "image/image-private.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Success, or an error that names the file. */
static void require_answer(gboolean ok, const GError *error)
{
    if (ok ? error != NULL
           : !error || error->domain != CG_ERROR || !g_str_has_prefix(error->message, "fuzz: "))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    g_autoptr(GError) sniffed = NULL;
    g_autoptr(GError) walked = NULL;
    g_autoptr(GError) probed = NULL;
    g_autoptr(GError) decoded = NULL;
    CgFormat format;
    int w, h, c;
    require_answer(cg_format_sniff(bytes, size, "fuzz", &format, &sniffed), sniffed);
    require_answer(cg_format_check_png(bytes, size, "fuzz", &walked), walked);
    gboolean known = cg_bmp_probe(bytes, size, "fuzz", &w, &h, &c, &probed);
    require_answer(known, probed);
    g_autoptr(CgImage) image = cg_bmp_decode(bytes, size, "fuzz", &decoded);
    require_answer(image != NULL, decoded);
    if (image && (!known || image->width != w || image->height != h || image->channels != c))
        abort();
    return 0;
}
