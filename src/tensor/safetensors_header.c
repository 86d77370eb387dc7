/* The JSON header of a safetensors file.
 *
 * Read by a scanner of its own instead of jansson: a header may be 100 MB, which a tree of nodes
 * would multiply; integers must be told from what merely looks like one (1.0, 1e3, -0), and must
 * be right up to 2^64 - 1.
 */
#include "tensor/safetensors-private.h"

#include "base/error.h"
#include "base/size.h"

#include <limits.h>
#include <string.h>

#define MAX_DEPTH 64 /* nesting of values that we skip */

/* Longest part of a name that goes into a message. */
#define SHOWN "%.160s"

typedef struct {
    const char *name;
    unsigned bits;
    CgDType dtype;
} FileType;

/* All dtypes of the format; those without a CgDType can be listed, but not loaded. */
static const FileType file_types[] = {
    {"F32", 32, CG_F32},
    {"F16", 16, CG_F16},
    {"BF16", 16, CG_BF16},
    {"I64", 64, CG_I64},
    {"I32", 32, CG_I32},
    {"U8", 8, CG_U8},
    {"BOOL", 8, CG_DTYPE_COUNT},
    {"I8", 8, CG_DTYPE_COUNT},
    {"I16", 16, CG_DTYPE_COUNT},
    {"U16", 16, CG_DTYPE_COUNT},
    {"U32", 32, CG_DTYPE_COUNT},
    {"U64", 64, CG_DTYPE_COUNT},
    {"F64", 64, CG_DTYPE_COUNT},
    {"C64", 64, CG_DTYPE_COUNT},
    {"F8_E5M2", 8, CG_DTYPE_COUNT},
    {"F8_E4M3", 8, CG_DTYPE_COUNT},
    {"F8_E8M0", 8, CG_DTYPE_COUNT},
    {"F8_E4M3FNUZ", 8, CG_DTYPE_COUNT},
    {"F8_E5M2FNUZ", 8, CG_DTYPE_COUNT},
    {"F6_E2M3", 6, CG_DTYPE_COUNT},
    {"F6_E3M2", 6, CG_DTYPE_COUNT},
    {"F4", 4, CG_DTYPE_COUNT},
};

typedef struct {
    const char *start, *p, *end;
    const char *where;
    GString *text; /* the last string scanned */
    GError **error;
} Scanner;

static gboolean fail(Scanner *s, const char *format, ...) G_GNUC_PRINTF(2, 3);
static gboolean fail(Scanner *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(s->error, CG_ERROR, CG_ERROR_FORMAT, "%s: corrupt safetensors header: %s", s->where,
                what);
    return FALSE;
}

static gboolean fail_at(Scanner *s, const char *expected)
{
    if (s->p == s->end)
        return fail(s, "it ends where %s should follow", expected);
    return fail(s, "at byte %zu %s should follow", (size_t)(s->p - s->start), expected);
}

static void skip_space(Scanner *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
        s->p++;
}

/* Takes C, white space before it allowed. */
static gboolean take(Scanner *s, char c)
{
    skip_space(s);
    if (s->p == s->end || *s->p != c)
        return FALSE;
    s->p++;
    return TRUE;
}

static gboolean hex4(Scanner *s, gunichar *out)
{
    gunichar value = 0;
    for (int i = 0; i < 4; i++, s->p++) {
        if (s->p == s->end || !g_ascii_isxdigit(*s->p))
            return fail_at(s, "a hexadecimal digit");
        value = value * 16 + (gunichar)g_ascii_xdigit_value(*s->p);
    }
    *out = value;
    return TRUE;
}

