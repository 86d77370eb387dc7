/* fixture: stored inputs and outputs of the reference implementation, and models with pseudo
 * weights to compare with them. */
#ifndef TESTS_SUPPORT_FIXTURE_H
#define TESTS_SUPPORT_FIXTURE_H

#include "nn/parameters.h"
#include "tensor/safetensors.h"

/* Path below tests/fixtures; free with g_free. */
char *test_fixture_path(const char *name);
/* tests/fixtures/models/NAME.safetensors; aborts the test when it can't be read. */
CgSafetensors *test_fixture_open(const char *name);
/* The tensor KEY as f32 (or as it is for integers), in its own order; aborts when absent. */
CgTensor *test_fixture_tensor(CgSafetensors *file, const char *key);
/* The same, from [n, c, h, w] to [n, h, w, c]. */
CgTensor *test_fixture_image(CgSafetensors *file, const char *key);
/* ||a - b|| / ||b||; infinite when the shapes differ or A has a NaN. */
double test_relative_error(const CgTensor *a, const CgTensor *b);
/* Aborts the test unless the relative error is at most LIMIT. */
void test_assert_close(const char *what, const CgTensor *a, const CgTensor *b, double limit);

/* ||a - b|| of the vector A called NAME [COUNT] and one that only PROJECTED [8] is known of: its
 * products with the vectors of pseudo.h's rule called "projection/<k>/<name>". An estimate, in
 * which errors of layout cannot hide. */
double test_projected_distance(const char *name, const float *a, size_t count,
                               const float *projected);

/* A CgParameterLookup; SOURCE is the component's name ("unet"). */
CgTensor *test_pseudo_lookup(void *source, const char *name, const CgShape *want,
                             GPtrArray *problems);

/* Folder of real test images, or NULL after skipping the running test with the reason. */
const char *test_data_or_skip(void);

/* A frozen model of COMPONENT's pseudo weights. */
#define TEST_PSEUDO_BUILD(e, type, component)                                                      \
    (&(CgBuild){.engine = (e),                                                                     \
                .dtype = (type),                                                                   \
                .lookup = test_pseudo_lookup,                                                      \
                .source = (void *)(uintptr_t)(component),                                          \
                .where = (component)})

#endif
