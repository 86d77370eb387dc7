/* components: the separate defects of a mask. */
#ifndef CG_METRICS_COMPONENTS_H
#define CG_METRICS_COMPONENTS_H

#include <glib.h>

/* LABELS [height, width]: 0 where MASK [height, width] is 0, elsewhere the number of the component,
 * from 1 in the order of their first pixels. Pixels that touch, diagonally too, are one component
 * (8-connected, as MVTec AD's evaluation and anomalib have it). Returns how many there are. */
guint32 cg_components(const guint8 *mask, int width, int height, guint32 *labels);

#endif
