#include "models/lpips.h"

#include "base/error.h"
#include "base/system.h"
#include "models/plain_weights.h"

#include <math.h>

/* A convolution with ReLU behind it, and maybe a pooling (stride 2) before it. */
typedef struct {
    int place; /* in torchvision's "features" */
    int c_out, kernel, stride, pad, pool;
    gboolean compared; /* its activations are */
} Layer;

typedef struct {
    const char *name;
    const Layer *layers;
    int count;
} Trunk;

static const Layer alexnet[] = {
    {0, 64, 11, 4, 2, 0, TRUE}, {3, 192, 5, 1, 2, 3, TRUE},  {6, 384, 3, 1, 1, 3, TRUE},
    {8, 256, 3, 1, 1, 0, TRUE}, {10, 256, 3, 1, 1, 0, TRUE},
};
static const Layer vgg16[] = {
    {0, 64, 3, 1, 1, 0, FALSE},  {2, 64, 3, 1, 1, 0, TRUE},    {5, 128, 3, 1, 1, 2, FALSE},
    {7, 128, 3, 1, 1, 0, TRUE},  {10, 256, 3, 1, 1, 2, FALSE}, {12, 256, 3, 1, 1, 0, FALSE},
    {14, 256, 3, 1, 1, 0, TRUE}, {17, 512, 3, 1, 1, 2, FALSE}, {19, 512, 3, 1, 1, 0, FALSE},
    {21, 512, 3, 1, 1, 0, TRUE}, {24, 512, 3, 1, 1, 2, FALSE}, {26, 512, 3, 1, 1, 0, FALSE},
    {28, 512, 3, 1, 1, 0, TRUE},
};
static const Trunk trunks[] = {
    [CG_LPIPS_ALEXNET] = {"AlexNet", alexnet, G_N_ELEMENTS(alexnet)},
    [CG_LPIPS_VGG16] = {"VGG-16", vgg16, G_N_ELEMENTS(vgg16)},
};

/* What the trunks want: (x - shift) / scale of x in [-1, 1], ImageNet's mean and deviation as the
 * lpips package rounds them. */
static const float shift[3] = {-0.030f, -0.088f, -0.188f}, scale[3] = {0.458f, 0.448f, 0.450f};

/* ---- structure */

void cg_bind_lpips(CgBinder *b, CgLpips *l)
{
    char name[CG_NAME_MAX];
    const Trunk *trunk = &trunks[l->trunk];
    int c_in = 3, head = 0;
    for (int i = 0; i < trunk->count; i++) {
        const Layer *layer = &trunk->layers[i];
        cg_bind_conv(b, &l->convs[i], cg_name(name, "features.%d", layer->place), c_in,
                     layer->c_out, layer->kernel, layer->stride, layer->pad, TRUE);
        c_in = layer->c_out;
        if (!layer->compared)
            continue;
        l->heads[head] =
            cg_bind_tensor(b, cg_name(name, "lin%d.model.1.weight", head), CG_SHAPE(1, c_in, 1, 1));
        head++;
    }
}

static gboolean take_roots(CgLpips *l, const char *where, GError **error)
{
    gboolean ok = TRUE;
    for (int i = 0; i < CG_LPIPS_LAYERS; i++) {
        g_autoptr(CgTensor) head = cg_tensor_copy(l->heads[i], CG_F32);
        l->roots[i] = g_new(float, head->count);
        for (size_t k = 0; k < head->count; k++) {
            ok = ok && cg_tensor_f32(head)[k] >= 0;
            l->roots[i][k] = sqrtf(cg_tensor_f32(head)[k]);
        }
    }
    if (!ok)
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: the heads have negative numbers; those of LPIPS have none", where);
    return ok;
}

CgLpips *cg_lpips_new(const CgBuild *build, CgLpipsTrunk trunk, GError **error)
{
    g_autoptr(CgLpips) l = g_new0(CgLpips, 1);
    CgBinder b;
    l->trunk = trunk;
    cg_binder_init(&b, &l->parameters, build);
    cg_bind_lpips(&b, l);
    if (!cg_binder_finish(&b, error) || !take_roots(l, build->where, error))
        return NULL;
    return g_steal_pointer(&l);
}

void cg_lpips_free(CgLpips *l)
{
    if (!l)
        return;
    cg_parameter_set_clear(&l->parameters);
    for (int i = 0; i < CG_LPIPS_LAYERS; i++)
        g_free(l->roots[i]);
    g_free(l);
}

const char *cg_lpips_name(const CgLpips *l)
{
    return trunks[l->trunk].name;
}

/* ---- reading */

/* The layers of trunks behind what is compared: torchvision's, and those of timm's VGG. */
static void pass_over_classifier(CgPlainWeights *w)
{
    static const char *const names[] = {"classifier.0",   "classifier.1", "classifier.3",
                                        "classifier.4",   "classifier.6", "pre_logits.fc1",
                                        "pre_logits.fc2", "head.fc"};
    char name[CG_NAME_MAX];
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        cg_plain_weights_pass_over(w, cg_name(name, "%s.weight", names[i]));
        cg_plain_weights_pass_over(w, cg_name(name, "%s.bias", names[i]));
    }
}

