#include "image/vips-private.h"

#include "base/error.h"
#include "base/file.h"
#include "base/system.h"
#include "image/image.h"

#include <string.h>

/* libvips and the decoders below it tell of trouble through g_warning; the user gets one line from
 * us instead. The last of them is kept: some decoders say nothing else. */
static GMutex warning_lock;
static char *warning;

static void keep_warning(const char *domain, GLogLevelFlags level, const char *message,
                         gpointer data)
{
    (void)domain;
    (void)data;
    if (!(level & G_LOG_LEVEL_WARNING) || strstr(message, "error in tile"))
        return;
    g_mutex_lock(&warning_lock);
    g_free(warning);
    warning = g_strdup(message);
    g_mutex_unlock(&warning_lock);
}

static char *take_warning(void)
{
    g_mutex_lock(&warning_lock);
    char *taken = g_steal_pointer(&warning);
    g_mutex_unlock(&warning_lock);
    return taken;
}

/* The first line of TEXT that says something, without the "domain: " in front; NULL when none. */
static char *first_reason(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    for (int i = 0; lines[i]; i++) {
        const char *colon = strstr(lines[i], ": ");
        gboolean domain = colon && !memchr(lines[i], ' ', (size_t)(colon - lines[i]));
        const char *reason = domain ? colon + 2 : lines[i];
        if (*reason)
            return g_strstrip(g_strdup(reason));
    }
    return NULL;
}

char *cg_vips_take_error(void)
{
    g_autofree char *logged = take_warning();
    char *reason = first_reason(vips_error_buffer());
    vips_error_clear();
    if (!reason)
        reason = first_reason(logged);
    return reason ? reason : g_strdup("it cannot be decoded");
}

static gboolean started;

static gboolean start(GError **error)
{
    const GLogLevelFlags all = G_LOG_LEVEL_MASK | G_LOG_FLAG_FATAL | G_LOG_FLAG_RECURSION;
    g_log_set_handler("VIPS", all, keep_warning, NULL);
    g_log_set_handler("Pango", all, keep_warning, NULL); /* missing fonts */
    if (VIPS_INIT("cagen")) {
        g_autofree char *reason = cg_vips_take_error();
        g_set_error(error, CG_ERROR, CG_ERROR_ENGINE, "libvips does not start: %s", reason);
        return FALSE;
    }
    /* Every file is read once, so a cache of results would only hold memory. */
    vips_cache_set_max(0);
    return TRUE;
}

gboolean cg_image_init(GError **error)
{
    static GMutex mutex; /* threads may load their first pictures at the same time */
    g_mutex_lock(&mutex);
    started = started || start(error);
    const gboolean ok = started;
    g_mutex_unlock(&mutex);
    if (!ok)
        return FALSE;
    vips_concurrency_set(cg_threads());
    return TRUE;
}

void cg_image_shutdown(void)
{
    if (!started)
        return;
    vips_shutdown();
    g_free(take_warning());
    started = FALSE;
}

gboolean cg_image_save_png(const CgImage *image, const char *path, GError **error)
{
    if (!cg_image_init(error))
        return FALSE;
    size_t size = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    CG_VIPS_AUTO VipsImage *memory = vips_image_new_from_memory(
        image->pixels, size, image->width, image->height, image->channels, VIPS_FORMAT_UCHAR);
    CG_VIPS_AUTO VipsImage *named = NULL;
    g_autofree void *png = NULL;
    size_t bytes = 0;
    VipsInterpretation type =
        image->channels == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
    if (!memory || vips_copy(memory, &named, "interpretation", type, NULL) ||
        vips_pngsave_buffer(named, &png, &bytes, "compression", 6, "filter",
                            VIPS_FOREIGN_PNG_FILTER_ALL, "strip", TRUE, NULL)) {
        g_autofree char *reason = cg_vips_take_error();
        g_set_error(error, CG_ERROR, CG_ERROR_ENGINE, "%s: cannot encode the image: %s", path,
                    reason);
        return FALSE;
    }
    return cg_file_write(path, png, bytes, error);
}
