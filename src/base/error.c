#include "base/error.h"

G_DEFINE_QUARK(cagen - error - quark, cg_error)

int cg_error_exit_code(const GError *error)
{
    if (g_error_matches(error, CG_ERROR, CG_ERROR_USAGE))
        return 2;
    if (g_error_matches(error, CG_ERROR, CG_ERROR_CANCELLED))
        return 130;
    return 1;
}
