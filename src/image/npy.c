/* NumPy's array files. Source: numpy.lib.format, "Format Version 1.0" to "3.0". */
#include "image/image-private.h"

#include "base/error.h"
#include "base/file.h"
#include "base/size.h"

#include <math.h>
#include <string.h>

#define MAX_AXES   8
#define MAX_HEADER 65536

typedef enum { NPY_U8, NPY_U16, NPY_F16, NPY_F32, NPY_F64, NPY_TYPE_COUNT } NpyType;

static const struct {
    const char *name; /* without the byte order */
    size_t size;
} types[NPY_TYPE_COUNT] = {
    [NPY_U8] = {"u1", 1},  [NPY_U16] = {"u2", 2}, [NPY_F16] = {"f2", 2},
    [NPY_F32] = {"f4", 4}, [NPY_F64] = {"f8", 8},
};

typedef struct {
    NpyType type;
    gboolean swapped; /* big endian */
    gboolean columns; /* first axis fastest (Fortran) */
    guint64 axes[MAX_AXES];
    int axis_count;
    unsigned seen; /* keys */
} Header;

enum { SEEN_DESCR = 1, SEEN_ORDER = 2, SEEN_SHAPE = 4, SEEN_ALL = 7 };

/* ---- the header: a Python dictionary of three keys */

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t\n\r");
}

/* Moves *P behind the character C, blanks around it allowed. */
static gboolean accept(const char **p, char c)
{
    const char *q = skip_blanks(*p);
    if (*q != c)
        return FALSE;
    *p = skip_blanks(q + 1);
    return TRUE;
}

/* A string in either kind of quotes, without escapes. Free with g_free. */
static char *read_string(const char **p)
{
    const char quote = **p;
    if (quote != '\'' && quote != '"')
        return NULL;
    const char *begin = *p + 1, *end = strchr(begin, quote);
    if (!end || memchr(begin, '\\', (size_t)(end - begin)))
        return NULL;
    *p = skip_blanks(end + 1);
    return g_strndup(begin, (gsize)(end - begin));
}

static gboolean read_descr(const char **p, Header *h)
{
    g_autofree char *text = read_string(p);
    if (!text || !*text || !strchr("<>|=", *text))
        return FALSE;
    for (int t = 0; t < NPY_TYPE_COUNT; t++) {
        if (g_str_equal(text + 1, types[t].name)) {
            h->type = (NpyType)t;
            h->swapped = *text == '>' && types[t].size > 1;
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean read_order(const char **p, Header *h)
{
    h->columns = g_str_has_prefix(*p, "True");
    if (!h->columns && !g_str_has_prefix(*p, "False"))
        return FALSE;
    *p = skip_blanks(*p + (h->columns ? 4 : 5));
    return TRUE;
}

static gboolean read_shape(const char **p, Header *h)
{
    if (!accept(p, '('))
        return FALSE;
    while (**p != ')') {
        char *end;
        if (h->axis_count == MAX_AXES || !g_ascii_isdigit(**p))
            return FALSE;
        h->axes[h->axis_count++] = g_ascii_strtoull(*p, &end, 10);
        *p = skip_blanks(end + (*end == 'L')); /* Python 2 wrote 3L */
        if (!accept(p, ',') && **p != ')')
            return FALSE;
    }
    return accept(p, ')');
}

static gboolean read_entry(const char **p, Header *h)
{
    static const struct {
        const char *key;
        gboolean (*read)(const char **p, Header *h);
    } keys[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};
    g_autofree char *key = read_string(p);
    if (!key || !accept(p, ':'))
        return FALSE;
    for (unsigned k = 0; k < G_N_ELEMENTS(keys); k++) {
        if (g_str_equal(key, keys[k].key) && !(h->seen & 1u << k)) {
            h->seen |= 1u << k;
            return keys[k].read(p, h);
        }
    }
    return FALSE;
}

static gboolean read_header(const char *text, Header *h)
{
    if (!accept(&text, '{'))
        return FALSE;
    while (*text != '}')
        if (!read_entry(&text, h) || (!accept(&text, ',') && *text != '}'))
            return FALSE;
    return accept(&text, '}') && !*text && h->seen == SEEN_ALL;
}

/* ---- sizes */

/* Where the array's bytes begin, and its header; *TEXT is freed by the caller. */
static gboolean find_data(const guint8 *data, size_t size, const char *where, char **text,
                          size_t *begin, GError **error)
{
    const size_t magic = sizeof CG_NPY_MAGIC - 1;
    const int version = size > magic ? data[magic] : 0;
    const size_t prefix = magic + 2 + (version == 1 ? 2 : 4);
    size_t length = 0;
    if (version < 1 || version > 3 || size < prefix) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: truncated or of an unknown version; write it again with numpy.save",
                    where);
        return FALSE;
    }
    for (size_t i = prefix; i-- > magic + 2;)
        length = length << 8 | data[i];
    if (length > MAX_HEADER || length > size - prefix || memchr(data + prefix, 0, length)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: its header is truncated or corrupt; write it again with numpy.save",
                    where);
        return FALSE;
    }
    *text = g_strndup((const char *)data + prefix, length);
    *begin = prefix + length;
    return TRUE;
}

