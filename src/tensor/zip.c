#include "tensor/zip.h"

#include "base/error.h"

#include <string.h>

#define END_SIZE     22 /* of the end of the central directory, without a comment */
#define LOCATOR_SIZE 20 /* of what says where ZIP64's is */
#define END64_SIZE   56
#define ENTRY_SIZE   46 /* in the directory, without name, extra field and comment */
#define LOCAL_SIZE   30 /* before the data, likewise */
#define MAX_COMMENT  65535

#define END_MAGIC     0x06054b50u
#define LOCATOR_MAGIC 0x07064b50u
#define END64_MAGIC   0x06064b50u
#define ENTRY_MAGIC   0x02014b50u
#define LOCAL_MAGIC   0x04034b50u

typedef struct {
    const guint8 *data;
    gsize size;
    const char *where;
} Archive;

static guint64 number(const guint8 *p, int bytes)
{
    guint64 value = 0;
    for (int i = bytes; i > 0; i--)
        value = value << 8 | p[i - 1];
    return value;
}

static gboolean broken(const Archive *a, const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: broken zip archive: %s; fetch it again",
                a->where, what);
    return FALSE;
}

static gboolean is_inside(const Archive *a, guint64 at, guint64 size)
{
    return at <= a->size && size <= a->size - at;
}

/* Where the directory begins, its size, how many entries it has. */
typedef struct {
    guint64 at, size, count;
} Directory;

/* ZIP64's own end, which a locator right before END points at. */
static gboolean read_end64(const Archive *a, gsize end, Directory *d, GError **error)
{
    if (end < LOCATOR_SIZE || number(a->data + end - LOCATOR_SIZE, 4) != LOCATOR_MAGIC)
        return TRUE;
    const guint64 at = number(a->data + end - LOCATOR_SIZE + 8, 8);
    if (!is_inside(a, at, END64_SIZE) || number(a->data + at, 4) != END64_MAGIC)
        return broken(a, "its ZIP64 end is not where it should be", error);
    const guint8 *p = a->data + at;
    *d =
        (Directory){.count = number(p + 32, 8), .size = number(p + 40, 8), .at = number(p + 48, 8)};
    return TRUE;
}

static gboolean find_directory(const Archive *a, Directory *d, GError **error)
{
    const gsize most = MIN(a->size, END_SIZE + MAX_COMMENT);
    for (gsize back = END_SIZE; back <= most; back++) {
        const guint8 *p = a->data + a->size - back;
        if (number(p, 4) != END_MAGIC || number(p + 20, 2) + END_SIZE > back)
            continue;
        *d = (Directory){
            .count = number(p + 10, 2), .size = number(p + 12, 4), .at = number(p + 16, 4)};
        if (!read_end64(a, a->size - back, d, error))
            return FALSE;
        return (is_inside(a, d->at, d->size) && d->count <= d->size / ENTRY_SIZE) ||
               broken(a, "its directory lies outside of it", error);
    }
    return broken(a, "it ends before its directory", error);
}

/* What the directory says of an entry. */
typedef struct {
    guint64 size, packed, local; /* bytes; where its local header is */
    guint method, flags;
    const guint8 *name;
    gsize name_length;
} Row;

/* Numbers that do not fit 32 bits stand in an extra field, in this order. */
static gboolean read_zip64(const Archive *a, const guint8 *extra, gsize length, Row *row,
                           GError **error)
{
    guint64 *const wide[3] = {&row->size, &row->packed, &row->local};
    while (length >= 4) {
        const gsize size = number(extra + 2, 2);
        if (size > length - 4)
            break;
        if (number(extra, 2) == 1) {
            gsize at = 4;
            for (int i = 0; i < 3; i++) {
                if (*wide[i] != G_MAXUINT32)
                    continue;
                if (at + 8 > size + 4)
                    return broken(a, "a ZIP64 field is too short", error);
                *wide[i] = number(extra + at, 8);
                at += 8;
            }
            return TRUE;
        }
        extra += 4 + size;
        length -= 4 + size;
    }
    return TRUE;
}

