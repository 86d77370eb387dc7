/* Any bytes as a file of torch.save: refused with one line, or every tensor can be read whole. */
#include "base/error.h"
#include "tensor/safetensors.h"
#include "tensor/torch_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(gboolean condition)
{
    if (!condition)
        abort();
}

static void read_entry(CgSafetensors *st, guint i)
{
    const CgSafetensor *e = cg_safetensors_nth(st, i);
    require(cg_safetensors_find(st, e->name) == e && g_utf8_validate(e->name, -1, NULL));
    if (e->dtype == CG_DTYPE_COUNT || e->shape.rank > CG_MAX_RANK)
        return;
    g_autoptr(CgTensor) t = cg_safetensors_tensor(st, e);
    g_autoptr(CgTensor) copy = cg_tensor_copy(t, t->dtype);
    require(cg_tensor_bytes(t) == e->size &&
            (e->size == 0 || !memcmp(copy->data, e->data, e->size)));
    cg_safetensors_release(st, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    g_autoptr(GError) error = NULL;
    if (!cg_torch_file_is(bytes, size))
        return 0;
    g_autoptr(CgSafetensors) st = cg_safetensors_parse(bytes, size, "fuzz", &error);
    require(st ? error == NULL
               : error && error->domain == CG_ERROR && g_str_has_prefix(error->message, "fuzz: ") &&
                     !strchr(error->message, '\n'));
    for (guint i = 0; st && i < cg_safetensors_count(st); i++)
        read_entry(st, i);
    return 0;
}
