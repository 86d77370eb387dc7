/* settings: how a model hub is reached, by the environment that huggingface_hub reads too.
 *
 *     HF_ENDPOINT         address of the hub
 *     HF_HUB_CACHE        folder of fetched models; else HF_HOME/hub, else
 *                         XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub
 *     HF_TOKEN            who asks, for models that not everybody may have; else the file
 *                         HF_TOKEN_PATH, else HF_HOME/token
 *     HF_HUB_OFFLINE=1    the network stays untouched
 */
#ifndef CG_HUB_SETTINGS_H
#define CG_HUB_SETTINGS_H

#include <glib.h>

/* Without a slash at the end. Free all of them with g_free. */
char *cg_hub_endpoint(void);
char *cg_hub_cache_folder(void);
/* NULL: none. */
char *cg_hub_token(void);
gboolean cg_hub_is_offline(void);

/* Whether TEXT can be a model's name on a hub: "runwayml/stable-diffusion-v1-5". */
gboolean cg_hub_is_id(const char *text);

#endif
