/* error: the one error domain of the library.
 *
 * Whatever depends on files, users or the machine fails through a GError of this domain. The
 * message names the thing, what is wrong with it, and what to do:
 *
 *     g_set_error(error, CG_ERROR, CG_ERROR_SHAPE, "%s: mask is %dx%d, but ...", path, w, h);
 *
 * Callers add context in front with g_prefix_error.
 */
#ifndef CG_BASE_ERROR_H
#define CG_BASE_ERROR_H

#include <glib.h>

#define CG_ERROR (cg_error_quark())

typedef enum {
    CG_ERROR_USAGE,       /* options or arguments that make no sense */
    CG_ERROR_IO,          /* the operating system refused: open, read, write, map */
    CG_ERROR_FORMAT,      /* a file is corrupt, truncated or of another kind */
    CG_ERROR_MISSING,     /* a file, a tensor or a key is not there */
    CG_ERROR_SHAPE,       /* sizes do not fit together */
    CG_ERROR_UNSUPPORTED, /* valid, but not something we do */
    CG_ERROR_MEMORY,      /* not enough memory */
    CG_ERROR_NUMERIC,     /* NaN or infinity where numbers should be */
    CG_ERROR_ENGINE,      /* a compute library failed */
    CG_ERROR_CANCELLED,   /* the user asked to stop */
} CgErrorCode;

GQuark cg_error_quark(void);

/* The exit code of the program for ERROR: 2 for usage, 130 for cancelled, otherwise 1. */
int cg_error_exit_code(const GError *error);

#endif
