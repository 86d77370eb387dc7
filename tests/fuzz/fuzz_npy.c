/* Any bytes as a NumPy array: refused with a message that names the file, or a map of the size that
 * its bytes have. */
#include "base/error.h"
#include "image/image-private.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void parse(const uint8_t *bytes, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgMap) map = cg_npy_parse(bytes, size, "fuzz", &error);
    if (map ? error != NULL
            : !error || error->domain != CG_ERROR || !g_str_has_prefix(error->message, "fuzz: "))
        abort();
    if (map &&
        (map->width < 1 || map->height < 1 || (size_t)map->width * (size_t)map->height > size))
        abort();
}

/* The input as it is, and as a header before 24 bytes of values, whose length mutations seldom get
 * right. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char prefix[] = CG_NPY_MAGIC "\1\0";
    const size_t start = sizeof prefix - 1;
    parse(bytes, size);
    if (size > 0xffff)
        return 0;
    g_autofree uint8_t *file = g_malloc0(start + 2 + size + 24);
    memcpy(file, prefix, start);
    file[start] = (uint8_t)size;
    file[start + 1] = (uint8_t)(size >> 8);
    if (size > 0)
        memcpy(file + start + 2, bytes, size);
    parse(file, start + 2 + size + 24);
    return 0;
}
