/* winograd: 3x3 convolutions of stride 1 in f32 with a quarter of the multiplications.
 *
 * F(4x4, 3x3) of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015): a tile
 * of 4x4 outputs comes from 6x6 inputs d and the kernel g as
 *
 *     y = A^T [(G g G^T) * (B^T d B)] A,
 *
 * the product in the middle being element by element, so that over channels it is 36 matrix
 * products for 16 outputs where the convolution has 144. The polynomials are taken at 0, +-2/3,
 * +-3/2 and infinity: with the usual 0, +-1, +-2 rounding errors are more than twice as large
 * (relative to the output 2.3e-6 against 1.0e-6 at 128 channels; summed directly 2.2e-7).
 *
 * The gradient by the input is the same with the kernel turned; that by the weights is the adjoint,
 * dg = G^T [sum over tiles of (B^T d B) * (A dy A^T)] G.
 *
 * Which convolutions go this way follows from the shape of one image and of the weights alone;
 * the gradient by the weights, a sum over images, asks for their number too.
 */
#ifndef CG_ENGINE_CPU_WINOGRAD_H
#define CG_ENGINE_CPU_WINOGRAD_H

#include "engine/cpu/kernels.h"

/* TRUE: weights of G in DTYPE have sizes of images at which cg_winograd_takes them. */
gboolean cg_winograd_fits(const CgConvGeometry *g, CgDType dtype);
/* TRUE: with them the convolution of C_IN channels to TO_H x TO_W pixels, forward or turned (dy to
 * dx), is faster this way. */
gboolean cg_winograd_takes(const CgConvGeometry *g, CgDType dtype, int c_in, int64_t to_h,
                           int64_t to_w);
/* TRUE: so is the gradient by the weights, of N images. */
gboolean cg_winograd_takes_gradient(const CgConvGeometry *g, CgDType dtype, int64_t n, int64_t to_h,
                                    int64_t to_w);

#endif
