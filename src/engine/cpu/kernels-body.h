/* kernels-body: all kernels and their table, compiled once per instruction set. The including file
 * defines
 *
 *     KERNELS_NAME, KERNELS_SYMBOL
 */
#include "base/size.h"
#include "engine/cpu/move.h"
#include "engine/cpu/tables.h"

/* In this order: each uses those before it. */
#include "engine/cpu/norm-body.h"
/**/
#include "engine/cpu/norm-backward-body.h"
#include "engine/cpu/pointwise-body.h"
/**/
#include "engine/cpu/pointwise-backward-body.h"
#include "engine/cpu/resample-body.h"
#include "engine/cpu/weights-gradient-body.h"
#include "engine/cpu/winograd-body.h"
/**/
#include "engine/cpu/winograd-gradient-body.h"

const CgCpuKernels KERNELS_SYMBOL = {
    .name = KERNELS_NAME,
    .group_norm = group_norm,
    .layer_norm = layer_norm,
    .activate = activate,
    .geglu = geglu,
    .add = add,
    .add_channels = add_channels,
    .upsample_nearest = cg_cpu_upsample_nearest,
    .concat = cg_cpu_concat,
    .softmax = softmax,
    .cast = cast,
    .scale = scale,
    .batch_norm = batch_norm,
    .batch_norm_fixed = batch_norm_fixed,
    .batch_norm_backward = batch_norm_backward,
    .upsample_bilinear = upsample_bilinear,
    .upsample_bilinear_backward = upsample_bilinear_backward,
    .max_pool2d = max_pool2d,
    .max_pool2d_backward = max_pool2d_backward,
    .average_pool = average_pool,
    .average_pool_backward = average_pool_backward,
    .group_norm_backward = group_norm_backward,
    .layer_norm_backward = layer_norm_backward,
    .activate_backward = activate_backward,
    .geglu_backward = geglu_backward,
    .column_sums = column_sums,
    .add_channels_backward = add_channels_backward,
    .upsample_nearest_backward = upsample_nearest_backward,
    .split = cg_cpu_split,
    .softmax_backward = softmax_backward,
    .adamw = adamw,
    .square_sum = square_sum,
    .weights_gradient = weights_gradient,
    .winograd = winograd,
    .winograd_gradient = winograd_gradient,
};
