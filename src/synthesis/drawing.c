#include "synthesis/drawing-private.h"

#include "base/error.h"

#include <string.h>

#define ATTEMPTS        24
#define ATTEMPT_NUMBERS 4096 /* of the stream, for each try */
#define CERTAIN         9    /* grey levels that make a change by themselves */
#define LIKELY          4    /* grey levels that do so among others */
#define MIN_AREA        0.0006
#define MIN_PIXELS      6
#define MIN_PIECE       0.0003 /* of the image: smaller pieces of a mask are chance */

/* New ones go to the end: a drawing's place is a part of its seed. */
static const CgDrawing *const drawings[] = {
    &cg_drawing_hex_nut,       &cg_drawing_wood,     &cg_drawing_gear,   &cg_drawing_capsule,
    &cg_drawing_cable,         &cg_drawing_circuit,  &cg_drawing_fabric, &cg_drawing_leather,
    &cg_drawing_brushed_metal, &cg_drawing_terrazzo,
};

const CgDrawing *cg_drawing_get(guint index)
{
    return index < G_N_ELEMENTS(drawings) ? drawings[index] : NULL;
}

const CgDrawing *cg_drawing_find(const char *category, GError **error)
{
    g_autoptr(GString) known = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(drawings); i++) {
        if (g_str_equal(category, drawings[i]->category))
            return drawings[i];
        g_string_append_printf(known, "%s%s", i ? ", " : "", drawings[i]->category);
    }
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "unknown category \"%s\"; there are %s", category,
                known->str);
    return NULL;
}

const char *cg_drawing_category(const CgDrawing *drawing)
{
    return drawing->category;
}

gboolean cg_drawing_is_texture(const CgDrawing *drawing)
{
    return drawing->texture;
}

const char *cg_drawing_defect(const CgDrawing *drawing, guint defect)
{
    return defect < CG_DRAWING_MAX_DEFECTS ? drawing->defects[defect].name : NULL;
}

void cg_drawn_clear(CgDrawn *d)
{
    cg_image_free(d->normal);
    cg_image_free(d->image);
    cg_image_free(d->mask);
    *d = (CgDrawn){0};
}

void cg_part_pose(CgPart *part, CgRng *rng, float turn, float scale, float spread, float shift)
{
    const float angle = cg_draw_uniform(rng, -turn, turn);
    part->pose = (CgPose){
        .x = cg_draw_uniform(rng, -shift, shift),
        .y = cg_draw_uniform(rng, -shift, shift),
        .cosine = cosf(angle),
        .sine = sinf(angle),
        .scale = scale * (1 + cg_draw_uniform(rng, -spread, spread)),
    };
}

static gboolean is_object(const CgPart *part, float x, float y)
{
    CgMaterial m = {.rough = 1};
    part->drawing->surface(part, (CgPoint){x, y}, 0.01f, &m);
    return m.object > 0.5f;
}

CgPoint cg_part_place(const CgPart *part, CgRng *rng, float margin)
{
    CgPoint p = {part->pose.x, part->pose.y};
    for (int i = 0; i < 200; i++) {
        p = (CgPoint){cg_draw_uniform(rng, -0.85, 0.85), cg_draw_uniform(rng, -0.85, 0.85)};
        if (part->drawing->texture ||
            (is_object(part, p.x, p.y) && is_object(part, p.x + margin, p.y) &&
             is_object(part, p.x - margin, p.y) && is_object(part, p.x, p.y + margin) &&
             is_object(part, p.x, p.y - margin)))
            break;
    }
    return p;
}

void cg_draw_table(const CgPart *part, CgPoint p, float pixel, const float colour[3], CgMaterial *m)
{
    const float cloud = cg_noise_fbm(p.x, p.y, 2, 2, pixel, part->seed + 900);
    const float grain = cg_noise_fbm(p.x, p.y, 40, 2, pixel, part->seed + 901);
    const float tone = 1 + 0.03f * cloud + 0.05f * grain;
    cg_material_set(m, colour[0] * tone, colour[1] * tone, colour[2] * tone, 0.9f, 0);
    m->height = 0.0008f * grain;
}

static int difference(const CgImage *a, const CgImage *b, int x, int y)
{
    const size_t at = ((size_t)y * a->width + x) * 3;
    int most = 0;
    for (int c = 0; c < 3; c++)
        most = MAX(most, ABS(a->pixels[at + c] - b->pixels[at + c]));
    return most;
}

/* Of the 3 x 3 pixels around. */
static int mean_difference(const CgImage *a, const CgImage *b, int x, int y)
{
    int sum = 0;
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++)
            sum +=
                difference(a, b, CLAMP(x + dx, 0, a->width - 1), CLAMP(y + dy, 0, a->height - 1));
    return sum / 9;
}

/* OUT = the largest (VALUE 255) or smallest (VALUE 0) of IN in a square of RADIUS. */
static void spread(const CgImage *in, int radius, guint8 value, CgImage *out)
{
    for (int y = 0; y < in->height; y++) {
        for (int x = 0; x < in->width; x++) {
            guint8 v = in->pixels[(size_t)y * in->width + x];
            for (int dy = -radius; dy <= radius && v != value; dy++)
                for (int dx = -radius; dx <= radius && v != value; dx++) {
                    const int sx = CLAMP(x + dx, 0, in->width - 1);
                    const int sy = CLAMP(y + dy, 0, in->height - 1);
                    if (in->pixels[(size_t)sy * in->width + sx] == value)
                        v = value;
                }
            out->pixels[(size_t)y * in->width + x] = v;
        }
    }
}

