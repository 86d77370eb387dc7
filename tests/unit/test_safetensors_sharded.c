/* Models in several safetensors files under one index. */
#include "tensor/safetensors.h"

#include "base/error.h"
#include "support/folder.h"

#include <string.h>

typedef struct {
    CgTestFolder *dir;
    char *index;
} Model;

static void save(const CgTestFolder *dir, const char *file, const char *a, const char *b)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = cg_test_folder_path(dir, file);
    g_autoptr(CgTensor) t = cg_tensor_new(CG_F32, CG_SHAPE(1));
    g_autoptr(CgTensor) u = cg_tensor_new(CG_F32, CG_SHAPE(1));
    cg_tensor_f32(t)[0] = (float)a[0];
    cg_tensor_f32(u)[0] = (float)b[0];
    g_assert_true(
        cg_safetensors_save(path, (const char *[]){a, b}, (CgTensor *[]){t, u}, 2, &error));
}

/* Two files with c, a and d, b, and TEXT as their index. */
static Model model_with_index(const char *text)
{
    Model m = {cg_test_folder_new(), NULL};
    save(m.dir, "m-00001-of-00002.safetensors", "c", "a");
    save(m.dir, "m-00002-of-00002.safetensors", "d", "b");
    m.index = cg_test_folder_file(m.dir, "m.safetensors.index.json", text, strlen(text));
    return m;
}

static void model_clear(Model *m)
{
    cg_test_folder_free(m->dir);
    g_free(m->index);
}

#define FIRST  "\"m-00001-of-00002.safetensors\""
#define SECOND "\"m-00002-of-00002.safetensors\""

static void tensors_of_all_files_are_one_list(void)
{
    g_autoptr(GError) error = NULL;
    Model m = model_with_index("{\"metadata\":{\"total_size\":16},\"weight_map\":{\"a\":" FIRST
                               ",\"b\":" SECOND ",\"c\":" FIRST ",\"d\":" SECOND "}}");
    CgSafetensors *st = cg_safetensors_open_sharded(m.index, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(cg_safetensors_count(st), ==, 4);
    g_assert_cmpstr(cg_safetensors_path(st), ==, m.index);
    g_autoptr(CgTensor) kept = NULL;
    for (guint i = 0; i < 4; i++) {
        const CgSafetensor *e = cg_safetensors_nth(st, i);
        g_assert_cmpint(e->name[0], ==, 'a' + (int)i);
        g_autoptr(CgTensor) t = cg_safetensors_tensor(st, e);
        g_assert_cmpfloat(cg_tensor_f32(t)[0], ==, (float)e->name[0]);
        CG_SET(kept, cg_tensor_ref(t));
        cg_safetensors_release(st, e);
    }
    g_assert_null(cg_safetensors_find(st, "e"));
    cg_safetensors_free(st);
    g_assert_cmpfloat(cg_tensor_f32(kept)[0], ==, (float)'d'); /* keeps its own file mapped */
    model_clear(&m);
}

static void bad_indexes_are_refused(void)
{
    static const struct {
        const char *name, *text;
        CgErrorCode code;
        const char *message;
    } rows[] = {
        {"empty", "", CG_ERROR_FORMAT, "empty"},
        {"bad JSON", "{\"weight_map\":", CG_ERROR_FORMAT, "not valid JSON"},
        {"an array", "[]", CG_ERROR_FORMAT, "a JSON object"},
        {"no map", "{\"metadata\":{}}", CG_ERROR_FORMAT, "no weight_map"},
        {"empty map", "{\"weight_map\":{}}", CG_ERROR_FORMAT, "no weight_map"},
        {"map is an array", "{\"weight_map\":[]}", CG_ERROR_FORMAT, "no weight_map"},
        {"file is a number", "{\"weight_map\":{\"a\":1}}", CG_ERROR_FORMAT,
         "no file name for \"a\""},
        {"name twice", "{\"weight_map\":{\"a\":" FIRST ",\"a\":" FIRST "}}", CG_ERROR_FORMAT,
         "not valid JSON"},
        {"parent folder", "{\"weight_map\":{\"a\":\"../m.safetensors\"}}", CG_ERROR_FORMAT,
         "only plain names"},
        {"absolute path", "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", CG_ERROR_FORMAT,
         "only plain names"},
        {"dot dot", "{\"weight_map\":{\"a\":\"..\"}}", CG_ERROR_FORMAT, "only plain names"},
        {"backslash", "{\"weight_map\":{\"a\":\"..\\\\m\"}}", CG_ERROR_FORMAT, "only plain names"},
        {"empty name", "{\"weight_map\":{\"a\":\"\"}}", CG_ERROR_FORMAT, "only plain names"},
        {"missing file", "{\"weight_map\":{\"a\":\"m-3.safetensors\"}}", CG_ERROR_MISSING,
         "m-3.safetensors: cannot open: No such file"},
        {"the index itself", "{\"weight_map\":{\"a\":\"m.safetensors.index.json\"}}",
         CG_ERROR_FORMAT, "not a safetensors file"},
        {"tensor in the other file", "{\"weight_map\":{\"a\":" SECOND "}}", CG_ERROR_MISSING,
         "tensor \"a\" should be in"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        Model m = model_with_index(rows[i].text);
        if (cg_safetensors_open_sharded(m.index, &error))
            g_error("%s: was accepted", rows[i].name);
        g_assert_error(error, CG_ERROR, (gint)rows[i].code);
        g_assert_true(g_str_has_prefix(error->message, m.index));
        if (!strstr(error->message, rows[i].message))
            g_error("%s: \"%s\"", rows[i].name, error->message);
        model_clear(&m);
    }
}

static void missing_index_is_named(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(cg_safetensors_open_sharded("/nowhere/m.safetensors.index.json", &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_MISSING);
}

#define TEST(name) g_test_add_func("/safetensors_sharded/" #name, name)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST(tensors_of_all_files_are_one_list);
    TEST(bad_indexes_are_refused);
    TEST(missing_index_is_named);
    return g_test_run();
}