/* After "\u"; characters beyond the first plane come as two escapes. */
static gboolean scan_unicode_escape(Scanner *s)
{
    gunichar c, low;
    if (!hex4(s, &c))
        return FALSE;
    if (c >= 0xd800 && c < 0xdc00) {
        if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
            return fail_at(s, "the second half of a surrogate pair");
        s->p += 2;
        if (!hex4(s, &low))
            return FALSE;
        if (low < 0xdc00 || low > 0xdfff)
            return fail(s, "at byte %zu a surrogate pair is broken", (size_t)(s->p - s->start));
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xdc00 && c <= 0xdfff) {
        return fail(s, "at byte %zu a surrogate pair is broken", (size_t)(s->p - s->start));
    }
    if (c == 0)
        return fail(s, "at byte %zu a string holds a NUL character", (size_t)(s->p - s->start));
    g_string_append_unichar(s->text, c);
    return TRUE;
}

static gboolean scan_escape(Scanner *s)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (s->p == s->end)
        return fail_at(s, "the rest of an escape");
    char c = *s->p++;
    if (c == 'u')
        return scan_unicode_escape(s);
    const char *found = c ? strchr(from, c) : NULL;
    if (!found)
        return fail(s, "at byte %zu there is no such escape", (size_t)(s->p - 1 - s->start));
    g_string_append_c(s->text, to[found - from]);
    return TRUE;
}

/* A string into s->text. The header is known to be UTF-8. */
static gboolean scan_string(Scanner *s)
{
    if (!take(s, '"'))
        return fail_at(s, "a string");
    g_string_truncate(s->text, 0);
    for (;;) {
        const char *run = s->p;
        while (s->p < s->end && *s->p != '"' && *s->p != '\\' && (guchar)*s->p >= 0x20)
            s->p++;
        g_string_append_len(s->text, run, s->p - run);
        if (s->p == s->end || (guchar)*s->p < 0x20)
            return fail_at(s, "the end of a string");
        if (*s->p++ == '"')
            return TRUE;
        if (!scan_escape(s))
            return FALSE;
    }
}

/* A non-negative integer, written as one. */
static gboolean scan_integer(Scanner *s, guint64 *out)
{
    skip_space(s);
    const char *first = s->p;
    guint64 value = 0;
    for (; s->p < s->end && g_ascii_isdigit(*s->p); s->p++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (guint64)(*s->p - '0'), &value))
            return fail(s, "the number at byte %zu does not fit in 64 bits",
                        (size_t)(first - s->start));
    gboolean none = s->p == first;
    gboolean leading_zero = s->p - first > 1 && *first == '0';
    gboolean more = s->p < s->end && strchr(".eE", *s->p) != NULL;
    if (none || leading_zero || more) {
        s->p = first;
        return fail_at(s, "a non-negative integer");
    }
    *out = value;
    return TRUE;
}

static gboolean skip_number(Scanner *s)
{
    const char *first = s->p;
    while (s->p < s->end && (g_ascii_isdigit(*s->p) || strchr("+-.eE", *s->p)))
        s->p++;
    return s->p > first ? TRUE : fail_at(s, "a value");
}

static gboolean skip_word(Scanner *s)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(s->end - s->p) >= length && memcmp(s->p, words[i], length) == 0) {
            s->p += length;
            return TRUE;
        }
    }
    return fail_at(s, "a value");
}

/* Any value: later versions of the format may say more about a tensor than we read. */
static gboolean skip_value(Scanner *s, int depth)
{
    skip_space(s);
    if (s->p == s->end)
        return fail_at(s, "a value");
    if (*s->p == '"')
        return scan_string(s);
    if (*s->p != '{' && *s->p != '[')
        return g_ascii_isalpha(*s->p) ? skip_word(s) : skip_number(s);

    const gboolean object = *s->p == '{';
    const char close = object ? '}' : ']';
    if (depth >= MAX_DEPTH)
        return fail(s, "values nest deeper than %d", MAX_DEPTH);
    s->p++;
    if (take(s, close))
        return TRUE;
    do {
        if (object && (!scan_string(s) || (!take(s, ':') && !fail_at(s, "':'"))))
            return FALSE;
        if (!skip_value(s, depth + 1))
            return FALSE;
    } while (take(s, ','));
    return take(s, close) ? TRUE : fail_at(s, object ? "'}'" : "']'");
}

