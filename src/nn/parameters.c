#include "nn/parameters.h"

/* More than this many would scroll the beginning, which is what matters, off the screen. */
#define MAX_PROBLEMS_SHOWN 20

void cg_parameter_count_visit(void *data, const char *name, const CgShape *shape)
{
    CgParameterCount *count = data;
    (void)name;
    count->count++;
    count->total += cg_shape_count(shape);
}

void cg_parameter_set_init(CgParameterSet *set, CgEngine *engine)
{
    *set = (CgParameterSet){.engine = engine,
                            .weights = g_ptr_array_new(),
                            .trained = g_ptr_array_new(),
                            .additions = g_ptr_array_new_with_free_func(g_free),
                            .tensors =
                                g_ptr_array_new_with_free_func((GDestroyNotify)cg_tensor_unref)};
}

void cg_parameter_set_clear(CgParameterSet *set)
{
    for (guint i = 0; set->weights && i < set->weights->len; i++)
        set->engine->ops->weight_free(set->engine, g_ptr_array_index(set->weights, i));
    g_clear_pointer(&set->weights, g_ptr_array_unref);
    g_clear_pointer(&set->trained, g_ptr_array_unref);
    g_clear_pointer(&set->additions, g_ptr_array_unref);
    g_clear_pointer(&set->tensors, g_ptr_array_unref);
}

void cg_parameter_set_changed(CgParameterSet *set)
{
    for (guint i = 0; i < set->trained->len; i++)
        set->engine->ops->weight_changed(set->engine, g_ptr_array_index(set->trained, i));
}

void cg_binder_init(CgBinder *b, CgParameterSet *set, const CgBuild *build)
{
    if (set)
        cg_parameter_set_init(set, build->engine);
    *b =
        (CgBinder){.set = set, .build = *build, .problems = g_ptr_array_new_with_free_func(g_free)};
}

void cg_binder_init_visit(CgBinder *b, CgParameterVisit visit, void *data)
{
    *b = (CgBinder){
        .visit = visit, .visit_data = data, .problems = g_ptr_array_new_with_free_func(g_free)};
}

gboolean cg_binder_finish(CgBinder *b, GError **error)
{
    g_autoptr(GPtrArray) problems = g_steal_pointer(&b->problems);
    if (b->build.lookup)
        b->build.lookup(b->build.source, NULL, NULL, problems);
    if (problems->len == 0)
        return TRUE;
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, "%s: the weights do not fit the configuration (%u problem%s)",
                           b->build.where, problems->len, problems->len == 1 ? "" : "s");
    for (guint i = 0; i < problems->len && i < MAX_PROBLEMS_SHOWN; i++)
        g_string_append_printf(text, "%s %s", i ? ";" : ":",
                               (const char *)g_ptr_array_index(problems, i));
    if (problems->len > MAX_PROBLEMS_SHOWN)
        g_string_append_printf(text, "; and %u more", problems->len - MAX_PROBLEMS_SHOWN);
    g_set_error_literal(error, CG_ERROR, CG_ERROR_SHAPE, text->str);
    return FALSE;
}

/* A new reference, or NULL in structure mode and after a problem. */
static CgTensor *lookup(CgBinder *b, const char *name, const CgShape *shape)
{
    if (b->visit)
        b->visit(b->visit_data, name, shape);
    if (!b->build.lookup)
        return NULL;
    CgTensor *t = b->build.lookup(b->build.source, name, shape, b->problems);
    if (t && b->set)
        b->set->count += t->count;
    return t;
}

static CgTensor *lookup_member(CgBinder *b, const char *prefix, const char *member, CgShape shape)
{
    g_autofree char *name = g_strconcat(prefix, ".", member, NULL);
    return lookup(b, name, &shape);
}

static gboolean is_leaf(const CgTensor *t)
{
    return t && cg_node_is_leaf(t->node);
}

