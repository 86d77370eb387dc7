#include "models/detector_network.h"

#include "base/error.h"
#include "base/rng.h"
#include "ops/loss.h"

#include <math.h>

static const struct {
    const char *name, *class_name;
    int width;
} kinds[] = {
    [CG_DETECTOR_DRAEM] = {"draem", "DRAEM", 128},
    [CG_DETECTOR_UNET] = {"unet", "UNetSegmenter", 64},
};

/* The kind whose NAME (or class, with CLASS_NAME) TEXT is. */
static gboolean find_kind(const char *text, gboolean class_name, CgDetectorKind *kind)
{
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_equal(text, class_name ? kinds[i].class_name : kinds[i].name)) {
            *kind = (CgDetectorKind)i;
            return TRUE;
        }
    return FALSE;
}

gboolean cg_detector_kind_parse(const char *text, CgDetectorKind *kind)
{
    return find_kind(text, FALSE, kind);
}

gboolean cg_detector_is_class_name(const char *text)
{
    CgDetectorKind kind;
    return find_kind(text, TRUE, &kind);
}

const char *cg_detector_kind_name(CgDetectorKind kind)
{
    return kinds[kind].name;
}

int cg_detector_default_width(CgDetectorKind kind)
{
    return kinds[kind].width;
}

CgDetectorNetworkConfig cg_detector_network_config(CgDetectorKind kind, int width)
{
    if (kind == CG_DETECTOR_UNET)
        return (CgDetectorNetworkConfig){.kind = kind, .unet_width = width};
    return (CgDetectorNetworkConfig){.kind = kind, .draem = cg_draem_config_of_width(width)};
}

gboolean cg_detector_network_config_parse(const json_t *object, const char *where,
                                          CgDetectorNetworkConfig *config, GError **error)
{
    const char *class_name;
    gint64 width;
    *config = (CgDetectorNetworkConfig){0};
    if (!cg_json_string(object, where, "_class_name", "", &class_name, error))
        return FALSE;
    if (!find_kind(class_name, TRUE, &config->kind)) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: no detector: \"_class_name\" is neither DRAEM nor UNetSegmenter", where);
        return FALSE;
    }
    if (config->kind == CG_DETECTOR_DRAEM)
        return cg_draem_config_parse(object, where, &config->draem, error);
    if (!cg_json_int(object, where, "width", 64, 1, CG_DETECTOR_MAX_WIDTH, &width, error))
        return FALSE;
    config->unet_width = (int)width;
    return TRUE;
}

json_t *cg_detector_network_config_to_json(const CgDetectorNetworkConfig *config)
{
    const char *class_name = kinds[config->kind].class_name;
    if (config->kind == CG_DETECTOR_UNET)
        return json_pack("{s:s, s:i}", "_class_name", class_name, "width", config->unet_width);
    return json_pack("{s:s, s:i, s:i}", "_class_name", class_name, "reconstructive_width",
                     config->draem.reconstructive_width, "discriminative_width",
                     config->draem.discriminative_width);
}

/* ---- the network */

void cg_bind_detector_network(CgBinder *b, CgDetectorNetwork *d)
{
    if (d->config.kind == CG_DETECTOR_UNET)
        cg_bind_segmenter(b, &d->unet, 3, d->config.unet_width);
    else
        cg_bind_draem(b, &d->draem, &d->config.draem);
}

CgDetectorNetwork *cg_detector_network_new(const CgBuild *build,
                                           const CgDetectorNetworkConfig *config, GError **error)
{
    g_autoptr(CgDetectorNetwork) d = g_new0(CgDetectorNetwork, 1);
    CgBinder b;
    d->config = *config;
    cg_binder_init(&b, &d->parameters, build);
    cg_bind_detector_network(&b, d);
    return cg_binder_finish(&b, error) ? g_steal_pointer(&d) : NULL;
}

void cg_detector_network_free(CgDetectorNetwork *d)
{
    if (!d)
        return;
    cg_parameter_set_clear(&d->parameters);
    g_free(d);
}

static CgTensor *segment(CgContext *cx, const CgSegmenter *s, CgTensor *picture, gboolean training)
{
    g_autoptr(CgTensor) x = cg_cast(cx, picture, cx->dtype);
    g_autoptr(CgTensor) answer = cg_segmenter_forward(cx, s, x, training);
    return cg_cast(cx, answer, CG_F32);
}

CgTensor *cg_detector_network_logits(CgContext *cx, const CgDetectorNetwork *d, CgTensor *picture)
{
    g_autoptr(CgTensor) reconstruction = NULL;
    CgTensor *logits;
    if (d->config.kind == CG_DETECTOR_UNET)
        return segment(cx, &d->unet, picture, FALSE);
    cg_draem_forward(cx, &d->draem, picture, FALSE, &reconstruction, &logits);
    return logits;
}

CgTensor *cg_detector_network_loss(CgContext *cx, const CgDetectorNetwork *d, CgTensor *clean,
                                   CgTensor *picture, CgTensor *mask)
{
    if (d->config.kind == CG_DETECTOR_DRAEM)
        return cg_draem_loss(cx, &d->draem, clean, picture, mask, NULL);
    g_autoptr(CgTensor) logits = segment(cx, &d->unet, picture, TRUE);
    return cg_loss_focal(cx, logits, mask);
}

/* ---- weights */

static CgTensor *draw(const CgDetectorInitial *w, const char *name, const CgShape *shape)
{
    CgTensor *t = cg_tensor_new(CG_F32, *shape);
    float *to = cg_tensor_f32(t);
    guint64 seed = 0xcbf29ce484222325; /* FNV-1a of the name */
    for (const char *p = name; *p; p++)
        seed = (seed ^ (guint8)*p) * 0x100000001b3;
    seed ^= w->seed * 0x9e3779b97f4a7c15;
    if (g_str_has_suffix(name, ".weight")) {
        cg_rng_normals(seed, CG_STREAM(CG_STREAM_WEIGHTS, 0), 0, to, t->count);
        for (size_t i = 0; i < t->count; i++)
            to[i] = (shape->rank == 1) + 0.02f * to[i];
        return t;
    }
    const double bound = 1 / sqrt((double)w->fan_in);
    cg_rng_uniforms(seed, CG_STREAM(CG_STREAM_WEIGHTS, 0), 0, to, t->count);
    for (size_t i = 0; i < t->count; i++)
        to[i] = (float)(bound * (2.0 * (double)to[i] - 1));
    return t;
}

CgTensor *cg_detector_initial_weights(void *initial, const char *name, const CgShape *want,
                                      GPtrArray *problems)
{
    CgDetectorInitial *w = initial;
    (void)problems;
    if (!name)
        return NULL;
    if (g_str_has_suffix(name, ".weight"))
        w->fan_in = want->rank == 4 ? want->d[1] * want->d[2] * want->d[3] : 0;
    const gboolean one = g_str_has_suffix(name, ".running_var");
    if (!g_str_has_suffix(name, ".weight") && w->fan_in == 0) {
        CgTensor *t = cg_tensor_zeros(CG_F32, *want);
        for (size_t i = 0; one && i < t->count; i++)
            cg_tensor_f32(t)[i] = 1;
        return t;
    }
    return draw(w, name, want);
}