/* The members of an object: MEMBER is called after each key, which is in s->text. */
typedef gboolean (*Member)(Scanner *s, void *data);
static gboolean scan_object(Scanner *s, Member member, void *data)
{
    if (!take(s, '{'))
        return fail_at(s, "an object");
    if (take(s, '}'))
        return TRUE;
    do {
        if (!scan_string(s))
            return FALSE;
        if (!take(s, ':'))
            return fail_at(s, "':'");
        if (!member(s, data))
            return FALSE;
    } while (take(s, ','));
    return take(s, '}') ? TRUE : fail_at(s, "'}'");
}

/* An entry while it is read. */
typedef struct {
    const char *name;
    const FileType *type; /* NULL until seen */
    gboolean has_shape, has_offsets;
    CgShape shape;
    size_t count;
    guint64 begin, end;
} Draft;

static gboolean scan_dtype(Scanner *s, Draft *d)
{
    if (d->type)
        return fail(s, "tensor \"" SHOWN "\" has two dtypes", d->name);
    if (!scan_string(s))
        return FALSE;
    for (size_t i = 0; i < G_N_ELEMENTS(file_types) && !d->type; i++)
        if (strcmp(s->text->str, file_types[i].name) == 0)
            d->type = &file_types[i];
    if (d->type)
        return TRUE;
    g_set_error(s->error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                "%s: tensor \"" SHOWN "\" has the unknown dtype \"%.40s\"", s->where, d->name,
                s->text->str);
    return FALSE;
}

static gboolean scan_shape(Scanner *s, Draft *d)
{
    size_t rank = 0;
    if (d->has_shape)
        return fail(s, "tensor \"" SHOWN "\" has two shapes", d->name);
    d->has_shape = TRUE;
    d->count = 1;
    if (!take(s, '['))
        return fail_at(s, "an array of dimensions");
    if (take(s, ']'))
        return TRUE;
    do {
        guint64 dim;
        if (!scan_integer(s, &dim))
            return FALSE;
        if (dim > G_MAXINT64 || !cg_size_mul(d->count, dim, &d->count))
            return fail(s, "the dimensions of tensor \"" SHOWN "\" overflow", d->name);
        if (rank < CG_MAX_RANK)
            d->shape.d[rank] = (int64_t)dim;
        rank++;
    } while (take(s, ','));
    if (!take(s, ']'))
        return fail_at(s, "']'");
    if (rank > CG_MAX_RANK)
        memset(d->shape.d, 0, sizeof d->shape.d);
    d->shape.rank = (int)rank; /* a header of 100 MB cannot hold INT_MAX of them */
    return TRUE;
}

static gboolean scan_offsets(Scanner *s, Draft *d)
{
    if (d->has_offsets)
        return fail(s, "tensor \"" SHOWN "\" has data_offsets twice", d->name);
    d->has_offsets = TRUE;
    if (!take(s, '['))
        return fail_at(s, "an array of two offsets");
    if (!scan_integer(s, &d->begin))
        return FALSE;
    if (!take(s, ','))
        return fail_at(s, "a second offset");
    if (!scan_integer(s, &d->end))
        return FALSE;
    return take(s, ']') ? TRUE : fail_at(s, "']'");
}

static gboolean entry_member(Scanner *s, void *data)
{
    Draft *d = data;
    if (strcmp(s->text->str, "dtype") == 0)
        return scan_dtype(s, d);
    if (strcmp(s->text->str, "shape") == 0)
        return scan_shape(s, d);
    if (strcmp(s->text->str, "data_offsets") == 0)
        return scan_offsets(s, d);
    return skip_value(s, 0);
}

/* Whether the dims and the dtype need exactly the bytes between the offsets. */
static gboolean check_size(Scanner *s, const Draft *d)
{
    size_t bits;
    if (!cg_size_mul(d->count, d->type->bits, &bits))
        return fail(s, "the size of tensor \"" SHOWN "\" overflows", d->name);
    if (bits % 8 != 0)
        return fail(s, "tensor \"" SHOWN "\" of %s does not fill whole bytes", d->name,
                    d->type->name);
    if (d->begin > d->end)
        return fail(s, "tensor \"" SHOWN "\" ends before it begins", d->name);
    if (d->end - d->begin != bits / 8)
        return fail(s,
                    "tensor \"" SHOWN "\" needs %zu bytes for its shape, but its offsets span "
                    "%" G_GUINT64_FORMAT,
                    d->name, bits / 8, d->end - d->begin);
    return TRUE;
}

