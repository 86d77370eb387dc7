/* radix-private: the one sort that ranking needs. */
#ifndef CG_METRICS_RADIX_PRIVATE_H
#define CG_METRICS_RADIX_PRIVATE_H

#include <glib.h>

/* Sorts ITEMS by their upper 32 bits, ascending; equal ones keep their order. Least significant
 * digit first, on all threads; the result does not depend on their number. SCRATCH: as many items.
 * Returns where the result is, one of the two. */
guint64 *cg_radix_sort(guint64 *items, guint64 *scratch, size_t count);

#endif
