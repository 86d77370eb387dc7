/* Files that torch.save wrote (tests/oracle/make_torch_files.py), and what pretends to be one. */
#include "base/error.h"
#include "support/fixture.h"
#include "tensor/pickle.h"
#include "tensor/safetensors.h"
#include "tensor/zip.h"

#include <string.h>

static CgSafetensors *open_file(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *below = g_strconcat("torch/", name, NULL);
    g_autofree char *path = test_fixture_path(below);
    CgSafetensors *st = cg_safetensors_open(path, &error);
    g_assert_no_error(error);
    return st;
}

static GByteArray *load(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *below = g_strconcat("torch/", name, NULL);
    g_autofree char *path = test_fixture_path(below);
    char *data;
    gsize size;
    g_file_get_contents(path, &data, &size, &error);
    g_assert_no_error(error);
    return g_byte_array_new_take((guint8 *)data, size);
}

static void tensors_are_those_that_pytorch_hands_out(gconstpointer name)
{
    g_autoptr(CgSafetensors) st = open_file(name), expected = open_file("expected.safetensors");
    g_assert_cmpuint(cg_safetensors_count(st), ==, cg_safetensors_count(expected));
    for (guint i = 0; i < cg_safetensors_count(expected); i++) {
        const CgSafetensor *want = cg_safetensors_nth(expected, i);
        const CgSafetensor *got = cg_safetensors_find(st, want->name);
        if (!got)
            g_error("%s: no %s", (const char *)name, want->name);
        g_test_message("%s", want->name);
        g_assert_cmpstr(got->dtype_name, ==, want->dtype_name);
        g_assert_true(cg_shape_equal(&got->shape, &want->shape));
        g_assert_cmpmem(got->data, got->size, want->data, want->size);
    }
}

static void tensors_outlive_the_file(gconstpointer name)
{
    static const char *const names[] = {"transposed", "whole", "channels_last"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        CgSafetensors *st = open_file(name);
        g_autoptr(CgSafetensors) expected = open_file("expected.safetensors");
        g_autoptr(CgTensor) t = cg_safetensors_tensor(st, cg_safetensors_find(st, names[i]));
        g_autoptr(CgTensor) want = test_fixture_tensor(expected, names[i]);
        cg_safetensors_release(st, cg_safetensors_find(st, names[i]));
        cg_safetensors_free(st);
        g_assert_cmpmem(t->data, cg_tensor_bytes(t), want->data, cg_tensor_bytes(want));
    }
}

static void state_dict_stands_for_all(void)
{
    g_autoptr(CgSafetensors) st = open_file("checkpoint.ckpt");
    g_assert_cmpuint(cg_safetensors_count(st), ==, 1);
    g_assert_nonnull(cg_safetensors_find(st, "a.weight"));
}

static void dict_of_a_list_of_pairs_is_read(void)
{
    g_autoptr(CgSafetensors) st = open_file("pairs.pth");
    g_autoptr(CgTensor) a = test_fixture_tensor(st, "a.weight");
    g_assert_cmpuint(cg_safetensors_count(st), ==, 2);
    g_assert_true(cg_shape_equal(&a->shape, &CG_SHAPE(1, 2)));
    g_assert_cmpmem(a->data, cg_tensor_bytes(a), ((const float[]){1, 2}), 2 * sizeof(float));
}

/* BYTES are refused with CODE, one line that says TEXT. */
static void assert_refused(const guint8 *bytes, gsize size, CgErrorCode code, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(cg_safetensors_parse(bytes, size, "some.pth", &error));
    g_assert_error(error, CG_ERROR, (int)code);
    g_assert_true(g_str_has_prefix(error->message, "some.pth: "));
    g_assert_null(strchr(error->message, '\n'));
    if (!strstr(error->message, text))
        g_error("\"%s\" does not say \"%s\"", error->message, text);
}

static void commands_are_refused_by_name(gconstpointer name)
{
    g_autoptr(GByteArray) file = load(name);
    assert_refused(file->data, file->len, CG_ERROR_UNSUPPORTED, "asks for posix.system");
    g_assert_false(g_file_test("harmful-was-here", G_FILE_TEST_EXISTS));
}