/* The row at *AT, which moves behind it; END: of the directory. */
static gboolean read_row(const Archive *a, guint64 *at, guint64 end, Row *row, GError **error)
{
    const guint8 *p = a->data + *at;
    if (end - *at < ENTRY_SIZE || number(p, 4) != ENTRY_MAGIC)
        return broken(a, "its directory has a hole", error);
    const gsize name = number(p + 28, 2), extra = number(p + 30, 2), comment = number(p + 32, 2);
    if (end - *at - ENTRY_SIZE < name + extra + comment)
        return broken(a, "its directory ends in the middle", error);
    *row = (Row){.flags = (guint)number(p + 8, 2),
                 .method = (guint)number(p + 10, 2),
                 .packed = number(p + 20, 4),
                 .size = number(p + 24, 4),
                 .local = number(p + 42, 4),
                 .name = p + ENTRY_SIZE,
                 .name_length = name};
    *at += ENTRY_SIZE + name + extra + comment;
    return read_zip64(a, p + ENTRY_SIZE + name, extra, row, error);
}

static gboolean place_entry(const Archive *a, const Row *row, CgZipEntry *entry, GError **error)
{
    if (row->method != 0 || row->flags & 1 || row->size != row->packed) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: a zip archive with compressed or encrypted files; PyTorch's are stored as "
                    "they are",
                    a->where);
        return FALSE;
    }
    if (!is_inside(a, row->local, LOCAL_SIZE) || number(a->data + row->local, 4) != LOCAL_MAGIC)
        return broken(a, "an entry is not where it should be", error);
    const guint8 *p = a->data + row->local;
    const guint64 begin = row->local + LOCAL_SIZE + number(p + 26, 2) + number(p + 28, 2);
    if (!is_inside(a, begin, row->size))
        return broken(a, "an entry reaches beyond its end", error);
    *entry = (CgZipEntry){.name = g_strndup((const char *)row->name, row->name_length),
                          .data = a->data + begin,
                          .size = (gsize)row->size};
    return TRUE;
}

static int compare_places(const void *a, const void *b)
{
    const CgZipEntry *x = *(const CgZipEntry *const *)a, *y = *(const CgZipEntry *const *)b;
    return (x->data > y->data) - (x->data < y->data);
}

/* No byte belongs to two entries. */
static gboolean check_overlap(const Archive *a, const GArray *entries, GError **error)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_sized_new(entries->len);
    for (guint i = 0; i < entries->len; i++)
        g_ptr_array_add(sorted, &g_array_index(entries, CgZipEntry, i));
    g_ptr_array_sort(sorted, compare_places);
    for (guint i = 1; i < sorted->len; i++) {
        const CgZipEntry *before = g_ptr_array_index(sorted, i - 1);
        const CgZipEntry *e = g_ptr_array_index(sorted, i);
        if (e->size && before->size > (gsize)(e->data - before->data))
            return broken(a, "two entries lie over each other", error);
    }
    return TRUE;
}

static void entry_clear(gpointer entry)
{
    g_free(((CgZipEntry *)entry)->name);
}

GArray *cg_zip_list(const guint8 *data, gsize size, const char *where, GError **error)
{
    const Archive a = {data, size, where};
    Directory d;
    if (!find_directory(&a, &d, error))
        return NULL;
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(CgZipEntry));
    g_array_set_clear_func(entries, entry_clear);
    guint64 at = d.at;
    for (guint64 i = 0; i < d.count; i++) {
        Row row;
        CgZipEntry entry;
        if (!read_row(&a, &at, d.at + d.size, &row, error) || !place_entry(&a, &row, &entry, error))
            return NULL;
        g_array_append_val(entries, entry);
    }
    return check_overlap(&a, entries, error) ? g_steal_pointer(&entries) : NULL;
}
