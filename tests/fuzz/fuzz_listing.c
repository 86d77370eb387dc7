/* A hub's list of files, and the choice among them: nothing gets a path that leads elsewhere. */
#include "base/log.h"
#include "hub/listing.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const CgHubSelection selections[] = {{0}, {.only = "unet,vae"}, {.variant = "fp16"}};
    g_autofree char *text = g_malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    g_autoptr(CgHubListing) listing = cg_hub_listing_parse(text, size, "fuzz", NULL);
    cg_log_set_level(CG_LOG_QUIET);
    for (size_t i = 0; listing && i < G_N_ELEMENTS(selections); i++) {
        g_autoptr(GPtrArray) chosen = cg_hub_select(listing, &selections[i], "fuzz", NULL);
        for (guint k = 0; chosen && k < chosen->len; k++) {
            const CgHubFile *file = g_ptr_array_index(chosen, k);
            g_assert(*file->path != '/' && !strstr(file->path, "../"));
        }
    }
    return 0;
}
