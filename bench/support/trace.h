/* trace: an engine that passes every call on to another one and keeps time per kind and shape.
 *
 * A model opened on it computes the same as on the inner engine; bench_trace_print then says which
 * layers the time went to, and how far each is from what the machine can do. Times are those of
 * bench_clock (support/peak.h).
 */
#ifndef BENCH_SUPPORT_TRACE_H
#define BENCH_SUPPORT_TRACE_H

#include "engine/engine.h"

/* INNER is borrowed and must live longer. */
CgEngine *bench_trace_new(CgEngine *inner);
void bench_trace_reset(CgEngine *trace);
/* A table of all different calls since the reset, the longest in total first, at most LINES of
 * them. PEAK: operations per second that bound arithmetic. */
void bench_trace_print(const CgEngine *trace, double peak, int lines);

#endif
