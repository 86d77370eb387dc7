/* Any text as COCO's run lengths: refused, or read to runs that give the same runs when written. */
#include "folder.h"
#include "image/rle.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define SIDE 16

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    g_autofree char *text = g_strndup((const char *)bytes, size);
    g_autoptr(GError) error = NULL, wrong = NULL;
    g_autoptr(GArray) runs = cg_rle_from_string(text, &error);
    if (!fuzz_answered(runs != NULL, error))
        return 0;
    g_autofree char *again = cg_rle_to_string(runs);
    g_autoptr(GArray) back = cg_rle_from_string(again, NULL);
    require(back && back->len == runs->len);
    require(runs->len == 0 || memcmp(back->data, runs->data, runs->len * sizeof(guint32)) == 0);
    g_autoptr(CgImage) mask = cg_rle_decode(runs, SIDE, SIDE, &wrong);
    if (!fuzz_answered(mask != NULL, wrong))
        return 0;
    g_autoptr(GArray) encoded = cg_rle_encode(mask);
    g_autoptr(CgImage) same = cg_rle_decode(encoded, SIDE, SIDE, NULL);
    require(same && memcmp(same->pixels, mask->pixels, SIDE * SIDE) == 0);
    return 0;
}
