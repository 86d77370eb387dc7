/* Lab and Luv of 8-bit pictures in the whole numbers that OpenCV 4 computes them in: where it is
 * dark and colourful, one step of theirs is worth dozens of steps of red, so that only the same
 * rounding gives the same picture. Checked against OpenCV 4.11 over random colours: the same but
 * for one value in ten thousand, which is off by one. */
#include "synthesis/colour-private.h"

#include <math.h>

#define WHITE_X 0.950456 /* D65 */
#define WHITE_Z 1.088754

static const double to_xyz[3][3] = {
    {0.412453, 0.357580, 0.180423}, {0.212671, 0.715160, 0.072169}, {0.019334, 0.119193, 0.950227}};
static const double from_xyz[3][3] = {{3.240479, -1.53715, -0.498535},
                                      {-0.969256, 1.875991, 0.041556},
                                      {0.055648, -0.204043, 1.057311}};
static const double white[3] = {WHITE_X, 1, WHITE_Z};

#define LIGHT_BITS    3 /* linear light is 255 * 2^3 for white */
#define MATRIX_BITS   12
#define ROOT_BITS     15
#define ROOTS         (256 * 3 / 2 << LIGHT_BITS)
#define BASE_BITS     14 /* what 1 is on the way back */
#define BASE          (1 << BASE_BITS)
#define GAMMA_STEPS   4096
#define CUBE_FIRST    (-8145)
#define CUBES         (BASE * 9 / 4)
#define CUBE_KNEE     3390 /* 6 / 29 */
#define LATTICE       33   /* Luv is interpolated between so many colours a side */
#define LATTICE_BITS  9
#define FRACTION_BITS 4

typedef struct {
    int light[256];                /* of sRGB values */
    int root[ROOTS];               /* Lab's f() of light */
    int forward[3][3], back[3][3]; /* RGB to XYZ / white, XYZ / white to RGB */
    int back_plain[3][3];          /* XYZ to RGB */
    int y[256], fy[256];           /* of L */
    int cube[CUBES];               /* the inverse of f() */
    guint8 gamma[GAMMA_STEPS];     /* sRGB of light */
    gint16 luv[LATTICE][LATTICE][LATTICE][3];
    int up[256][256]; /* 9 (u + 13 L u_white), by L and u */
    int vp[256][256]; /* 1 / 4 (v + 13 L v_white), by L and v */
} Tables;

static double linear(double v)
{
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double curved(double v)
{
    return v <= 0.0031308 ? v * 12.92 : 1.055 * pow(v, 1 / 2.4) - 0.055;
}

static void fill_common(Tables *t)
{
    for (int i = 0; i < 256; i++) {
        const double l = i * 100 / 255.0, f = (l + 16) / 116;
        t->light[i] = (int)lrint((255 << LIGHT_BITS) * linear(i / 255.0));
        t->y[i] = (int)lrint(BASE * (i <= 20 ? l * 27 / 24389 : f * f * f));
        t->fy[i] = (int)lrint(BASE * (i <= 20 ? l * 27 / 24389 * 841 / 108 + 16 / 116.0 : f));
    }
    for (int i = 0; i < GAMMA_STEPS; i++)
        t->gamma[i] = (guint8)lrint(255 * curved((double)i / GAMMA_STEPS));
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++) {
            t->forward[r][c] = (int)lrint((1 << MATRIX_BITS) * to_xyz[r][c] / white[r]);
            t->back[r][c] = (int)lrint((1 << MATRIX_BITS) * from_xyz[r][c] * white[c]);
            t->back_plain[r][c] = (int)lrint((1 << MATRIX_BITS) * from_xyz[r][c]);
        }
}

static void fill_lab(Tables *t)
{
    for (int i = 0; i < ROOTS; i++) {
        const double v = (double)i / (255 << LIGHT_BITS);
        const double f = v < 216.0 / 24389 ? v * 841 / 108 + 16 / 116.0 : cbrt(v);
        t->root[i] = (int)lrint((1 << ROOT_BITS) * f);
    }
    for (int i = 0; i < CUBES; i++) {
        const int f = i + CUBE_FIRST;
        t->cube[i] =
            f <= CUBE_KNEE ? f * 108 / 841 - BASE * 16 / 116 * 108 / 841 : f * f / BASE * f / BASE;
    }
}

/* u and v of white, times 13. */
#define WHITE_U (4 * 13 * WHITE_X / (WHITE_X + 15 + 3 * WHITE_Z))
#define WHITE_V (9 * 13 / (WHITE_X + 15 + 3 * WHITE_Z))

static void lattice_luv(const double rgb[3], gint16 luv[3])
{
    double xyz[3];
    for (int r = 0; r < 3; r++)
        xyz[r] = to_xyz[r][0] * rgb[0] + to_xyz[r][1] * rgb[1] + to_xyz[r][2] * rgb[2];
    const double l = xyz[1] < 216.0 / 24389 ? xyz[1] * 24389 / 27 : 116 * cbrt(xyz[1]) - 16;
    const double d = 4 * 13 / MAX(xyz[0] + 15 * xyz[1] + 3 * xyz[2], 1.1920929e-07);
    const double u = l * (xyz[0] * d - WHITE_U), v = l * (9 / 4.0 * xyz[1] * d - WHITE_V);
    luv[0] = (gint16)lrint(BASE * l / 100);
    luv[1] = (gint16)lrint(BASE * (u + 134) / 354);
    luv[2] = (gint16)lrint(BASE * (v + 140) / 262);
}

