/* compare_pictures: where two pictures differ.
 *
 *     compare_pictures A B MASK
 *
 * Prints "inside N of M, outside N of M": of the pixels inside the mask and of those outside of it,
 * how many are not the same in A and B. Fails when the sizes differ.
 */
#include "image/image.h"

#include <stdio.h>
#include <string.h>

static CgImage *load(const char *path, gboolean mask)
{
    g_autoptr(GError) error = NULL;
    CgImage *image = mask ? cg_image_load_mask(path, &error) : cg_image_load(path, NULL, &error);
    if (!image)
        fprintf(stderr, "compare_pictures: %s\n", error->message);
    return image;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "compare_pictures: A, B and MASK are needed\n");
        return 2;
    }
    g_autoptr(CgImage) a = load(argv[1], FALSE);
    g_autoptr(CgImage) b = load(argv[2], FALSE);
    g_autoptr(CgImage) mask = load(argv[3], TRUE);
    size_t count[2] = {0, 0}, different[2] = {0, 0};
    if (!a || !b || !mask)
        return 1;
    if (a->width != b->width || a->height != b->height || a->channels != b->channels ||
        a->width != mask->width || a->height != mask->height) {
        fprintf(stderr, "compare_pictures: %dx%dx%d, %dx%dx%d, mask %dx%d\n", a->width, a->height,
                a->channels, b->width, b->height, b->channels, mask->width, mask->height);
        return 1;
    }
    const size_t channels = (size_t)a->channels;
    for (size_t i = 0; i < (size_t)a->width * (size_t)a->height; i++) {
        const int inside = mask->pixels[i] != 0;
        count[inside]++;
        different[inside] +=
            memcmp(a->pixels + i * channels, b->pixels + i * channels, channels) != 0;
    }
    printf("inside %zu of %zu, outside %zu of %zu\n", different[1], count[1], different[0],
           count[0]);
    return 0;
}
