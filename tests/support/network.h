/* network: what a network with batch norms is tested with: an engine, pseudo weights with running
 * statistics and, to train it, a store and a tape.
 *
 *     TestNetwork n;
 *     test_network_init(&n, "draem", "draem", 2, cg_engine_cpu_new, TRUE);
 *     CgDraem *model = cg_draem_new(&n.build, &config, &error);
 *     ...
 *     cg_draem_free(model);
 *     test_network_clear(&n);
 */
#ifndef TESTS_SUPPORT_NETWORK_H
#define TESTS_SUPPORT_NETWORK_H

#include "autograd/store.h"
#include "autograd/tape.h"
#include "nn/parameters.h"
#include "tensor/safetensors.h"

typedef struct {
    CgSafetensors *expected; /* tests/fixtures/models/FIXTURE.safetensors */
    CgEngine *engine;
    CgStore *store; /* NULL: evaluation */
    CgTape *tape;   /* the context's; likewise */
    CgContext cx;
    CgBuild build; /* what to make the model of */
    /* of the weights: */
    const char *name;
    double shift;
    gboolean after_norm;
} TestNetwork;

/* Weights are pseudo.h's, "NAME/<parameter>", the shifts of norms SHIFT above its rule; running
 * statistics are a new model's when it TRAINS, and the fixture's otherwise. N must stay where it is
 * while the model is made. */
void test_network_init(TestNetwork *n, const char *fixture, const char *name, double shift,
                       CgEngine *(*engine_new)(void), gboolean trains);
/* After the model is gone. */
void test_network_clear(TestNetwork *n);

/* LOSS's gradients, into the store; aborts the test where anything went wrong until then. */
void test_network_backward(TestNetwork *n, CgTensor *loss);

/* Aborts the test unless PARAMETER's numbers in BLOCK are the vector of which the fixture's KEY
 * holds norm and projections (fixture.h), up to ZERO + LIMIT of that norm. */
void test_network_assert(const TestNetwork *n, const char *key, const CgParameter *parameter,
                         const CgTensor *block, double limit, double zero);

/* Mean and standard deviation of T's numbers. */
void test_moments(const CgTensor *t, double *mean, double *deviation);

#endif
