/* Any bytes as a safetensors file: refused with a message, or every tensor can be read whole. */
#include "base/error.h"
#include "tensor/safetensors-private.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(gboolean condition)
{
    if (!condition)
        abort();
}

static void read_entry(CgSafetensors *st, guint i, const uint8_t *data, size_t size)
{
    const CgSafetensor *e = cg_safetensors_nth(st, i);
    require(cg_safetensors_find(st, e->name) == e);
    require(i == 0 || strcmp(cg_safetensors_nth(st, i - 1)->name, e->name) < 0);
    require(g_utf8_validate(e->name, -1, NULL));
    require((const uint8_t *)e->data >= data && e->size <= size &&
            (size_t)((const uint8_t *)e->data - data) <= size - e->size);
    if (e->dtype == CG_DTYPE_COUNT || e->shape.rank > CG_MAX_RANK)
        return;
    g_autoptr(CgTensor) t = cg_safetensors_tensor(st, e);
    g_autoptr(CgTensor) copy = cg_tensor_copy(t, t->dtype);
    require(cg_tensor_bytes(t) == e->size &&
            (e->size == 0 || !memcmp(copy->data, e->data, e->size)));
    cg_safetensors_release(st, e);
}

static void read_file(const uint8_t *bytes, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgSafetensors) st = cg_safetensors_parse(bytes, size, "fuzz", &error);
    require(st ? error == NULL
               : error && error->domain == CG_ERROR && g_str_has_prefix(error->message, "fuzz: "));
    for (guint i = 0; st && i < cg_safetensors_count(st); i++)
        read_entry(st, i, bytes, size);
    if (st)
        cg_safetensors_metadata(st, "format");
}

/* Bytes of data that a header asks for, as far as it can be read. */
static size_t data_wanted(const uint8_t *json, size_t size)
{
    CgSafetensorsHeader header;
    size_t wanted = 0;
    cg_safetensors_header_init(&header);
    if (cg_safetensors_header_read(&header, (const char *)json, size, "fuzz", NULL))
        for (guint i = 0; i < header.entries->len; i++) {
            const CgSafetensorEntry *e = &g_array_index(header.entries, CgSafetensorEntry, i);
            wanted = MAX(wanted, e->begin + e->view.size);
        }
    cg_safetensors_header_clear(&header);
    return wanted;
}

/* The input as a whole file, and as a header with fitting length and data: mutations seldom get
 * those right together. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const size_t most = 1 << 16;
    read_file(bytes, size);
    size_t wanted = data_wanted(bytes, size);
    if (wanted > most)
        return 0;
    g_autofree uint8_t *file = g_malloc0(8 + size + wanted);
    const guint64 length = GUINT64_TO_LE((guint64)size);
    memcpy(file, &length, 8);
    if (size > 0)
        memcpy(file + 8, bytes, size);
    read_file(file, 8 + size + wanted);
    return 0;
}
