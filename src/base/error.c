#include "base/error.h"

GQuark cg_error_quark(void)
{
    return g_quark_from_static_string("cagen-error-quark");
}

int cg_error_exit_code(const GError *error)
{
    if (g_error_matches(error, CG_ERROR, CG_ERROR_USAGE))
        return 2;
    if (g_error_matches(error, CG_ERROR, CG_ERROR_CANCELLED))
        return 130;
    return 1;
}