static void every_truncation_is_refused(gconstpointer name)
{
    g_autoptr(GByteArray) file = load(name);
    for (gsize size = 16; size < file->len; size += size % 61 + 1) {
        g_autoptr(GError) error = NULL;
        /* Bytes of their own, so that reading beyond them is seen. */
        g_autofree guint8 *part = g_memdup2(file->data, size);
        g_assert_null(cg_safetensors_parse(part, size, "some.pth", &error));
        g_assert_nonnull(error);
    }
}

/* Where the bytes WHAT [LENGTH] are in FILE for the first time. */
static guint8 *find(GByteArray *file, const void *what, gsize length)
{
    guint8 *found = memmem(file->data, file->len, what, length);
    g_assert_nonnull(found);
    return found;
}

/* Of checkpoint.ckpt: shape (2,) and stride (1,), as K 2 85 q . and so on. */
static void views_beyond_their_storage_are_refused(void)
{
    const struct {
        guint8 dim, stride;
        const char *text;
    } rows[] = {{3, 1, "reaches beyond"}, {2, 2, "reaches beyond"}, {200, 0, "reaches beyond"}};
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) file = load("checkpoint.ckpt");
        guint8 *shape = find(file, "K\x02\x85", 3);
        guint8 *stride = memmem(shape, 16, "K\x01\x85", 3);
        g_assert_nonnull(stride);
        shape[1] = rows[i].dim;
        stride[1] = rows[i].stride;
        assert_refused(file->data, file->len, CG_ERROR_FORMAT, rows[i].text);
    }
}

static void storage_of_another_size_is_refused(void)
{
    g_autoptr(GByteArray) file = load("checkpoint.ckpt");
    guint8 *count = find(file, "cpu", 3); /* then q . K 2 t Q */
    count = memmem(count, 16, "K\x02t", 3);
    g_assert_nonnull(count);
    count[1] = 1;
    assert_refused(file->data, file->len, CG_ERROR_FORMAT, "not as large as the pickle says");
}

static void compressed_archives_are_refused(void)
{
    g_autoptr(GByteArray) file = load("zip.pth");
    find(file, "PK\x01\x02", 4)[10] = 8; /* deflate */
    assert_refused(file->data, file->len, CG_ERROR_UNSUPPORTED, "compressed");
}

static void archives_of_other_things_are_refused(void)
{
    static const guint8 empty[22] = {'P', 'K', 5, 6};
    g_autoptr(GByteArray) file = load("zip.pth");
    guint8 *at = file->data, *end = file->data + file->len;
    for (; (at = memmem(at, (gsize)(end - at), "data.pkl", 8)); at += 8)
        at[7] = 'x';
    assert_refused(file->data, file->len, CG_ERROR_FORMAT, "no data.pkl");
    /* An archive without entries does not begin as PyTorch's do. */
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) none = cg_zip_list(empty, sizeof empty, "empty.zip", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(none->len, ==, 0);
}

/* The second entry of the directory at the place of the first. */
static void entries_over_each_other_are_refused(void)
{
    g_autoptr(GByteArray) file = load("zip.pth");
    guint8 *first = find(file, "PK\x01\x02", 4);
    guint8 *second = memmem(first + 4, 200, "PK\x01\x02", 4);
    g_assert_nonnull(second);
    memcpy(second + 42, first + 42, 4);
    assert_refused(file->data, file->len, CG_ERROR_FORMAT, "over each other");
}

static void assert_pickle_refused(const char *bytes, gsize size, CgErrorCode code, const char *text)
{
    static const char *const none[] = {NULL};
    g_autoptr(GError) error = NULL;
    g_autofree guint8 *own = g_memdup2(bytes, size);
    g_assert_null(cg_pickle_parse(own, size, none, "p", NULL, &error));
    g_assert_error(error, CG_ERROR, (int)code);
    if (!strstr(error->message, text))
        g_error("\"%s\" does not say \"%s\"", error->message, text);
}

