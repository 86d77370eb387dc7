/* onednn-private: what the onednn files share. */
#ifndef CG_ENGINE_CPU_ONEDNN_PRIVATE_H
#define CG_ENGINE_CPU_ONEDNN_PRIVATE_H

#include "engine/cpu/onednn-compat.h"
#include "engine/cpu/onednn.h"

struct CgOnednn {
    dnnl_engine_t engine;
    GPtrArray *streams; /* one for each thread that runs primitives of its own */
    CgPool *pool;
    size_t weight_bytes;
    /* What weights are packed into that are packed anew whenever they are used. */
    void *shared;
    size_t shared_size;
    struct Packing *shared_by; /* whose weights are there now; NULL: nobody's */
};

/* The weights in one of the library's layouts. */
typedef struct Packing {
    struct Packing *next;
    DnnMd md;
    void *data; /* NULL: the shared memory has other weights now */
    size_t size;
    gboolean is_shared;
    gboolean stale; /* the source has other numbers now */
} Packing;

/* What a plan was made for. A linear layer is one row of all its tokens: n = h = 1. */
typedef struct {
    int64_t n, h, w;
    CgActivation act;
    gboolean sum; /* adds to what y holds */
    int threads;  /* the library fixes its split of the work when it plans */
} PlanKey;

/* A primitive: the whole of a convolution, or one kind of slab. */
typedef struct {
    int64_t n, x_rows, y_rows;
    int pad_top, pad_bottom;
    dnnl_primitive_t primitive;
    Packing *packing;
    size_t scratch_size;
} Part;

/* Some output rows of each image. */
typedef struct {
    guint part;
    int64_t x_row, y_row; /* the first */
} Slab;

/* Either the library splits one primitive's work between the threads, or (sliced) each slab of each
 * image is a one-thread primitive and we do. */
typedef struct Plan {
    struct Plan *next;
    PlanKey key;
    int64_t y_rows, y_width;
    GArray *parts; /* of Part */
    GArray *slabs; /* of Slab, in order of rows; NULL: not sliced, one part */
    char name[48];
} Plan;

typedef enum {
    FORM_PLAIN,
    FORM_TURNED,  /* channels exchanged, the kernel turned by 180 degrees: dy to dx at stride 1 */
    FORM_COLUMNS, /* a 1x1 kernel from c_out channels to c_in of each kernel position, the latter
                     padded: dy to what each position adds to dx */
} Form;

struct CgWeight {
    CgConvGeometry g;
    CgDType dtype;
    CgTensor *source, *bias_source; /* until packed, or kept */
    gboolean keep;                  /* packed anew at each use */
    gboolean differentiable;        /* the packings are what the backward is made from */
    Form form;                      /* how the source becomes the weights */
    CgConvGeometry file;            /* the source's */
    float *bias;                    /* [c_out], zeros without a bias */
    gboolean bias_stale;
    Packing *packings;
    Plan *plans;               /* the last used first */
    struct CgWeight *backward; /* for the gradient by the input, made when asked for */
    struct CgWeight *forward;  /* of a backward: what it is packed from; it has no source */
};

/* Channels of one kernel position in FORM_COLUMNS, a multiple of every block of the library's. */
static inline int cg_onednn_column_channels(const CgConvGeometry *file)
{
    return (file->c_in + 15) / 16 * 16;
}

static inline dnnl_data_type_t cg_onednn_type(CgDType dtype)
{
    return dtype == CG_BF16 ? dnnl_bf16 : dnnl_f32;
}

static inline int64_t cg_onednn_size_after(int64_t size, int kernel, int stride, int pad)
{
    return (size + pad - kernel) / stride + 1;
}

/* The weights in layout MD; the source is let go unless kept. To be prepared before it is read.
 * NULL with *STATUS what the library said, or dnnl_out_of_memory. */
Packing *cg_onednn_packing_get(CgOnednn *d, CgWeight *w, DnnMdRef md, dnnl_status_t *status);
/* P's data are W's numbers of now, until another packing is prepared. */
dnnl_status_t cg_onednn_packing_prepare(CgOnednn *d, const CgWeight *w, Packing *p);
void cg_onednn_packing_free(CgOnednn *d, Packing *p);
void cg_onednn_shared_free(CgOnednn *d);

/* Copies to DATA in layout MD, in W's form and type. FALSE when a layout is one that only the
 * library knows (onednn-copy.c). */
gboolean cg_onednn_copy_file(const CgWeight *w, const CgTensor *source, DnnMdRef md, void *data);
/* The same from SOURCE in layout FROM of the plain form. */
gboolean cg_onednn_copy_packed(const CgWeight *w, DnnMdRef from, const void *source, DnnMdRef md,
                               void *data);
/* Such to the file's layout. */
gboolean cg_onednn_unpack(const CgWeight *w, DnnMdRef from, const void *source, void *data);

/* The plan for KEY, made when there is none, moved to the front of the weight's list. */
Plan *cg_onednn_plan_get(CgOnednn *d, CgWeight *w, const PlanKey *key, GError **error);
void cg_onednn_plan_free(Plan *p);
/* W's bias from its source, when that has not been done or is stale. */
void cg_onednn_bias_load(CgWeight *w);
gboolean cg_onednn_has_amx(void);
gboolean cg_onednn_has_avx512(void);
/* Made when it is not there yet: not among threads. */
dnnl_stream_t cg_onednn_stream(CgOnednn *d, int thread);
/* CG_ERROR_ENGINE or CG_ERROR_MEMORY: what the library said of W on KEY's input. */
void cg_onednn_fail(const CgWeight *w, const PlanKey *key, dnnl_status_t status, GError **error);

#endif
