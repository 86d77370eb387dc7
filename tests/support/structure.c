#include "support/structure.h"

#include "models/clip_text.h"
#include "models/unet.h"

#include <string.h>

static void visit(void *data, const char *name, const CgShape *shape)
{
    CgTestStructure *s = data;
    g_ptr_array_add(s->names, g_strdup(name));
    g_array_append_val(s->shapes, *shape);
}

static CgTestStructure *structure_new(CgBinder *b)
{
    CgTestStructure *s = g_new(CgTestStructure, 1);
    s->names = g_ptr_array_new_with_free_func(g_free);
    s->shapes = g_array_new(FALSE, FALSE, sizeof(CgShape));
    cg_binder_init_visit(b, visit, s);
    return s;
}

static CgTestStructure *finish(CgTestStructure *s, CgBinder *b)
{
    g_autoptr(GError) error = NULL;
    cg_binder_finish(b, &error);
    g_assert_no_error(error);
    return s;
}

CgTestStructure *cg_test_structure_unet(void)
{
    CgBinder b;
    g_autofree CgUnet *unet = g_new0(CgUnet, 1);
    CgTestStructure *s = structure_new(&b);
    cg_unet_config_default(&unet->config, FALSE);
    cg_bind_unet(&b, unet);
    return finish(s, &b);
}

CgTestStructure *cg_test_structure_controlnet(void)
{
    CgBinder b;
    g_autofree CgControlnet *controlnet = g_new0(CgControlnet, 1);
    CgTestStructure *s = structure_new(&b);
    cg_unet_config_default(&controlnet->config, TRUE);
    cg_bind_controlnet(&b, controlnet);
    return finish(s, &b);
}

CgTestStructure *cg_test_structure_vae(CgVaeKind kind)
{
    CgBinder b;
    CgVaeConfig config;
    CgTestStructure *s = structure_new(&b);
    cg_vae_config_default(&config, kind);
    cg_bind_vae(&b, &config);
    return finish(s, &b);
}

CgTestStructure *cg_test_structure_text(void)
{
    CgBinder b;
    g_autofree CgClipText *text = g_new0(CgClipText, 1);
    CgTestStructure *s = structure_new(&b);
    cg_clip_text_config_default(&text->config);
    cg_bind_clip_text(&b, text);
    return finish(s, &b);
}

void cg_test_structure_free(CgTestStructure *s)
{
    if (!s)
        return;
    g_ptr_array_unref(s->names);
    g_array_unref(s->shapes);
    g_free(s);
}

guint64 cg_test_structure_count(const CgTestStructure *s)
{
    guint64 count = 0;
    for (guint i = 0; i < s->shapes->len; i++)
        count += cg_shape_count(&g_array_index(s->shapes, CgShape, i));
    return count;
}

static int compare_lines(gconstpointer a, gconstpointer b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    const size_t m = strcspn(x, ":"), n = strcspn(y, ":");
    const int order = memcmp(x, y, MIN(m, n));
    return order ? order : (m > n) - (m < n);
}

char *cg_test_structure_digest(const CgTestStructure *s)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (guint i = 0; i < s->names->len; i++) {
        const CgShape *shape = &g_array_index(s->shapes, CgShape, i);
        GString *line = g_string_new(g_ptr_array_index(s->names, i));
        for (int k = 0; k < shape->rank; k++)
            g_string_append_printf(line, "%c%" G_GINT64_FORMAT, k ? ',' : ':', shape->d[k]);
        g_string_append_c(line, '\n');
        g_ptr_array_add(lines, g_string_free(line, FALSE));
    }
    g_ptr_array_sort(lines, compare_lines);
    for (guint i = 0; i < lines->len; i++)
        g_checksum_update(sum, g_ptr_array_index(lines, i), -1);
    return g_strdup(g_checksum_get_string(sum));
}