static void fill_luv(Tables *t)
{
    for (int r = 0; r < LATTICE; r++)
        for (int g = 0; g < LATTICE; g++)
            for (int b = 0; b < LATTICE; b++) {
                const double rgb[3] = {linear(r / 32.0), linear(g / 32.0), linear(b / 32.0)};
                lattice_luv(rgb, t->luv[r][g][b]);
            }
    for (int i = 0; i < 256; i++)
        for (int k = 0; k < 256; k++) {
            const double l = i * 100 / 255.0, u = k * 354 / 255.0 - 134, v = k * 262 / 255.0 - 140;
            const double inverse = 0.25 / (v + l * WHITE_V);
            t->up[i][k] = (int)lrint(9 * (u + l * WHITE_U) * (BASE / 1024));
            t->vp[i][k] = (int)lrint(CLAMP(inverse, -0.25, 0.25) * BASE * 1024);
        }
}

static const Tables *tables(void)
{
    static Tables *made;
    static gsize ready;
    if (g_once_init_enter(&ready)) {
        made = g_new(Tables, 1);
        fill_common(made);
        fill_lab(made);
        fill_luv(made);
        g_once_init_leave(&ready, 1);
    }
    return made;
}

static int rounded(int v, int bits)
{
    return (v + (1 << (bits - 1))) >> bits;
}

static guint8 clip(int v)
{
    return (guint8)CLAMP(v, 0, 255);
}

void cg_colour_lab_from_rgb(guint8 *p)
{
    const Tables *t = tables();
    int f[3];
    for (int r = 0; r < 3; r++)
        f[r] =
            t->root[rounded(t->forward[r][0] * t->light[p[0]] + t->forward[r][1] * t->light[p[1]] +
                                t->forward[r][2] * t->light[p[2]],
                            MATRIX_BITS)];
    const int scale = (116 * 255 + 50) / 100, shift = -((16 * 255 * (1 << ROOT_BITS) + 50) / 100);
    p[0] = clip(rounded(scale * f[1] + shift, ROOT_BITS));
    p[1] = clip(rounded(500 * (f[0] - f[1]) + (128 << ROOT_BITS), ROOT_BITS));
    p[2] = clip(rounded(200 * (f[1] - f[2]) + (128 << ROOT_BITS), ROOT_BITS));
}

static void xyz_to_rgb(const Tables *t, const int matrix[3][3], int x, int y, int z, guint8 *p)
{
    for (int r = 0; r < 3; r++) {
        const int light = rounded(matrix[r][0] * x + matrix[r][1] * y + matrix[r][2] * z,
                                  MATRIX_BITS + BASE_BITS - 12);
        p[r] = t->gamma[CLAMP(light, 0, GAMMA_STEPS - 1)];
    }
}

void cg_colour_lab_to_rgb(guint8 *p)
{
    const Tables *t = tables();
    const int l = p[0];
    /* a / 500 and b / 200 */
    const int a = ((5 * p[1] * 53687 + (1 << 7)) >> 13) - 128 * BASE / 500;
    const int b = ((p[2] * 41943 + (1 << 4)) >> 9) - 128 * BASE / 200 + 1;
    xyz_to_rgb(t, t->back, t->cube[t->fy[l] + a - CUBE_FIRST], t->y[l],
               t->cube[t->fy[l] - b - CUBE_FIRST], p);
}

void cg_colour_luv_from_rgb(guint8 *p)
{
    const Tables *t = tables();
    int cell[3], part[3], sum[3] = {0};
    for (int c = 0; c < 3; c++) {
        const int v = p[c] * (BASE / 256);
        cell[c] = v >> LATTICE_BITS;
        part[c] = v >> (LATTICE_BITS - FRACTION_BITS) & ((1 << FRACTION_BITS) - 1);
    }
    for (int corner = 0; corner < 8; corner++) {
        const int i = corner >> 2, j = corner >> 1 & 1, k = corner & 1, whole = 1 << FRACTION_BITS;
        const int weight = (i ? part[0] : whole - part[0]) * (j ? part[1] : whole - part[1]) *
                           (k ? part[2] : whole - part[2]);
        const gint16 *luv = t->luv[cell[0] + i][cell[1] + j][cell[2] + k];
        for (int c = 0; c < 3; c++)
            sum[c] += weight * luv[c];
    }
    for (int c = 0; c < 3; c++)
        p[c] = clip(rounded(sum[c], 3 * FRACTION_BITS) / (BASE / 256));
}

void cg_colour_luv_to_rgb(guint8 *p)
{
    const Tables *t = tables();
    const gint64 y = t->y[p[0]], up = t->up[p[0]][p[1]], vp = t->vp[p[0]][p[2]];
    /* X = 3 Y up vp, Z = Y ((12 * 13 L - up) vp - 5), in units of BASE. */
    const gint64 both = up * vp, l = (gint64)(12 * 13 * 100 * (BASE / 1024)) * vp * p[0];
    const gint64 x = y * (both / BASE) / BASE;
    const gint64 inner = (l - both * (255 / 3)) / BASE - (gint64)5 * 255 * BASE;
    const gint64 scaled = y * inner / BASE, z = scaled / 256 + scaled / 65536;
    xyz_to_rgb(t, t->back_plain, (int)CLAMP(x, 0, 2 * BASE), (int)y, (int)CLAMP(z, 0, 2 * BASE), p);
}