static void broken_pickles_are_refused(void)
{
#define BYTES(text) text, sizeof text - 1
    assert_pickle_refused(BYTES(""), CG_ERROR_FORMAT, "ends in the middle");
    assert_pickle_refused(BYTES("."), CG_ERROR_FORMAT, "the stack is empty");
    assert_pickle_refused(BYTES("X\xff\xff\xff\xff"), CG_ERROR_FORMAT, "ends in the middle");
    assert_pickle_refused(BYTES("t."), CG_ERROR_FORMAT, "a mark is missing");
    assert_pickle_refused(BYTES("\x85."), CG_ERROR_FORMAT, "the stack is empty");
    assert_pickle_refused(BYTES("h\x05."), CG_ERROR_FORMAT, "never made");
    assert_pickle_refused(BYTES("Nr\xff\xff\xff\x7f."), CG_ERROR_FORMAT, "too many objects");
    assert_pickle_refused(BYTES("NNa."), CG_ERROR_FORMAT, "no list or dict");
    assert_pickle_refused(BYTES("a."), CG_ERROR_FORMAT, "nothing to put items into");
    assert_pickle_refused(BYTES("}(Nu."), CG_ERROR_FORMAT, "a key has no value");
    assert_pickle_refused(BYTES("N)R."), CG_ERROR_FORMAT, "calls what is no name");
    assert_pickle_refused(BYTES("\x8a\x09"
                                "123456789."),
                          CG_ERROR_FORMAT, "more than 64 bits");
    assert_pickle_refused(BYTES("cos\nsystem\n."), CG_ERROR_UNSUPPORTED, "asks for os.system");
    assert_pickle_refused(BYTES("\x8c\x02os\x8c\x06system\x93."), CG_ERROR_UNSUPPORTED,
                          "asks for os.system");
    assert_pickle_refused(BYTES("I12\n."), CG_ERROR_UNSUPPORTED, "opcode 0x49");
    assert_pickle_refused(BYTES("N(0."), CG_ERROR_FORMAT, "the stack is empty");
#undef BYTES
}

static void numbers_have_their_signs(void)
{
    static const char *const none[] = {NULL};
    static const struct {
        const char *bytes;
        gsize size;
        gint64 number;
    } rows[] = {{"K\xff.", 3, 255},
                {"M\xff\xff.", 4, 65535},
                {"J\xfe\xff\xff\xff.", 6, -2},
                {"\x8a\x01\x80.", 4, -128},
                {"\x8a\x02\xff\x00.", 5, 255},
                {"\x8a\x00.", 3, 0},
                {"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.", 11, G_MININT64}};
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        gsize used;
        g_autoptr(CgPickle) p =
            cg_pickle_parse((const guint8 *)rows[i].bytes, rows[i].size, none, "p", &used, NULL);
        g_assert_nonnull(p);
        g_assert_cmpint(cg_pickle_root(p)->number, ==, rows[i].number);
        g_assert_cmpuint(used, ==, rows[i].size);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define EACH(test)                                                                                 \
    g_test_add_data_func("/torch_file/zip/" #test, "zip.pth", test);                               \
    g_test_add_data_func("/torch_file/old/" #test, "old.pth", test)
    EACH(tensors_are_those_that_pytorch_hands_out);
    EACH(tensors_outlive_the_file);
    EACH(every_truncation_is_refused);
    g_test_add_data_func("/torch_file/zip/commands_are_refused_by_name", "harmful.pth",
                         commands_are_refused_by_name);
    g_test_add_data_func("/torch_file/old/commands_are_refused_by_name", "harmful_old.pth",
                         commands_are_refused_by_name);
#define ADD(test) g_test_add_func("/torch_file/" #test, test)
    ADD(state_dict_stands_for_all);
    ADD(dict_of_a_list_of_pairs_is_read);
    ADD(views_beyond_their_storage_are_refused);
    ADD(storage_of_another_size_is_refused);
    ADD(compressed_archives_are_refused);
    ADD(archives_of_other_things_are_refused);
    ADD(entries_over_each_other_are_refused);
    ADD(broken_pickles_are_refused);
    ADD(numbers_have_their_signs);
    return g_test_run();
}