/* The two axes that are left without those of length 1 at the front and one at the end. */
static gboolean choose_axes(const Header *h, const char *where, guint64 *height, guint64 *width,
                            GError **error)
{
    int first = 0, count = h->axis_count;
    while (count > 2 && h->axes[first] == 1) {
        first++;
        count--;
    }
    if (count == 3 && h->axes[first + 2] == 1)
        count--;
    if (count == 2) {
        *height = h->axes[first];
        *width = h->axes[first + 1];
        return TRUE;
    }
    g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                "%s: an array of %d axes, but a map has rows and columns; write one file for each "
                "image",
                where, h->axis_count);
    return FALSE;
}

/* ---- values */

static float half_to_float(guint16 h)
{
    const int exponent = h >> 10 & 31, fraction = h & 1023;
    const float sign = h & 0x8000 ? -1.0f : 1.0f;
    if (exponent == 31)
        return fraction ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexpf((float)(1024 + fraction), exponent - 25)
                            : ldexpf((float)fraction, -24));
}

static guint64 read_bytes(const guint8 *p, size_t size, gboolean swapped)
{
    guint64 v = 0;
    for (size_t i = 0; i < size; i++)
        v |= (guint64)p[swapped ? size - 1 - i : i] << (8 * i);
    return v;
}

static float read_value(const guint8 *p, const Header *h)
{
    const guint64 bits = read_bytes(p, types[h->type].size, h->swapped);
    const guint32 low = (guint32)bits;
    float f;
    double d;
    switch (h->type) {
    case NPY_F16:
        return half_to_float((guint16)bits);
    case NPY_F32:
        memcpy(&f, &low, sizeof f);
        return f;
    case NPY_F64:
        memcpy(&d, &bits, sizeof d);
        return (float)d;
    default:
        return (float)bits;
    }
}

static void read_values(const guint8 *data, const Header *h, CgMap *map)
{
    const size_t width = (size_t)map->width, height = (size_t)map->height;
    const size_t size = types[h->type].size;
    if (G_BYTE_ORDER == G_LITTLE_ENDIAN && h->type == NPY_F32 && !h->swapped && !h->columns) {
        memcpy(map->values, data, width * height * size);
        return;
    }
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            const size_t at = h->columns ? x * height + y : y * width + x;
            map->values[y * width + x] = read_value(data + at * size, h);
        }
}

CgMap *cg_npy_parse(const guint8 *data, size_t size, const char *where, GError **error)
{
    Header h = {0};
    g_autofree char *text = NULL;
    size_t begin;
    guint64 height, width;
    if (!find_data(data, size, where, &text, &begin, error))
        return NULL;
    if (!read_header(text, &h)) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: not an array of numbers that is read (u1, u2, f2, f4 or f8); write it "
                    "with numpy.save(file, map.astype('float32'))",
                    where);
        return NULL;
    }
    if (!choose_axes(&h, where, &height, &width, error))
        return NULL;
    if (width > CG_IMAGE_MAX_SIDE || height > CG_IMAGE_MAX_SIDE)
        width = height = CG_IMAGE_MAX_SIDE + 1; /* so that it is refused, without overflow */
    if (!cg_image_check_size(where, (gint64)width, (gint64)height, width * height * sizeof(float),
                             error))
        return NULL;
    if (size - begin != width * height * types[h.type].size) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: %" G_GSIZE_FORMAT
                    " bytes of values, but its header says %" G_GUINT64_FORMAT "x%" G_GUINT64_FORMAT
                    " of %" G_GSIZE_FORMAT "; copy or write it again",
                    where, size - begin, height, width, types[h.type].size);
        return NULL;
    }
    CgMap *map = cg_map_new((int)width, (int)height);
    read_values(data + begin, &h, map);
    return map;
}

/* Version 1.0: magic, version, length of the header, header ended by a newline at a multiple of 64.
 */
gboolean cg_map_save_npy(const CgMap *map, const char *path, GError **error)
{
    char header[128];
    const size_t count = (size_t)map->width * (size_t)map->height;
    g_autofree char *text = g_strdup_printf(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", map->height, map->width);
    memcpy(header, CG_NPY_MAGIC "\1\0\x76\0", 10);
    memset(header + 10, ' ', sizeof header - 10);
    memcpy(header + 10, text, strlen(text));
    header[sizeof header - 1] = '\n';
    g_autofree guint32 *values = g_new(guint32, count);
    memcpy(values, map->values, count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = GUINT32_TO_LE(values[i]);
    g_autoptr(CgAtomicFile) file = cg_atomic_file_open(path, error);
    return file && cg_atomic_file_write(file, header, sizeof header, error) &&
           cg_atomic_file_write(file, values, count * sizeof *values, error) &&
           cg_atomic_file_commit(g_steal_pointer(&file), error);
}
