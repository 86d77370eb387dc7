/* probe: how fast this machine computes, measured on a layer like the U-Net's. */
#ifndef CG_PIPELINE_PROBE_H
#define CG_PIPELINE_PROBE_H

#include "engine/engine.h"

/* Operations per second (multiply and add counted as two) of a 3x3 convolution 320 -> 320 on 64x64
 * in DTYPE, measured for about SECONDS after a warm-up; 0 when the engine can't do it. */
double cg_probe_speed(CgEngine *engine, CgDType dtype, double seconds);

#endif
