#include "embedding/features.h"

#include "base/error.h"
#include "base/size.h"
#include "image/map.h"
#include "tensor/safetensors.h"

#include <math.h>
#include <string.h>

CgFeatures *cg_features_new(size_t count, size_t width)
{
    CgFeatures *f = g_new(CgFeatures, 1);
    *f = (CgFeatures){.count = count, .width = width, .values = g_new0(float, count *width + 1)};
    return f;
}

void cg_features_free(CgFeatures *f)
{
    if (!f)
        return;
    g_free(f->values);
    g_free(f);
}

static CgFeatures *load_array(const char *path, GError **error)
{
    g_autoptr(CgMap) map = cg_map_load(path, error);
    if (!map)
        return NULL;
    CgFeatures *f = g_new(CgFeatures, 1);
    *f = (CgFeatures){.count = (size_t)map->height, .width = (size_t)map->width};
    f->values = g_steal_pointer(&map->values);
    return f;
}

static gboolean is_float(CgDType dtype)
{
    return dtype == CG_F32 || dtype == CG_F16 || dtype == CG_BF16;
}

static CgFeatures *load_tensor(const char *path, GError **error)
{
    g_autoptr(CgSafetensors) file = cg_safetensors_open(path, error);
    if (!file)
        return NULL;
    const CgSafetensor *entry = cg_safetensors_nth(file, 0);
    if (cg_safetensors_count(file) != 1 || entry->shape.rank != 2 || !is_float(entry->dtype)) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "%s: features are one tensor [pictures, numbers] of F32, F16 or BF16; this "
                    "file holds something else",
                    path);
        return NULL;
    }
    g_autoptr(CgTensor) tensor = cg_safetensors_tensor(file, entry);
    g_autoptr(CgTensor) numbers = cg_tensor_copy(tensor, CG_F32);
    CgFeatures *f = cg_features_new((size_t)entry->shape.d[0], (size_t)entry->shape.d[1]);
    memcpy(f->values, cg_tensor_f32(numbers), f->count * f->width * sizeof *f->values);
    return f;
}

static gboolean check(const CgFeatures *f, const char *path, GError **error)
{
    if (f->count == 0 || f->width == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE, "%s: no features in it", path);
        return FALSE;
    }
    for (size_t i = 0; i < f->count * f->width; i++)
        if (!isfinite(f->values[i])) {
            g_set_error(error, CG_ERROR, CG_ERROR_NUMERIC,
                        "%s: row %zu has NaN or infinity; leave such rows out", path, i / f->width);
            return FALSE;
        }
    return TRUE;
}

CgFeatures *cg_features_load(const char *path, GError **error)
{
    g_autoptr(CgFeatures) f =
        g_str_has_suffix(path, ".safetensors") ? load_tensor(path, error) : load_array(path, error);
    return f && check(f, path, error) ? g_steal_pointer(&f) : NULL;
}

CgFeatures *cg_features_join(CgFeatures *const *parts, size_t count, GError **error)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i]->width != parts[0]->width) {
            g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                        "features of %zu and of %zu numbers; take all of one network",
                        parts[0]->width, parts[i]->width);
            return NULL;
        }
        total += parts[i]->count;
    }
    CgFeatures *all = cg_features_new(total, count ? parts[0]->width : 0);
    for (size_t i = 0; i < count; i++) {
        memcpy(cg_features_row(all, at), parts[i]->values,
               parts[i]->count * all->width * sizeof *all->values);
        at += parts[i]->count;
    }
    return all;
}

double cg_squared_distance(const float *a, const float *b, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        const double d = (double)a[i] - b[i];
        sum += d * d;
    }
    return sum;
}
