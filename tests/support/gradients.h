/* gradients: of a whole model, against those that the reference has stored.
 *
 * Of each parameter the norm of its gradient and the products with eight pseudo-random vectors are
 * stored (tests/oracle/make_training_fixture.py), from which ||difference|| / ||gradient|| is
 * estimated: layout errors cannot hide in it, and megabytes of gradients need not be stored. */
#ifndef TESTS_SUPPORT_GRADIENTS_H
#define TESTS_SUPPORT_GRADIENTS_H

#include "autograd/store.h"
#include "tensor/safetensors.h"

/* Aborts the test unless each of the store's gradients differs from "FIXTURE_CASE/<name>" of FILE
 * by at most 1e-3 of its norm, and all but one in twenty by at most 1e-4. ZERO: the norm of what is
 * only rounding, where the gradient is zero. */
void test_assert_gradients(const CgStore *store, CgSafetensors *file, const char *fixture_case,
                           double zero);

#endif
