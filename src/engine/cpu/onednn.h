/* onednn: convolution and linear layers of the CPU engine, on oneDNN's C API (2.6 and 3.x).
 *
 * A weight is packed at its first use: a primitive is planned for the input's shape with the
 * weights' layout left to the library, the file's weights are reordered into that layout in the
 * compute type, and the source tensor is let go, unless winograd.h may take the weight at other
 * sizes. Plans are kept in the weight by input shape,
 * epilogue and thread count; a call that finds its plan only executes it.
 *
 * What is kept, and every backward, is packed anew for each use, into memory that all of them
 * share: a training step uses each weight once or twice and changes it, and a copy of every weight
 * for both directions would be as much memory again as the optimizer has.
 *
 * Results are the same bytes for any number of threads. That is why a linear layer is planned as a
 * 1x1 convolution: it is as fast as the library's inner product and matmul, and those two split
 * the sum over inputs between threads when rows are few.
 */
#ifndef CG_ENGINE_CPU_ONEDNN_H
#define CG_ENGINE_CPU_ONEDNN_H

#include "engine/engine.h"
#include "engine/pool.h"

typedef struct CgOnednn CgOnednn;

/* Takes its scratch memory from POOL (borrowed, must live longer). Aborts only when the library
 * cannot even start. CAGEN_MAX_ISA (base/system.h) limits the library too. */
CgOnednn *cg_onednn_new(CgPool *pool);
void cg_onednn_free(CgOnednn *d);

/* As CgEngineOps.weight_new and weight_free say. */
CgWeight *cg_onednn_weight_new(const CgConvGeometry *g, CgDType dtype, CgTensor *w, CgTensor *bias);
void cg_onednn_weight_free(CgOnednn *d, CgWeight *w);
void cg_onednn_weight_keep(CgWeight *w);
void cg_onednn_weight_differentiate(CgWeight *w);
void cg_onednn_weight_changed(CgWeight *w);

/* As CgEngineOps.conv2d and linear say. CG_ERROR_ENGINE when the library has no implementation for
 * the type on this processor; CG_ERROR_MEMORY when the packed weights do not fit. */
gboolean cg_onednn_conv2d(CgOnednn *d, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                          CgTensor *y, GError **error);
gboolean cg_onednn_linear(CgOnednn *d, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                          CgTensor *y, GError **error);

/* As CgEngineOps.conv2d_backward_data and linear_backward_data say (onednn-backward.c). */
gboolean cg_onednn_conv2d_backward_data(CgOnednn *d, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                        GError **error);
gboolean cg_onednn_linear_backward_data(CgOnednn *d, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                        GError **error);
/* The shapes and types of a call of conv2d; a mistake aborts. EP may be NULL. */
void cg_onednn_check_conv2d(const CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                            const CgTensor *y);
const CgConvGeometry *cg_onednn_geometry(const CgWeight *w);
CgDType cg_onednn_dtype(const CgWeight *w);
/* The tensor that W was made of, borrowed: of weights that were kept, or that winograd.h may take.
 */
const CgTensor *cg_onednn_source(const CgWeight *w);
/* [c_out], zeros without one; valid until the weight changes. */
const float *cg_onednn_bias(CgWeight *w);

/* "oneDNN 2.6.3"; "AVX-512 with bf16", the instructions that the library will use. */
void cg_onednn_describe(char library[64], char isa[64]);
/* TRUE when the instructions that the library will use multiply bf16 faster than f32. */
gboolean cg_onednn_prefers_bf16(void);
/* Bytes of packed weights alive. */
size_t cg_onednn_weight_bytes(const CgOnednn *d);
/* The library's name for what the weight's last call ran ("brgconv:avx512_core"); NULL before. */
const char *cg_onednn_implementation(const CgWeight *w);

#endif