void cg_packed_bytes_add(CgPackedBytes *to, const CgPackedBytes *from)
{
    to->count += from->count;
    to->fixed += from->fixed;
    to->largest = MAX(to->largest, from->largest);
    to->sources += from->sources;
}

/* IS_FIXED: not packed at each use; HAS_BACKWARD: which is. */
static void count_packed(CgBinder *b, const CgTensor *w, gboolean is_fixed, gboolean has_backward)
{
    CgPackedBytes *packed = &b->set->packed;
    const guint64 bytes = w->count * cg_dtype_size(b->build.dtype);
    packed->count++;
    if (is_fixed)
        packed->fixed += bytes;
    if (!is_fixed || has_backward)
        packed->largest = MAX(packed->largest, bytes);
}

/* The kernel of W and BIAS (nullable), each a leaf of the store where it is trained. */
static CgKernel new_kernel(CgBinder *b, const CgConvGeometry *g, CgTensor *w, CgTensor *bias)
{
    CgEngine *e = b->set->engine;
    CgKernel kernel = {.packed = e->ops->weight_new(e, g, b->build.dtype, w, bias)};
    kernel.w = is_leaf(w) ? w : NULL;
    kernel.bias = is_leaf(bias) ? bias : NULL;
    const gboolean is_fixed = !kernel.w && !kernel.bias && !b->build.unpacked;
    const gboolean has_backward = b->build.differentiable || b->build.store;
    if (!is_fixed)
        e->ops->weight_keep(e, kernel.packed);
    else if (has_backward)
        e->ops->weight_differentiate(e, kernel.packed);
    count_packed(b, w, is_fixed, has_backward);
    g_ptr_array_add(b->set->weights, kernel.packed);
    if (kernel.w || kernel.bias)
        g_ptr_array_add(b->set->trained, kernel.packed);
    return kernel;
}

/* Whether PREFIX.MEMBER goes into the store. */
static gboolean is_trained(const CgBinder *b, const char *prefix, const char *member)
{
    g_autofree char *name = g_strconcat(prefix, ".", member, NULL);
    return b->build.store && (!b->build.trains || b->build.trains(name));
}

/* COUNT parameters PREFIX.MEMBER below each other in the store. */
static CgTensor *train_stack(CgBinder *b, const char *const *prefixes, const char *member,
                             CgTensor *const *parts, int count, CgShape shape)
{
    char *names[CG_MAX_STACK];
    g_assert(count >= 1 && count <= CG_MAX_STACK);
    for (int i = 0; i < count; i++)
        names[i] = g_strconcat(prefixes[i], ".", member, NULL);
    CgTensor *leaf = cg_store_add(b->build.store, (const char *const *)names, parts, count, shape);
    for (int i = 0; i < count; i++)
        g_free(names[i]);
    return leaf;
}

/* The vector PREFIX.MEMBER as f32, owned by the set or a leaf of the store. */
static CgTensor *keep_vector(CgBinder *b, const char *prefix, const char *member, CgTensor *t)
{
    if (is_trained(b, prefix, member))
        return train_stack(b, &prefix, member, &t, 1, t->shape);
    CgTensor *copy = cg_tensor_copy(t, CG_F32);
    g_ptr_array_add(b->set->tensors, copy);
    return copy;
}

/* The same for what no gradient changes. */
static CgTensor *keep_buffer(CgBinder *b, const char *prefix, const char *member, CgTensor *t)
{
    if (!is_trained(b, prefix, member))
        return keep_vector(b, prefix, member, t);
    g_autofree char *name = g_strconcat(prefix, ".", member, NULL);
    return cg_store_add_buffer(b->build.store, name, t);
}

void cg_bind_linear(CgBinder *b, CgLinear *layer, const char *prefix, int in, int out,
                    gboolean bias)
{
    cg_bind_linear_stack(b, layer, &prefix, 1, in, out, bias);
}

/* PARTS below each other, in the first one's type; a single part needs no copy. In the store when
 * they are trained. */