static gboolean metadata_member(Scanner *s, void *data)
{
    CgSafetensorsHeader *h = data;
    CgSafetensorMetadata m;
    m.key = g_string_chunk_insert_len(h->strings, s->text->str, (gssize)s->text->len);
    if (!scan_string(s))
        return FALSE;
    m.value = g_string_chunk_insert_len(h->strings, s->text->str, (gssize)s->text->len);
    g_array_append_val(h->metadata, m);
    return TRUE;
}

static int compare_metadata(const void *a, const void *b)
{
    return strcmp(((const CgSafetensorMetadata *)a)->key, ((const CgSafetensorMetadata *)b)->key);
}

static gboolean scan_metadata(Scanner *s, CgSafetensorsHeader *h)
{
    if (h->metadata)
        return fail(s, "there are two entries " CG_SAFETENSORS_METADATA);
    h->metadata = g_array_new(FALSE, FALSE, sizeof(CgSafetensorMetadata));
    if (!scan_object(s, metadata_member, h))
        return FALSE;
    g_array_sort(h->metadata, compare_metadata);
    for (guint i = 1; i < h->metadata->len; i++) {
        const CgSafetensorMetadata *m = &g_array_index(h->metadata, CgSafetensorMetadata, i);
        if (strcmp(m[-1].key, m->key) == 0)
            return fail(s, "the metadata has two values for \"" SHOWN "\"", m->key);
    }
    return TRUE;
}

static gboolean header_member(Scanner *s, void *data)
{
    CgSafetensorsHeader *h = data;
    Draft d = {0};
    if (strcmp(s->text->str, CG_SAFETENSORS_METADATA) == 0)
        return scan_metadata(s, h);

    d.name = g_string_chunk_insert_len(h->strings, s->text->str, (gssize)s->text->len);
    if (!scan_object(s, entry_member, &d))
        return FALSE;
    if (!d.type || !d.has_shape || !d.has_offsets)
        return fail(s, "tensor \"" SHOWN "\" has no %s", d.name,
                    !d.type        ? "dtype"
                    : !d.has_shape ? "shape"
                                   : "data_offsets");
    if (!check_size(s, &d))
        return FALSE;

    CgSafetensorEntry entry = {
        .view = {.name = d.name,
                 .dtype = d.type->dtype,
                 .dtype_name = d.type->name,
                 .shape = d.shape,
                 .size = (size_t)(d.end - d.begin)},
        .begin = d.begin,
    };
    g_array_append_val(h->entries, entry);
    return TRUE;
}

void cg_safetensors_header_init(CgSafetensorsHeader *header)
{
    header->strings = g_string_chunk_new(16384);
    header->entries = g_array_new(FALSE, FALSE, sizeof(CgSafetensorEntry));
    header->metadata = NULL;
}

void cg_safetensors_header_clear(CgSafetensorsHeader *header)
{
    g_clear_pointer(&header->strings, g_string_chunk_free);
    g_clear_pointer(&header->entries, g_array_unref);
    g_clear_pointer(&header->metadata, g_array_unref);
}

gboolean cg_safetensors_header_read(CgSafetensorsHeader *header, const char *json, size_t size,
                                    const char *where, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    Scanner s = {json, json, json + size, where, text, error};

    if (size == 0 || json[0] != '{')
        return fail(&s, "it does not begin with '{'");
    if (!g_utf8_validate_len(json, size, NULL))
        return fail(&s, "it is not UTF-8");
    if (!scan_object(&s, header_member, header))
        return FALSE;
    skip_space(&s);
    return s.p == s.end ? TRUE : fail_at(&s, "nothing but spaces");
}
