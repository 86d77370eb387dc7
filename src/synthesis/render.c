#include "synthesis/render.h"

#include "synthesis/noise.h"

#include <string.h>

#define MIN_SAMPLES     160   /* a side: fine lines survive in thumbnails */
#define OCCLUSION_REACH 0.05f /* half picture widths */
#define MAX_SLOPE       4.0f
#define SHADOW_STEP     0.08f /* of the way so far */
#define TONE_ENTRIES    2048
#define TONE_WHITE      1.6f /* linear light that is burnt out */

typedef struct {
    const CgScene *scene;
    int size, factor, side; /* side = size * factor samples */
    float pixel;            /* distance of two samples */
    CgMaterial *material;   /* [side, side] */
    float *height;          /* [side, side] of the material, close together */
    float *around;          /* [side, side] height, averaged over the neighbourhood */
    float *light;           /* [side, side, 3] */
    float highest;
} Render;

void cg_scene_draw(CgScene *scene, CgRng *rng)
{
    const double azimuth = cg_rng_uniform(rng, -2.6, -0.5),
                 height = cg_rng_uniform(rng, 0.75, 1.05);
    const double warm = cg_rng_uniform(rng, -0.03, 0.05),
                 strength = cg_rng_uniform(rng, 0.72, 0.85);
    *scene = (CgScene){
        .key = {(float)(cos(azimuth) * cos(height)), (float)(sin(azimuth) * cos(height)),
                (float)sin(height)},
        .key_colour = {(float)(strength * (1 + warm)), (float)strength,
                       (float)(strength * (1 - 1.4 * warm))},
        .key_size = (float)cg_rng_uniform(rng, 0.03, 0.07),
        .panel_light = (float)cg_rng_uniform(rng, 0.5, 0.9),
        .sky = {0.30f, 0.31f, 0.325f},
        .shadow_soft = (float)cg_rng_uniform(rng, 0.35, 0.7),
        .occlusion = 9,
        .vignette = (float)cg_rng_uniform(rng, 0.05, 0.2),
        .vignette_x = (float)cg_rng_uniform(rng, -0.2, 0.2),
        .vignette_y = (float)cg_rng_uniform(rng, -0.2, 0.2),
        .exposure = (float)cg_rng_uniform(rng, 0.92, 1.08),
        .grain = (float)cg_rng_uniform(rng, 0.006, 0.014),
        .seed = (uint32_t)cg_rng_next(rng),
    };
    const double other = azimuth + cg_rng_uniform(rng, 2.2, 4.0),
                 low = cg_rng_uniform(rng, 0.2, 0.5);
    scene->panel[0] = (float)(cos(other) * cos(low));
    scene->panel[1] = (float)(sin(other) * cos(low));
    scene->panel[2] = (float)sin(low);
}

static void sample_surface(Render *r, CgSurfaceFunction function, const void *surface)
{
    r->highest = -1e9f;
    for (int y = 0; y < r->side; y++) {
        for (int x = 0; x < r->side; x++) {
            CgMaterial *m = &r->material[(size_t)y * r->side + x];
            const CgPoint p = {((float)x + 0.5f) * r->pixel - 1, ((float)y + 0.5f) * r->pixel - 1};
            *m = (CgMaterial){.rough = 1};
            function(surface, p, r->pixel, m);
            r->height[(size_t)y * r->side + x] = m->height;
            r->highest = cg_max(r->highest, m->height);
        }
    }
}

/* OUT[i] = mean of IN[i - radius .. i + radius], the ends repeated. */
static void box_line(const float *in, int count, int radius, float *out)
{
    const float scale = 1.0f / (float)(2 * radius + 1);
    double sum = 0;
    for (int i = -radius; i <= radius; i++)
        sum += in[CLAMP(i, 0, count - 1)];
    for (int i = 0; i < count; i++) {
        out[i] = (float)sum * scale;
        sum += in[MIN(i + radius + 1, count - 1)] - in[MAX(i - radius, 0)];
    }
}

static void transpose(const float *in, int side, float *out)
{
    enum { TILE = 16 };
    for (int by = 0; by < side; by += TILE)
        for (int bx = 0; bx < side; bx += TILE)
            for (int y = by; y < MIN(by + TILE, side); y++)
                for (int x = bx; x < MIN(bx + TILE, side); x++)
                    out[(size_t)x * side + y] = in[(size_t)y * side + x];
}

static void average_heights(Render *r)
{
    const size_t count = (size_t)r->side * r->side;
    const int radius = MAX((int)(OCCLUSION_REACH / r->pixel), 1);
    g_autofree float *turned = g_new(float, count);
    g_autofree float *line = g_new(float, r->side);
    memcpy(r->around, r->height, count * sizeof(float));
    for (int pass = 0; pass < 2; pass++) {
        for (int y = 0; y < r->side; y++) {
            float *row = r->around + (size_t)y * r->side;
            box_line(row, r->side, radius, line);
            box_line(line, r->side, radius, row);
        }
        transpose(r->around, r->side, turned);
        memcpy(r->around, turned, count * sizeof(float));
    }
}