static CgTensor *stack_parts(CgBinder *b, const char *const *prefixes, const char *member,
                             CgTensor *const *parts, int count, CgShape shape)
{
    if (is_trained(b, prefixes[0], member))
        return cg_tensor_ref(train_stack(b, prefixes, member, parts, count, shape));
    if (count == 1)
        return cg_tensor_ref(parts[0]);
    const CgDType dtype = parts[0]->dtype;
    CgTensor *all = cg_tensor_new(dtype, shape);
    char *to = all->data;
    if (b->build.unpacked)
        b->set->packed.sources += cg_tensor_bytes(all);
    for (int i = 0; i < count; i++) {
        cg_dtype_convert(parts[i]->data, parts[i]->dtype, to, dtype, parts[i]->count);
        to += parts[i]->count * cg_dtype_size(dtype);
    }
    return all;
}

/* A new matrix [OUT, IN] of the store that begins with INITIAL, which is taken. */
static CgKernel low_rank_kernel(CgBinder *b, const char *name, CgTensor *initial, int in, int out)
{
    g_autoptr(CgTensor) owned = initial;
    const CgConvGeometry g = {.c_in = in, .c_out = out, .kernel_h = 1, .kernel_w = 1, .stride = 1};
    return new_kernel(b, &g, cg_store_add(b->build.store, &name, &owned, 1, owned->shape), NULL);
}

/* The addition to a stack whose parts have OUT outputs each. */
static CgLowRank *bind_addition(CgBinder *b, const char *const *prefixes, int count, int in,
                                int out)
{
    const CgLora *lora = &b->build.lora;
    CgLowRank *a = g_new0(CgLowRank, 1);
    *a = (CgLowRank){.count = count, .rank = lora->rank, .scale = cg_lora_scale(lora)};
    for (int i = 0; i < count; i++) {
        g_autofree char *down = cg_lora_name(prefixes[i], 'A');
        g_autofree char *up = cg_lora_name(prefixes[i], 'B');
        a->down[i] = low_rank_kernel(b, down, cg_lora_initial_a(lora, down, in), in, lora->rank);
        a->up[i] = low_rank_kernel(b, up, cg_tensor_zeros(CG_F32, CG_SHAPE(out, lora->rank)),
                                   lora->rank, out);
    }
    g_ptr_array_add(b->set->additions, a);
    return a;
}

/* SHAPE is that of one matrix in the file. */
static void bind_stack(CgBinder *b, CgLinear *layer, const char *const *prefixes, int count, int in,
                       int out, CgShape shape, gboolean bias)
{
    g_autoptr(GPtrArray) held = g_ptr_array_new_with_free_func((GDestroyNotify)cg_tensor_unref);
    CgTensor *ws[CG_MAX_STACK], *biases[CG_MAX_STACK];
    gboolean complete = b->set != NULL;
    g_assert(count <= CG_MAX_STACK);
    *layer = (CgLinear){.in = in, .out = count * out};
    for (int i = 0; i < count; i++) {
        ws[i] = lookup_member(b, prefixes[i], "weight", shape);
        biases[i] = bias ? lookup_member(b, prefixes[i], "bias", CG_SHAPE(out)) : NULL;
        complete = complete && ws[i] && (biases[i] || !bias);
        if (ws[i])
            g_ptr_array_add(held, ws[i]);
        if (biases[i])
            g_ptr_array_add(held, biases[i]);
    }
    if (!complete)
        return;
    const CgConvGeometry g = {
        .c_in = in, .c_out = count * out, .kernel_h = 1, .kernel_w = 1, .stride = 1};
    g_autoptr(CgTensor) w =
        stack_parts(b, prefixes, "weight", ws, count, CG_SHAPE(count * out, in));
    g_autoptr(CgTensor) vector =
        bias ? stack_parts(b, prefixes, "bias", biases, count, CG_SHAPE(count * out)) : NULL;
    layer->kernel = new_kernel(b, &g, w, vector);
    if (b->build.store && cg_lora_targets(&b->build.lora, prefixes[0]))
        layer->addition = bind_addition(b, prefixes, count, in, out);
}

