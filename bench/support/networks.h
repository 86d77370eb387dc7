/* networks: the parts of a model that take the time, ready to be run again and again.
 *
 * Inputs are random with a fixed seed. What the program computes once per prompt or image (keys and
 * values of the text, the control image's embedding) is prepared beforehand.
 */
#ifndef BENCH_SUPPORT_NETWORKS_H
#define BENCH_SUPPORT_NETWORKS_H

#include "pipeline/model.h"

typedef enum {
    BENCH_STEP,       /* guided, with ControlNet: both networks on prompt and negative prompt */
    BENCH_UNET,       /* one forward, no guidance, no control */
    BENCH_CONTROLNET, /* one forward; the control image is embedded already */
    BENCH_ENCODE,     /* picture to latent */
    BENCH_DECODE,     /* latent to picture */
    BENCH_TEXT,       /* prompt and negative prompt */
    BENCH_CONTROL,    /* the control image's embedding and the text's keys and values: once */
    BENCH_PARTS
} BenchPart;

const char *bench_part_name(BenchPart part);
const char *bench_part_describe(BenchPart part);
/* By name; BENCH_PARTS when there is none. */
BenchPart bench_part_find(const char *name);

typedef struct BenchNetworks BenchNetworks;

/* For pictures of SIZE x SIZE (a multiple of 64), BATCH at once. CX and MODEL are borrowed. */
BenchNetworks *bench_networks_new(CgContext *cx, const CgModel *model, int size, int batch);
void bench_networks_free(BenchNetworks *n);
/* FALSE when the model has no such part. */
gboolean bench_networks_has(const BenchNetworks *n, BenchPart part);
/* Computes what PART needs and a real run has already. */
gboolean bench_networks_prepare(BenchNetworks *n, BenchPart part, GError **error);
/* Runs PART once, prepared. */
gboolean bench_networks_run(BenchNetworks *n, BenchPart part, GError **error);
/* Operations of PART by kind, counted on an engine that computes nothing. PART has run before. */
CgProfile bench_networks_count(BenchNetworks *n, BenchPart part);

#endif
