/* features: what a network says of pictures, a row of numbers for each. */
#ifndef CG_EMBEDDING_FEATURES_H
#define CG_EMBEDDING_FEATURES_H

#include <glib.h>

typedef struct {
    size_t count, width;
    float *values; /* [count, width] */
} CgFeatures;

CgFeatures *cg_features_new(size_t count, size_t width); /* zeros */
void cg_features_free(CgFeatures *f);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgFeatures, cg_features_free)

static inline float *cg_features_row(const CgFeatures *f, size_t i)
{
    return f->values + i * f->width;
}

/* A NumPy array (.npy) or the one tensor of a safetensors file, [n, d] of floating-point numbers.
 * CG_ERROR_SHAPE when it has no rows, CG_ERROR_NUMERIC for NaN and infinity. */
CgFeatures *cg_features_load(const char *path, GError **error);
/* The rows of all PARTS [count], which have one width (CG_ERROR_SHAPE), below each other. */
CgFeatures *cg_features_join(CgFeatures *const *parts, size_t count, GError **error);

/* Squared Euclidean distance of A and B [n], summed in double. */
double cg_squared_distance(const float *a, const float *b, size_t n);

#endif