/* How much of the key's light arrives: 1 all. Walks over the field towards the lamp. */
static float key_visible(const Render *r, int x, int y)
{
    const CgScene *s = r->scene;
    const float flat = cg_length(s->key[0], s->key[1]) + 1e-6f, rise = s->key[2] / flat;
    const float h = r->height[(size_t)y * r->side + x], per_pixel = 1 / (r->pixel * flat);
    const float dx = s->key[0] * per_pixel, dy = s->key[1] * per_pixel;
    float hidden = 0;
    /* Where it looks must not depend on the highest point: a defect that changes that would change
     * every shadow. */
    for (float t = r->pixel; h + t * rise < r->highest; t += cg_max(r->pixel, SHADOW_STEP * t)) {
        const int sx = x + (int)lrintf(dx * t);
        const int sy = y + (int)lrintf(dy * t);
        if (sx < 0 || sy < 0 || sx >= r->side || sy >= r->side)
            break;
        const float above = r->height[(size_t)sy * r->side + sx] - (h + t * rise);
        if (above > 0)
            hidden = cg_max(hidden, above / (s->shadow_soft * t + 0.01f));
    }
    return 1 - cg_smoothstep(0, 1, hidden);
}

/* Length 1, from the heights around; the borders repeat. */
static void surface_normal(const Render *r, int x, int y, float n[3])
{
    const int left = MAX(x - 1, 0), right = MIN(x + 1, r->side - 1);
    const int up = MAX(y - 1, 0), down = MIN(y + 1, r->side - 1);
    const float *row = r->height + (size_t)y * r->side;
    const float dx = (row[right] - row[left]) / (r->pixel * (float)(right - left));
    const float dy = (r->height[(size_t)down * r->side + x] - r->height[(size_t)up * r->side + x]) /
                     (r->pixel * (float)(down - up));
    const float sx = CLAMP(dx, -MAX_SLOPE, MAX_SLOPE), sy = CLAMP(dy, -MAX_SLOPE, MAX_SLOPE);
    const float length = 1 / sqrtf(sx * sx + sy * sy + 1);
    n[0] = -sx * length;
    n[1] = -sy * length;
    n[2] = length;
}

