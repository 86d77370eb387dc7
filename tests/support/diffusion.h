/* diffusion: samplers driven by a stand-in for the network; see
 * tests/oracle/make_sampler_fixture.py.
 */
#ifndef TESTS_SUPPORT_DIFFUSION_H
#define TESTS_SUPPORT_DIFFUSION_H

#include "diffusion/sampler.h"
#include "tensor/safetensors.h"

/* tests/fixtures/diffusion/NAME; aborts the test when it can't be read. */
CgSafetensors *test_diffusion_fixture(const char *name);
/* The sampler NAME ("euler-karras"); aborts the test when there is none. */
CgSampler *test_sampler(const CgNoiseSchedule *schedule, const char *name, int steps,
                        CgSpacing spacing, double eta);
/* |value - expected| <= relative * |expected| */
void test_assert_near(double value, double expected, double relative);

typedef struct {
    CgTensor *x_T;   /* [n, h, w, 4] */
    CgTensor *noise; /* [steps, the same] */
    CgTensor *z_i;   /* [n, h, w, 4] and */
    CgTensor *mask;  /* [n, h, w], only to mix with after every step */
} TestStates;

/* The state after the last step from IN->x_T times the sampler's init sigma, with the network
 * 0.6 * x + 0.3 * sin(0.01 * t) + 0.1 * cos(1.3 * x of the next channel). */
CgTensor *test_sampler_run(CgSampler *sampler, const TestStates *in, gboolean fuse);

#endif
