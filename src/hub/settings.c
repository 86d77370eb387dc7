#include "hub/settings.h"

#include <string.h>

#define ENDPOINT "https://huggingface.co"
#define MAX_NAME 96

/* The variable's value, NULL when it is empty. */
static const char *variable(const char *name)
{
    const char *value = g_getenv(name);
    return value && *value ? value : NULL;
}

char *cg_hub_endpoint(void)
{
    const char *named = variable("HF_ENDPOINT");
    char *endpoint = g_strdup(named ? named : ENDPOINT);
    while (g_str_has_suffix(endpoint, "/"))
        endpoint[strlen(endpoint) - 1] = '\0';
    return endpoint;
}

static char *home(void)
{
    const char *named = variable("HF_HOME");
    return named ? g_strdup(named) : g_build_filename(g_get_user_cache_dir(), "huggingface", NULL);
}

char *cg_hub_cache_folder(void)
{
    const char *named = variable("HF_HUB_CACHE");
    g_autofree char *above = home();
    if (!named)
        named = variable("HUGGINGFACE_HUB_CACHE");
    return named ? g_strdup(named) : g_build_filename(above, "hub", NULL);
}

char *cg_hub_token(void)
{
    const char *named = variable("HF_TOKEN"), *file = variable("HF_TOKEN_PATH");
    g_autofree char *above = home();
    g_autofree char *path = file ? g_strdup(file) : g_build_filename(above, "token", NULL);
    char *token = NULL;
    if (!named)
        named = variable("HUGGING_FACE_HUB_TOKEN");
    if (named)
        token = g_strdup(named);
    else if (!g_file_get_contents(path, &token, NULL, NULL))
        return NULL;
    g_strstrip(token);
    if (*token)
        return token;
    g_free(token);
    return NULL;
}

gboolean cg_hub_is_offline(void)
{
    static const char *const yes[] = {"1", "on", "yes", "true"};
    const char *value = variable("HF_HUB_OFFLINE");
    for (size_t i = 0; value && i < G_N_ELEMENTS(yes); i++)
        if (g_ascii_strcasecmp(value, yes[i]) == 0)
            return TRUE;
    return FALSE;
}

static gboolean is_name(const char *text, size_t length)
{
    if (length == 0 || length > MAX_NAME || *text == '.' || *text == '-')
        return FALSE;
    for (size_t i = 0; i < length; i++)
        if (!g_ascii_isalnum(text[i]) && !strchr("-_.", text[i]))
            return FALSE;
    return TRUE;
}

gboolean cg_hub_is_id(const char *text)
{
    const char *slash = strchr(text, '/');
    return slash && !strstr(text, "--") && !strstr(text, "..") &&
           is_name(text, (size_t)(slash - text)) && is_name(slash + 1, strlen(slash + 1));
}