static inline float dot(const float a[3], const float b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* The brightness of what is seen in direction D, blurred by ROUGH: the lamps and a room that is
 * lighter above than at the horizon. *KEY gets the lamp's part. */
static float surroundings(const CgScene *s, const float d[3], float rough, float *key)
{
    const float soft = 0.02f + 0.75f * rough * rough;
    const float edge = 1 - s->key_size - 0.4f * rough * rough;
    const float spread = 1 / (1 + 9 * rough * rough);
    const float panel = cg_smoothstep(0.80f - soft, 0.80f + 0.5f * soft, dot(d, s->panel));
    *key = 2.6f * spread * cg_smoothstep(edge - soft, edge + 0.5f * soft, dot(d, s->key));
    const float above = cg_smoothstep(-0.25f - rough, 0.95f + 0.5f * rough, d[2]);
    return 0.10f + 0.55f * above * above + s->panel_light * panel * (0.5f + 0.5f * spread);
}

static void shade(const Render *r, int x, int y, float out[3])
{
    const CgScene *s = r->scene;
    const size_t at = (size_t)y * r->side + x;
    const CgMaterial *m = &r->material[at];
    float n[3], lamp;
    surface_normal(r, x, y, n);
    const float visible = key_visible(r, x, y);
    const float sunk = cg_max(r->around[at] - m->height, 0);
    const float open = 1 / (1 + s->occlusion * sunk);
    /* Seen from above, and the lamps are near: directions turn with the place. */
    const float px = (float)x * r->pixel - 1, py = (float)y * r->pixel - 1;
    float d[3] = {2 * n[2] * n[0] - 0.22f * px, 2 * n[2] * n[1] - 0.22f * py, 2 * n[2] * n[2] - 1};
    const float length = 1 / sqrtf(dot(d, d) + 1e-9f);
    for (int c = 0; c < 3; c++)
        d[c] *= length;
    const float room = surroundings(s, d, m->rough, &lamp);
    const float grazing = 1 - n[2], fresnel = 0.04f + 0.5f * grazing * grazing * grazing;
    const float gloss = (1 - m->metal) * fresnel * (1 - 0.8f * m->rough);
    /* A lamp is far brighter than what it lights: its image on varnish is white. */
    const float shine = 1 - m->rough, highlight = 1 + 9 * shine * shine * shine * shine;
    const float lit = cg_max(dot(n, s->key), 0) * visible;
    for (int c = 0; c < 3; c++) {
        const float around = room * open * (0.6f + 0.4f * visible), direct = lamp * visible;
        const float diffuse = s->key_colour[c] * lit + s->sky[c] * open * (0.65f + 0.35f * n[2]);
        const float white = s->key_colour[c] / s->key_colour[1];
        out[c] = (1 - m->metal) * m->albedo[c] * diffuse +
                 white * (around + direct) * m->metal * m->albedo[c] +
                 white * (around + highlight * direct) * 1.4f * gloss;
    }
}

/* Linear light to 8 bits: a straight line that bends before white, then sRGB. */
static void make_tone(guint8 table[TONE_ENTRIES])
{
    for (int i = 0; i < TONE_ENTRIES; i++) {
        const double v = TONE_WHITE * i / (TONE_ENTRIES - 1), knee = 0.6;
        const double t = (v - knee) / (1 - knee);
        const double film = v < knee ? v : knee + (1 - knee) * (1 - exp(-t));
        const double srgb = film <= 0.0031308 ? 12.92 * film : 1.055 * pow(film, 1 / 2.4) - 0.055;
        table[i] = (guint8)lrint(255 * CLAMP(srgb, 0, 1));
    }
}

/* About normal, deviation 1. */
static float sensor_noise(int x, int y, uint32_t seed)
{
    const uint32_t h = cg_noise_hash(x, y, seed);
    const float sum = (float)((h & 255) + (h >> 8 & 255) + (h >> 16 & 255) + (h >> 24));
    return (sum - 510) * (1 / 147.8f);
}

/* Weight of the sample at DISTANCE from the pixel's centre, both in samples: a tent of twice a
 * pixel's width, about what a lens and a sensor do. */
static void tent_weights(int factor, float *weights)
{
    const int taps = 2 * factor;
    float sum = 0;
    for (int i = 0; i < taps; i++) {
        weights[i] = 1 - fabsf((float)i + 0.5f - (float)factor) / (float)factor;
        sum += weights[i];
    }
    for (int i = 0; i < taps; i++)
        weights[i] /= sum;
}

/* Pixel row Y before noise and tone: [size, 3]. ROW has room for [side, 3]. */
static void gather_row(const Render *r, int y, const float *weights, float *row, float *out)
{
    const int taps = 2 * r->factor, first = y * r->factor - r->factor / 2;
    memset(row, 0, sizeof(float) * 3 * (size_t)r->side);
    for (int t = 0; t < taps; t++) {
        const float *line = r->light + (size_t)CLAMP(first + t, 0, r->side - 1) * r->side * 3;
        for (int i = 0; i < 3 * r->side; i++)
            row[i] += weights[t] * line[i];
    }
    for (int x = 0; x < r->size; x++) {
        float *pixel = out + 3 * x;
        pixel[0] = pixel[1] = pixel[2] = 0;
        for (int t = 0; t < taps; t++) {
            const float *in =
                row + (size_t)CLAMP(x * r->factor - r->factor / 2 + t, 0, r->side - 1) * 3;
            for (int c = 0; c < 3; c++)
                pixel[c] += weights[t] * in[c];
        }
    }
}

static CgImage *develop(const Render *r)
{
    guint8 tone[TONE_ENTRIES];
    const CgScene *s = r->scene;
    CgImage *image = cg_image_new(r->size, r->size, 3);
    g_autofree float *weights = g_new(float, 2 * r->factor);
    g_autofree float *row = g_new(float, (size_t)3 * r->side);
    g_autofree float *line = g_new(float, (size_t)3 * r->size);
    make_tone(tone);
    tent_weights(r->factor, weights);
    for (int y = 0; y < r->size; y++) {
        gather_row(r, y, weights, row, line);
        for (int x = 0; x < r->size; x++) {
            const float u = 2 * ((float)x + 0.5f) / (float)r->size - 1 - s->vignette_x;
            const float v = 2 * ((float)y + 0.5f) / (float)r->size - 1 - s->vignette_y;
            const float gain = s->exposure * (1 - 0.5f * s->vignette * (u * u + v * v));
            for (int c = 0; c < 3; c++) {
                const float light = gain * line[3 * x + c];
                /* Photons: the noise grows with the root of the light. */
                const float noise =
                    s->grain * sqrtf(light + 0.02f) * sensor_noise(3 * x + c, y, s->seed);
                const float at = (light + noise) * ((TONE_ENTRIES - 1) / TONE_WHITE);
                image->pixels[((size_t)y * r->size + x) * 3 + c] =
                    tone[(int)CLAMP(at, 0, TONE_ENTRIES - 1)];
            }
        }
    }
    return image;
}

CgImage *cg_render(const CgScene *scene, CgSurfaceFunction function, const void *surface, int size)
{
    const int factor = MAX(2, (MIN_SAMPLES + size - 1) / size);
    Render r = {.scene = scene, .size = size, .factor = factor, .side = size * factor};
    const size_t count = (size_t)r.side * r.side;
    g_autofree CgMaterial *material = g_new(CgMaterial, count);
    g_autofree float *height = g_new(float, count);
    g_autofree float *around = g_new(float, count);
    g_autofree float *light = g_new(float, 3 * count);
    r.pixel = 2.0f / (float)r.side;
    r.material = material;
    r.height = height;
    r.around = around;
    r.light = light;
    sample_surface(&r, function, surface);
    average_heights(&r);
    for (int y = 0; y < r.side; y++)
        for (int x = 0; x < r.side; x++)
            shade(&r, x, y, r.light + 3 * ((size_t)y * r.side + x));
    return develop(&r);
}
