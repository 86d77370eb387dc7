/* loss-private: how a loss is recorded. */
#ifndef CG_OPS_LOSS_PRIVATE_H
#define CG_OPS_LOSS_PRIVATE_H

#include "ops/loss.h"

/* A loss under construction: its value and, where X is a variable, the gradient of X, which is made
 * with the value. */
typedef struct {
    CgContext *cx;
    CgTensor *x;
    CgTensor *value, *gradient;
    double begin;
} CgLoss;

CgLoss cg_loss_begin(CgContext *cx, CgTensor *x);
/* Records and returns the value; FLOPS per element of X. */
CgTensor *cg_loss_end(const CgLoss *loss, double flops);
/* Where the gradient goes; NULL: none is wanted. */
float *cg_loss_gradient(const CgLoss *loss);
/* Aborts unless TARGET is a constant like Y. */
void cg_loss_check_pair(const char *what, const CgTensor *y, const CgTensor *target);

#endif