void cg_bind_linear_stack(CgBinder *b, CgLinear *layer, const char *const *prefixes, int count,
                          int in, int out, gboolean bias)
{
    bind_stack(b, layer, prefixes, count, in, out, CG_SHAPE(out, in), bias);
}

void cg_bind_pointwise(CgBinder *b, CgLinear *layer, const char *prefix, int in, int out,
                       gboolean bias)
{
    bind_stack(b, layer, &prefix, 1, in, out, CG_SHAPE(out, in, 1, 1), bias);
}

void cg_bind_conv(CgBinder *b, CgConv *layer, const char *prefix, int c_in, int c_out, int k,
                  int stride, int pad, gboolean bias)
{
    const CgConvGeometry g = {.c_in = c_in,
                              .c_out = c_out,
                              .kernel_h = k,
                              .kernel_w = k,
                              .stride = stride,
                              .pad_top = pad,
                              .pad_bottom = pad,
                              .pad_left = pad,
                              .pad_right = pad};
    cg_bind_conv_geometry(b, layer, prefix, &g, bias);
}

void cg_bind_conv_geometry(CgBinder *b, CgConv *layer, const char *prefix, const CgConvGeometry *g,
                           gboolean bias)
{
    *layer = (CgConv){.geometry = *g};
    g_autoptr(CgTensor) w =
        lookup_member(b, prefix, "weight", CG_SHAPE(g->c_out, g->c_in, g->kernel_h, g->kernel_w));
    g_autoptr(CgTensor) vector = bias ? lookup_member(b, prefix, "bias", CG_SHAPE(g->c_out)) : NULL;
    if (!b->set || !w || (bias && !vector))
        return;
    if (is_trained(b, prefix, "weight"))
        CG_SET(w, cg_tensor_ref(train_stack(b, &prefix, "weight", &w, 1, w->shape)));
    if (bias)
        layer->bias = keep_vector(b, prefix, "bias", vector);
    layer->kernel = new_kernel(b, g, w, layer->bias);
}

void cg_bind_norm(CgBinder *b, CgNorm *layer, const char *prefix, int c)
{
    *layer = (CgNorm){0};
    g_autoptr(CgTensor) gamma = lookup_member(b, prefix, "weight", CG_SHAPE(c));
    g_autoptr(CgTensor) beta = lookup_member(b, prefix, "bias", CG_SHAPE(c));
    if (!b->set || !gamma || !beta)
        return;
    layer->gamma = keep_vector(b, prefix, "weight", gamma);
    layer->beta = keep_vector(b, prefix, "bias", beta);
}

void cg_bind_batch_norm(CgBinder *b, CgBatchNorm *layer, const char *prefix, int c)
{
    CgNorm norm;
    *layer = (CgBatchNorm){0};
    cg_bind_norm(b, &norm, prefix, c);
    g_autoptr(CgTensor) mean = lookup_member(b, prefix, "running_mean", CG_SHAPE(c));
    g_autoptr(CgTensor) variance = lookup_member(b, prefix, "running_var", CG_SHAPE(c));
    if (!norm.gamma || !mean || !variance)
        return;
    *layer = (CgBatchNorm){.gamma = norm.gamma,
                           .beta = norm.beta,
                           .mean = keep_buffer(b, prefix, "running_mean", mean),
                           .variance = keep_buffer(b, prefix, "running_var", variance)};
}

CgTensor *cg_bind_tensor(CgBinder *b, const char *name, CgShape shape)
{
    CgTensor *t = lookup(b, name, &shape);
    if (!t || !b->set) {
        g_clear_pointer(&t, cg_tensor_unref);
        return NULL;
    }
    g_ptr_array_add(b->set->tensors, t);
    const gboolean trained = b->build.store && (!b->build.trains || b->build.trains(name));
    return trained ? cg_store_add(b->build.store, &name, &t, 1, shape) : t;
}