/* Takes the piece of MASK at START away; STACK has room for all of its pixels, which are left
 * there. Returns their number. */
static guint take_piece(CgImage *mask, guint start, guint *stack)
{
    guint count = 1;
    stack[0] = start;
    mask->pixels[start] = 0;
    for (guint done = 0; done < count; done++) {
        const int x = (int)stack[done] % mask->width, y = (int)stack[done] / mask->width;
        for (int sy = MAX(y - 1, 0); sy <= MIN(y + 1, mask->height - 1); sy++)
            for (int sx = MAX(x - 1, 0); sx <= MIN(x + 1, mask->width - 1); sx++) {
                const guint at = (guint)(sy * mask->width + sx);
                if (mask->pixels[at]) {
                    mask->pixels[at] = 0;
                    stack[count++] = at;
                }
            }
    }
    return count;
}

static void remove_specks(CgImage *mask)
{
    const guint all = (guint)(mask->width * mask->height);
    const guint least = MAX((guint)(MIN_PIECE * all), 3);
    g_autofree guint *stack = g_new(guint, all);
    g_autoptr(CgImage) rest = cg_image_copy(mask);
    for (guint i = 0; i < all; i++) {
        const guint count = rest->pixels[i] ? take_piece(rest, i, stack) : 0;
        for (guint k = 0; count < least && k < count; k++)
            mask->pixels[stack[k]] = 0;
    }
}

/* What the defect changed, small gaps closed: noise hides single pixels of a change. */
static CgImage *changed(const CgImage *a, const CgImage *b)
{
    CgImage *mask = cg_image_new(a->width, a->height, 1);
    g_autoptr(CgImage) wide = cg_image_new(a->width, a->height, 1);
    const int radius = MAX(1, a->width / 160);
    for (int y = 0; y < a->height; y++) {
        for (int x = 0; x < a->width; x++) {
            const int d = difference(a, b, x, y);
            const gboolean is =
                d >= CERTAIN || (d >= LIKELY && mean_difference(a, b, x, y) >= LIKELY);
            mask->pixels[(size_t)y * a->width + x] = is ? 255 : 0;
        }
    }
    spread(mask, radius, 255, wide);
    spread(wide, radius, 0, mask);
    remove_specks(mask);
    return mask;
}

static guint area(const CgImage *mask)
{
    guint count = 0;
    for (size_t i = 0; i < (size_t)mask->width * mask->height; i++)
        count += mask->pixels[i] != 0;
    return count;
}

static void copy_outside(const CgImage *normal, const CgImage *mask, CgImage *image)
{
    for (size_t i = 0; i < (size_t)mask->width * mask->height; i++)
        if (!mask->pixels[i])
            memcpy(image->pixels + 3 * i, normal->pixels + 3 * i, 3);
}

/* Inflicts the defect until it can be seen and leaves most of the picture alone; the best try
 * counts. */
static void make_defect(const CgDrawing *drawing, int defect, const CgPart *sound, CgRng rng,
                        int size, CgDrawn *drawn)
{
    const guint all = (guint)size * (guint)size, most = (guint)(CG_DRAWING_MAX_AREA * all);
    const guint least = MAX((guint)(MIN_AREA * all), MIN_PIXELS);
    CgPart *part = g_malloc(drawing->part_size);
    guint best = 0;
    for (int i = 0; i < ATTEMPTS && best < least; i++) {
        CgRng own = {rng.seed, rng.stream, (uint64_t)(i + 1) * ATTEMPT_NUMBERS};
        memcpy(part, sound, drawing->part_size);
        drawing->defects[defect].inflict(part, &own);
        g_autoptr(CgImage) image = cg_render(&part->scene, drawing->surface, part, size);
        g_autoptr(CgImage) mask = changed(drawn->normal, image);
        const guint found = area(mask);
        if (found > most || (found <= best && drawn->image))
            continue;
        best = found;
        cg_image_free(drawn->image);
        cg_image_free(drawn->mask);
        copy_outside(drawn->normal, mask, image);
        drawn->image = g_steal_pointer(&image);
        drawn->mask = g_steal_pointer(&mask);
    }
    g_free(part);
}

void cg_drawing_make(const CgDrawing *drawing, int defect, guint64 seed, guint series, guint number,
                     int size, CgDrawn *drawn)
{
    guint category = 0;
    while (drawings[category] != drawing)
        category++;
    const guint stream = category << 26 | series << 24 | (guint)(defect + 1) << 20 | number;
    CgRng rng = cg_rng(seed, CG_STREAM(CG_STREAM_DRAWING, stream));
    CgPart *part = g_malloc0(drawing->part_size);
    part->drawing = drawing;
    part->pixel = 2.0f / (float)size;
    part->seed = (uint32_t)cg_rng_next(&rng);
    cg_scene_draw(&part->scene, &rng);
    drawing->draw(part, &rng);
    drawn->normal = cg_render(&part->scene, drawing->surface, part, size);
    if (defect != CG_DRAWING_SOUND)
        make_defect(drawing, defect, part, rng, size, drawn);
    g_free(part);
}