static gboolean find_trunk(const CgPlainWeights *w, const char *where, CgLpipsTrunk *trunk,
                           GError **error)
{
    const CgSafetensor *first = cg_plain_weights_find(w, "features.0.weight");
    const gboolean has_heads = cg_plain_weights_find(w, "lin0.model.1.weight") != NULL;
    *trunk = CG_LPIPS_VGG16;
    if (first && first->shape.rank == 4 && first->shape.d[2] == alexnet[0].kernel)
        *trunk = CG_LPIPS_ALEXNET;
    if (first && has_heads)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                "%s: %s; LPIPS takes two files, torchvision's AlexNet or VGG-16 and the heads for "
                "it from the lpips package (alex.pth, vgg.pth)",
                where,
                first       ? "no heads of LPIPS (lin0.model.1.weight) in it"
                : has_heads ? "no AlexNet and no VGG-16 (features.0.weight) in it"
                            : "neither a network nor heads of LPIPS in it");
    return FALSE;
}

CgLpips *cg_lpips_open(CgEngine *engine, CgDType dtype, const char *const *paths, guint count,
                       GError **error)
{
    CgLpipsTrunk trunk;
    g_autoptr(CgPlainWeights) w = cg_plain_weights_open(paths, count, error);
    g_autofree char *where = count > 1 ? g_strjoin(", ", paths[0], paths[1], NULL)
                                       : g_strdup(count ? paths[0] : "LPIPS");
    if (!w || !find_trunk(w, where, &trunk, error))
        return NULL;
    pass_over_classifier(w);
    const CgBuild build = {.engine = engine,
                           .dtype = dtype,
                           .lookup = cg_plain_weights_lookup,
                           .source = w,
                           .where = where};
    return cg_lpips_new(&build, trunk, error);
}

/* ---- forward */

static int conv_side(const Layer *layer, int side)
{
    if (layer->pool)
        side = (side - layer->pool) / 2 + 1;
    return (side + 2 * layer->pad - layer->kernel) / layer->stride + 1;
}

size_t cg_lpips_vector_size(const CgLpips *l, int side)
{
    const Trunk *trunk = &trunks[l->trunk];
    size_t total = 0;
    for (int i = 0; i < trunk->count; i++) {
        const Layer *layer = &trunk->layers[i];
        side = conv_side(layer, side);
        if (layer->compared)
            total += (size_t)side * (size_t)side * (size_t)layer->c_out;
    }
    return total;
}

static CgTensor *normalise(CgContext *cx, const CgTensor *pictures)
{
    g_autoptr(CgTensor) t = cg_tensor_new(CG_F32, pictures->shape);
    const float *from = (const float *)pictures->data;
    float *to = cg_tensor_f32(t);
    for (size_t i = 0; i < t->count; i++)
        to[i] = (from[i] - shift[i % 3]) / scale[i % 3];
    return cg_cast(cx, t, cx->dtype);
}

/* The part of VECTORS, STRIDE numbers apart, that is of H [n, h, w, c] f32 with the head ROOTS [c].
 */
static void write_part(const CgTensor *h, const float *roots, float *vectors, size_t stride)
{
    const size_t n = (size_t)h->shape.d[0], c = (size_t)h->shape.d[3];
    const size_t places = (size_t)(h->shape.d[1] * h->shape.d[2]);
    const float *values = (const float *)h->data;
    const double part = sqrt((double)places);
#pragma omp parallel for schedule(static) num_threads(cg_threads())
    for (size_t i = 0; i < n * places; i++) {
        const float *from = values + i * c;
        float *to = vectors + i / places * stride + i % places * c;
        double squares = 0;
        for (size_t k = 0; k < c; k++)
            squares += (double)from[k] * (double)from[k];
        const double factor = 1 / ((sqrt(squares) + 1e-10) * part);
        for (size_t k = 0; k < c; k++)
            to[k] = (float)(factor * (double)from[k] * (double)roots[k]);
    }
}

gboolean cg_lpips_describe(CgContext *cx, const CgLpips *l, CgTensor *pictures, float *vectors,
                           GError **error)
{
    const Trunk *trunk = &trunks[l->trunk];
    const size_t stride = cg_lpips_vector_size(l, (int)pictures->shape.d[1]);
    g_autoptr(CgTensor) h = normalise(cx, pictures);
    int head = 0;
    for (int i = 0; i < trunk->count; i++) {
        const Layer *layer = &trunk->layers[i];
        if (layer->pool)
            CG_SET(h, cg_max_pool2d(
                          cx, &(CgPoolGeometry){.kernel = layer->pool, .stride = 2, .pad = 0}, h));
        CG_SET(h, cg_conv_forward(cx, &l->convs[i], h, (CgEpilogue){.act = CG_ACT_RELU}));
        if (!layer->compared)
            continue;
        g_autoptr(CgTensor) numbers = cg_cast(cx, h, CG_F32);
        write_part(numbers, l->roots[head], vectors, stride);
        vectors += numbers->count / (size_t)numbers->shape.d[0];
        head++;
    }
    return cg_context_ok(cx, error);
}
