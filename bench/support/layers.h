/* layers: the rates that single convolutions and linear layers reach, as the U-Net and the VAE have
 * them: what the compute library can do with nothing around it.
 */
#ifndef BENCH_SUPPORT_LAYERS_H
#define BENCH_SUPPORT_LAYERS_H

#include "engine/engine.h"

#define BENCH_LAYERS 7

typedef struct {
    const char *what;
    double rate; /* operations per second, multiply and add counted as two; 0: not possible */
} BenchLayer;

/* Measures each layer in DTYPE for about SECONDS; the best of the runs counts. Returns the highest
 * rate. */
double bench_layers_measure(CgEngine *engine, CgDType dtype, double seconds,
                            BenchLayer layers[BENCH_LAYERS]);

#endif
