/* default_model: the small model that comes with the program, for those who name none. */
#ifndef CG_PIPELINE_DEFAULT_MODEL_H
#define CG_PIPELINE_DEFAULT_MODEL_H

#include <glib.h>

/* The folder that CAGEN_MODEL names; else models/mini of the installation (PREFIX/share/cagen), or
 * of the source tree when the program runs out of its build folder. NULL with CG_ERROR_USAGE when
 * there is none. Free with g_free. */
char *cg_default_model(GError **error);

/* MODEL/controlnet, where a diffusers pipeline with a ControlNet keeps it; NULL when MODEL has
 * none. Free with g_free. */
char *cg_model_own_controlnet(const char *model);

#endif
