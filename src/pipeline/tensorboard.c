#include "pipeline/tensorboard.h"

#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

struct CgEvents {
    char *path;
    int fd;
};

guint32 cg_crc32c(const void *data, size_t size)
{
    static gsize ready = 0;
    static guint32 table[256];
    if (g_once_init_enter(&ready)) {
        for (guint32 i = 0; i < 256; i++) {
            guint32 c = i;
            for (int bit = 0; bit < 8; bit++)
                c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
            table[i] = c;
        }
        g_once_init_leave(&ready, 1);
    }
    guint32 crc = ~0u;
    for (const guint8 *p = data, *end = p + size; p < end; p++)
        crc = table[(crc ^ *p) & 255] ^ crc >> 8;
    return ~crc;
}

/* Sums of data that holds such sums would be no good: TFRecord turns and shifts them. */
static guint32 masked_crc(const void *data, size_t size)
{
    const guint32 crc = cg_crc32c(data, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void put_le(GByteArray *out, guint64 value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        const guint8 byte = (guint8)(value >> 8 * i);
        g_byte_array_append(out, &byte, 1);
    }
}

static void put_varint(GByteArray *out, guint64 value)
{
    do {
        const guint8 byte = (guint8)((value & 127) | (value > 127 ? 128 : 0));
        g_byte_array_append(out, &byte, 1);
        value >>= 7;
    } while (value);
}

/* Protobuf wire types. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void put_key(GByteArray *out, guint field, guint type)
{
    put_varint(out, field << 3 | type);
}

static void put_double(GByteArray *out, guint field, double value)
{
    guint64 bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(out, field, FIXED64);
    put_le(out, bits, 8);
}

static void put_float(GByteArray *out, guint field, float value)
{
    guint32 bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(out, field, FIXED32);
    put_le(out, bits, 4);
}

static void put_bytes(GByteArray *out, guint field, const void *data, size_t size)
{
    put_key(out, field, BYTES);
    put_varint(out, size);
    g_byte_array_append(out, data, (guint)size);
}

static void put_record(GByteArray *out, const GByteArray *event)
{
    const guint from = out->len;
    put_le(out, event->len, 8);
    put_le(out, masked_crc(out->data + from, 8), 4);
    g_byte_array_append(out, event->data, event->len);
    put_le(out, masked_crc(event->data, event->len), 4);
}

void cg_event_version(GByteArray *out, double wall_time)
{
    g_autoptr(GByteArray) event = g_byte_array_new();
    put_double(event, 1, wall_time);
    put_bytes(event, 3, "brain.Event:2", strlen("brain.Event:2"));
    put_record(out, event);
}

void cg_event_start(GByteArray *out, double wall_time, guint64 step)
{
    static const guint8 status_start[] = {1 << 3 | VARINT, 1};
    g_autoptr(GByteArray) event = g_byte_array_new();
    put_double(event, 1, wall_time);
    put_key(event, 2, VARINT);
    put_varint(event, step);
    put_bytes(event, 7, status_start, sizeof status_start);
    put_record(out, event);
}

void cg_event_scalars(GByteArray *out, double wall_time, guint64 step, const char *const *names,
                      const double *values, int count)
{
    g_autoptr(GByteArray) summary = g_byte_array_new();
    g_autoptr(GByteArray) event = g_byte_array_new();
    for (int i = 0; i < count; i++) {
        if (isnan(values[i]))
            continue;
        g_autoptr(GByteArray) value = g_byte_array_new();
        put_bytes(value, 1, names[i], strlen(names[i]));
        put_float(value, 2, (float)values[i]);
        put_bytes(summary, 1, value->data, value->len);
    }
    put_double(event, 1, wall_time);
    put_key(event, 2, VARINT);
    put_varint(event, step);
    put_bytes(event, 5, summary->data, summary->len);
    put_record(out, event);
}

static gboolean write_bytes(CgEvents *e, const GByteArray *bytes, GError **error)
{
    for (guint done = 0; done < bytes->len;) {
        const ssize_t n = write(e->fd, bytes->data + done, bytes->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            g_set_error(error, CG_ERROR, CG_ERROR_IO, "%s: cannot write: %s", e->path,
                        g_strerror(errno));
            return FALSE;
        }
        done += (guint)n;
    }
    return TRUE;
}

static double now(void)
{
    return (double)g_get_real_time() / 1e6;
}

/* TensorBoard reads a folder's files in order of name: a run that begins within the second in which
 * another did, or after the clock was set back, must not come before it. */
static gint64 next_second(const char *folder)
{
    gint64 second = g_get_real_time() / G_USEC_PER_SEC;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (g_str_has_prefix(name, "events.out.tfevents.")) {
            const gint64 other = g_ascii_strtoll(name + strlen("events.out.tfevents."), NULL, 10);
            if (other >= second && other < 9999999999)
                second = other + 1;
        }
    return second;
}

CgEvents *cg_events_open(const char *folder, guint64 step, GError **error)
{
    if (!cg_file_make_directory(folder, error))
        return NULL;
    g_autofree char *name =
        g_strdup_printf("events.out.tfevents.%010" G_GINT64_FORMAT ".cagen", next_second(folder));
    g_autoptr(CgEvents) e = g_new0(CgEvents, 1);
    e->path = g_build_filename(folder, name, NULL);
    e->fd = open(e->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (e->fd < 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_IO, "%s: cannot write: %s", e->path,
                    g_strerror(errno));
        return NULL;
    }
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    cg_event_version(bytes, now());
    if (step > 0)
        cg_event_start(bytes, now(), step + 1);
    return write_bytes(e, bytes, error) ? g_steal_pointer(&e) : NULL;
}

void cg_events_close(CgEvents *e)
{
    if (!e)
        return;
    if (e->fd >= 0)
        close(e->fd);
    g_free(e->path);
    g_free(e);
}

gboolean cg_events_add(CgEvents *e, guint64 step, const char *const *names, const double *values,
                       int count, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    cg_event_scalars(bytes, now(), step, names, values, count);
    return write_bytes(e, bytes, error);
}
