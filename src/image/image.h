/* image: pictures in memory, as people's files have them.
 *
 * Reading and writing go through libvips; nothing else in the project sees it. Pixels are 8-bit,
 * row-major, interleaved, 1 (grey) or 3 (sRGB) channels.
 */
#ifndef CG_IMAGE_IMAGE_H
#define CG_IMAGE_IMAGE_H

#include "tensor/tensor.h"

typedef struct {
    int width, height, channels; /* channels: 1 or 3 */
    guint8 *pixels;              /* [height, width, channels] */
} CgImage;

CgImage *cg_image_new(int width, int height, int channels); /* zeros */
CgImage *cg_image_copy(const CgImage *image);
void cg_image_free(CgImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgImage, cg_image_free)

/* Largest width and height that we read, and most pixels in all. */
#define CG_IMAGE_MAX_SIDE   32768
#define CG_IMAGE_MAX_PIXELS (512 << 20)

/* Starts and ends the image library; call once around everything else. Starting again does no harm,
 * from any thread, and whatever needs the library starts it when that was forgotten. */
gboolean cg_image_init(GError **error);
void cg_image_shutdown(void);

/* PNG, JPEG, TIFF, BMP, WebP, GIF or PPM, told by content and not by name; the first page of
 * several; orientation applied. Colour is managed to sRGB: a profile that moves no colour by more
 * than one step of 255 leaves the file's own pixels, and grey stays grey as stored. 16-bit is
 * reduced to 8 by dropping the low byte, alpha is dropped (the pixels below it stay); *NOTE
 * (nullable) gets one line about all such changes, or NULL; free it with g_free. Truncated and
 * corrupt files are errors (CG_ERROR_FORMAT), so are other kinds of file (CG_ERROR_UNSUPPORTED),
 * and more than CG_IMAGE_MAX_SIDE a side or CG_IMAGE_MAX_PIXELS in all, before memory is taken. */
CgImage *cg_image_load(const char *path, char **note, GError **error);
/* Only the header. */
gboolean cg_image_probe(const char *path, int *width, int *height, int *channels, GError **error);
/* A mask: grey, 0 or 255. Other grey values are cut at 128 (values in between come from lossy
 * files and soft edges); colour masks count by their brightest channel, alpha and colour profiles
 * are ignored. A mask with values above 0 but none from 128 on (class numbers, say) is an error
 * rather than silently empty; all zeros are fine. */
CgImage *cg_image_load_mask(const char *path, GError **error);
/* PNG, atomically. The same pixels give the same bytes. */
gboolean cg_image_save_png(const CgImage *image, const char *path, GError **error);

/* Lanczos-3, area-correct when shrinking, the same bytes as Pillow's LANCZOS (see resize.c); and
 * nearest: output X takes input floor((X + 1/2) * in / out). */
CgImage *cg_image_resize(const CgImage *image, int width, int height);
CgImage *cg_image_resize_nearest(const CgImage *image, int width, int height);
/* Bilinear between the nearest pixels, however much it shrinks: the same bytes as OpenCV's resize
 * with INTER_LINEAR, which DRAEM uses. */
CgImage *cg_image_resize_linear(const CgImage *image, int width, int height);
/* The rectangle, which lies inside. */
CgImage *cg_image_crop(const CgImage *image, int x, int y, int width, int height);
/* Grey to three equal channels, colour to luma (Rec. 601, as PIL's "L"); a copy otherwise. */
CgImage *cg_image_to_rgb(const CgImage *image);
CgImage *cg_image_to_grey(const CgImage *image);

/* [1, h, w, 3] f32 in [-1, 1]: x / 127.5 - 1 (what VAEs eat). Grey is tripled. */
CgTensor *cg_image_to_tensor(const CgImage *image);
/* [1, h, w, 3] f32 in [0, 1] (what ControlNets eat). Grey is tripled. */
CgTensor *cg_image_to_control(const CgImage *image);
/* Sample SAMPLE of [n, h, w, 3] f32: clamp(x / 2 + 0.5, 0, 1) * 255, rounded half to even. NaN
 * becomes 0; callers check cg_tensor_is_finite before and tell the user. */
CgImage *cg_image_from_tensor(const CgTensor *t, int sample);

#endif
