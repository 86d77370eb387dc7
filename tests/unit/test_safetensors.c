/* Reading safetensors files, good and hostile, and writing them as upstream does. */
#include "tensor/safetensors.h"

#include "base/error.h"
#include "support/folder.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file with HEADER (its length in front) and DATA_SIZE bytes 0, 1, 2, ... */
static GBytes *file_bytes(const char *header, gsize header_size, gsize data_size)
{
    GByteArray *bytes = g_byte_array_new();
    guint64 n = GUINT64_TO_LE((guint64)header_size);
    g_byte_array_append(bytes, (const guint8 *)&n, 8);
    g_byte_array_append(bytes, (const guint8 *)header, (guint)header_size);
    for (gsize i = 0; i < data_size; i++)
        g_byte_array_append(bytes, &(guint8){(guint8)i}, 1);
    return g_byte_array_free_to_bytes(bytes);
}

static void assert_parse_fails(const char *name, const void *data, gsize size, CgErrorCode code,
                               const char *message)
{
    g_autoptr(GError) error = NULL;
    /* A copy of exactly this size, so that a sanitizer sees every read beyond it. */
    g_autofree guint8 *copy = g_memdup2(data, size);
    CgSafetensors *st = cg_safetensors_parse(copy, size, "model.safetensors", &error);
    if (st)
        g_error("%s: was accepted", name);
    if (!g_error_matches(error, CG_ERROR, (gint)code) ||
        !g_str_has_prefix(error->message, "model.safetensors: ") ||
        !strstr(error->message, message))
        g_error("%s: code %d, \"%s\", but \"%s\" was expected", name, error->code, error->message,
                message);
}

#define F32_2 "\"dtype\":\"F32\",\"shape\":[2]"

static void hostile_headers_are_refused(void)
{
    static const struct {
        const char *name, *header;
        gsize data_size;
        CgErrorCode code;
        const char *message;
    } rows[] = {
        {"empty header", "", 0, CG_ERROR_FORMAT, "does not begin with '{'"},
        {"an array", "[1]", 0, CG_ERROR_FORMAT, "does not begin with '{'"},
        {"space before", " {}", 0, CG_ERROR_FORMAT, "does not begin with '{'"},
        {"unclosed", "{\"a\":{" F32_2, 8, CG_ERROR_FORMAT, "ends where '}'"},
        {"only a brace", "{", 0, CG_ERROR_FORMAT, "ends where a string"},
        {"text after", "{} x", 0, CG_ERROR_FORMAT, "nothing but spaces"},
        {"two objects", "{}{}", 0, CG_ERROR_FORMAT, "nothing but spaces"},
        {"comma at the end", "{\"a\":{" F32_2 ",\"data_offsets\":[0,8]},}", 8, CG_ERROR_FORMAT,
         "a string should follow"},
        {"no colon", "{\"a\" 1}", 0, CG_ERROR_FORMAT, "':' should follow"},
        {"not UTF-8", "{\"a\xff\":{}}", 0, CG_ERROR_FORMAT, "not UTF-8"},
        {"overlong UTF-8", "{\"a\xc0\x80\":{}}", 0, CG_ERROR_FORMAT, "not UTF-8"},
        {"raw newline in a name", "{\"a\n\":{}}", 0, CG_ERROR_FORMAT, "the end of a string"},
        {"bad escape", "{\"a\\x\":{}}", 0, CG_ERROR_FORMAT, "no such escape"},
        {"lone surrogate", "{\"a\\ud800\":{}}", 0, CG_ERROR_FORMAT, "surrogate"},
        {"low surrogate first", "{\"a\\udc00\":{}}", 0, CG_ERROR_FORMAT, "surrogate"},
        {"NUL in a name", "{\"a\\u0000b\":{}}", 0, CG_ERROR_FORMAT, "NUL"},
        {"short escape", "{\"a\\u12\":{}}", 0, CG_ERROR_FORMAT, "hexadecimal"},
        {"entry is a number", "{\"a\":1}", 0, CG_ERROR_FORMAT, "an object should follow"},
        {"entry is null", "{\"a\":null}", 0, CG_ERROR_FORMAT, "an object should follow"},
        {"no dtype", "{\"a\":{\"shape\":[0],\"data_offsets\":[0,0]}}", 0, CG_ERROR_FORMAT,
         "\"a\" has no dtype"},
        {"no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, CG_ERROR_FORMAT,
         "\"a\" has no shape"},
        {"no offsets", "{\"a\":{" F32_2 "}}", 8, CG_ERROR_FORMAT, "\"a\" has no data_offsets"},
        {"dtype twice", "{\"a\":{\"dtype\":\"F32\"," F32_2 ",\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "two dtypes"},
        {"shape twice", "{\"a\":{\"shape\":[2]," F32_2 ",\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "two shapes"},
        {"offsets twice", "{\"a\":{" F32_2 ",\"data_offsets\":[0,8],\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "data_offsets twice"},
        {"unknown dtype", "{\"a\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_UNSUPPORTED, "tensor \"a\" has the unknown dtype \"F99\""},
        {"lower-case dtype", "{\"a\":{\"dtype\":\"f32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_UNSUPPORTED, "unknown dtype \"f32\""},
        {"dtype is a number", "{\"a\":{\"dtype\":32,\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "a string should follow"},
        {"dim 2.0", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "non-negative integer"},
        {"dim 2e0", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2e0],\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "non-negative integer"},
        {"dim -2", "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "non-negative integer"},
        {"dim -0", "{\"a\":{\"dtype\":\"F32\",\"shape\":[-0],\"data_offsets\":[0,0]}}", 0,
         CG_ERROR_FORMAT, "non-negative integer"},
        {"dim 02", "{\"a\":{\"dtype\":\"F32\",\"shape\":[02],\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "non-negative integer"},
        {"dim \"2\"", "{\"a\":{\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "non-negative integer"},
        {"dim true", "{\"a\":{\"dtype\":\"F32\",\"shape\":[true],\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "non-negative integer"},
        {"dim beyond 64 bits",
         "{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551618],\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "does not fit in 64 bits"},
        {"dim beyond 63 bits",
         "{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "overflow"},
        {"dims overflow to 2",
         "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,2],\"data_offsets\":[0,8]}}",
         8, CG_ERROR_FORMAT, "dimensions of tensor \"a\" overflow"},
        {"bytes overflow to 8",
         "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387906],\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "size of tensor \"a\" overflows"},
        {"shape is a number", "{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "an array of dimensions"},
        {"offsets as floats", "{\"a\":{" F32_2 ",\"data_offsets\":[0.0,8.0]}}", 8, CG_ERROR_FORMAT,
         "non-negative integer"},
        {"negative offset", "{\"a\":{" F32_2 ",\"data_offsets\":[-8,0]}}", 8, CG_ERROR_FORMAT,
         "non-negative integer"},
        {"one offset", "{\"a\":{" F32_2 ",\"data_offsets\":[8]}}", 8, CG_ERROR_FORMAT,
         "a second offset"},
        {"three offsets", "{\"a\":{" F32_2 ",\"data_offsets\":[0,8,8]}}", 8, CG_ERROR_FORMAT,
         "']' should follow"},
        {"backwards", "{\"a\":{" F32_2 ",\"data_offsets\":[8,0]}}", 8, CG_ERROR_FORMAT,
         "ends before it begins"},
        {"span too short", "{\"a\":{" F32_2 ",\"data_offsets\":[0,4]}}", 4, CG_ERROR_FORMAT,
         "needs 8 bytes for its shape, but its offsets span 4"},
        {"span too long", "{\"a\":{" F32_2 ",\"data_offsets\":[0,12]}}", 12, CG_ERROR_FORMAT,
         "needs 8 bytes"},
        {"half a byte", "{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1,
         CG_ERROR_FORMAT, "whole bytes"},
        {"offset near 2^64",
         "{\"a\":{" F32_2 ",\"data_offsets\":[18446744073709551607,18446744073709551615]}}", 8,
         CG_ERROR_FORMAT, "hole"},
        {"hole at the start", "{\"a\":{" F32_2 ",\"data_offsets\":[8,16]}}", 16, CG_ERROR_FORMAT,
         "hole"},
        {"hole between",
         "{\"a\":{" F32_2 ",\"data_offsets\":[0,8]},\"b\":{" F32_2 ",\"data_offsets\":[12,20]}}",
         20, CG_ERROR_FORMAT, "\"b\" leave a hole"},
        {"overlap",
         "{\"a\":{" F32_2 ",\"data_offsets\":[0,8]},\"b\":{" F32_2 ",\"data_offsets\":[4,12]}}", 12,
         CG_ERROR_FORMAT, "\"b\" overlap"},
        {"same bytes twice",
         "{\"a\":{" F32_2 ",\"data_offsets\":[0,8]},\"b\":{" F32_2 ",\"data_offsets\":[0,8]}}", 8,
         CG_ERROR_FORMAT, "overlap"},
        {"name twice",
         "{\"a\":{" F32_2 ",\"data_offsets\":[0,8]},\"a\":{" F32_2 ",\"data_offsets\":[8,16]}}", 16,
         CG_ERROR_FORMAT, "two tensors are named \"a\""},
        {"name twice, once escaped",
         "{\"a\":{" F32_2 ",\"data_offsets\":[0,8]},\"\\u0061\":{" F32_2
         ",\"data_offsets\":[8,16]}}",
         16, CG_ERROR_FORMAT, "two tensors are named \"a\""},
        {"trailing bytes", "{\"a\":{" F32_2 ",\"data_offsets\":[0,8]}}", 9, CG_ERROR_FORMAT,
         "1 bytes at the end belong to no tensor"},
        {"data without tensors", "{}", 4, CG_ERROR_FORMAT, "4 bytes at the end"},
        {"truncated", "{\"a\":{" F32_2 ",\"data_offsets\":[0,8]}}", 7, CG_ERROR_FORMAT,
         "truncated: the tensors need 8 bytes, but only 7 are there"},
        {"huge",
         "{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775807],\"data_offsets\":"
         "[0,9223372036854775807]}}",
         8, CG_ERROR_FORMAT, "overflow"},
        {"metadata of numbers", "{\"__metadata__\":{\"a\":1}}", 0, CG_ERROR_FORMAT,
         "a string should follow"},
        {"metadata is a string", "{\"__metadata__\":\"pt\"}", 0, CG_ERROR_FORMAT,
         "an object should follow"},
        {"metadata twice", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, CG_ERROR_FORMAT,
         "two entries __metadata__"},
        {"metadata key twice", "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, CG_ERROR_FORMAT,
         "two values for \"a\""},
        {"broken extra member", "{\"a\":{\"extra\":[1,}}", 0, CG_ERROR_FORMAT, "a value"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GBytes) bytes =
            file_bytes(rows[i].header, strlen(rows[i].header), rows[i].data_size);
        gsize size;
        const void *data = g_bytes_get_data(bytes, &size);
        assert_parse_fails(rows[i].name, data, size, rows[i].code, rows[i].message);
    }
}

static void hostile_lengths_are_refused(void)
{
    static const struct {
        const char *name, *bytes;
        gsize size;
        const char *message;
    } rows[] = {
        {"empty file", "", 0, "0 bytes are too few"},
        {"seven bytes", "\x02\0\0\0\0\0\0", 7, "7 bytes are too few"},
        {"no header", "\x02\0\0\0\0\0\0\0", 8, "truncated: the header has 2 bytes, but only 0"},
        {"cut header", "\x03\0\0\0\0\0\0\0{}", 10, "truncated"},
        {"one above the limit", "\x01\xe1\xf5\x05\0\0\0\0{}", 10, "header of 100000001 bytes"},
        {"length of all ones", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "18446744073709551615"},
        {"length near overflow", "\xf8\xff\xff\xff\xff\xff\xff\xff{}", 10, "not a safetensors"},
        {"Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", 56,
         "Git LFS pointer"},
        {"zip", "PK\x03\x04rest of a checkpoint", 24, "broken zip archive"},
        {"web page", "<!DOCTYPE html><html></html>", 28, "web page"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_parse_fails(rows[i].name, rows[i].bytes, rows[i].size, CG_ERROR_FORMAT,
                           rows[i].message);
}

static void embedded_nul_in_the_header_is_refused(void)
{
    g_autoptr(GBytes) bytes = file_bytes("{}\0\0\0\0\0\0", 8, 0);
    assert_parse_fails("NUL", g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
                       CG_ERROR_FORMAT, "not UTF-8");
}

static void deep_nesting_is_refused(void)
{
    g_autoptr(GString) header = g_string_new("{\"a\":{\"x\":");
    for (int i = 0; i < 1000000; i++)
        g_string_append(header, "[");
    g_autoptr(GBytes) bytes = file_bytes(header->str, header->len, 0);
    assert_parse_fails("deep", g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
                       CG_ERROR_FORMAT, "nest deeper");
}

/* Any cut of a good file is an error, whatever the cut leaves. */
static void every_truncation_of_a_good_file_is_refused(void)
{
    g_autofree char *path = cg_test_fixture("safetensors/mixed.safetensors");
    g_autofree char *data = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(path, &data, &size, NULL));
    for (gsize n = 0; n < size; n++)
        assert_parse_fails("cut", data, n, CG_ERROR_FORMAT, "");
}

static CgSafetensors *parse_ok(GBytes *bytes)
{
    g_autoptr(GError) error = NULL;
    gsize size;
    const void *data = g_bytes_get_data(bytes, &size);
    CgSafetensors *st = cg_safetensors_parse(data, size, "good.safetensors", &error);
    g_assert_no_error(error);
    return st;
}

static void unusual_but_valid_headers_are_read(void)
{
    static const struct {
        const char *header;
        gsize data_size;
        guint count;
    } rows[] = {
        {"{}", 0, 0},
        {"{}      \n\t\r ", 0, 0},
        {"{\"__metadata__\":{}}", 0, 0},
        {"{ \"a\" : { \"data_offsets\" : [ 0 , 8 ] , \"shape\" : [ 2 ] , \"dtype\" : \"F32\" } } ",
         8, 1},
        {"{\"a\":{" F32_2 ",\"data_offsets\":[0,8],\"note\":{\"x\":[1.5e3,null,\"s\",{}]}}}", 8, 1},
        {"{\"b\":{" F32_2 ",\"data_offsets\":[8,16]},\"a\":{" F32_2 ",\"data_offsets\":[0,8]}}", 16,
         2},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0,9223372036854775807],\"data_offsets\":[0,0]}}", 0,
         1},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,2]}}", 2, 1},
        {"{\"\":{\"dtype\":\"BOOL\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, 1},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GBytes) bytes =
            file_bytes(rows[i].header, strlen(rows[i].header), rows[i].data_size);
        g_autoptr(CgSafetensors) st = parse_ok(bytes);
        g_assert_cmpuint(cg_safetensors_count(st), ==, rows[i].count);
    }
}

static void dtypes_we_lack_are_listed_by_name(void)
{
    const char *header = "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[3],\"data_offsets\":[0,3]}}";
    g_autoptr(GBytes) bytes = file_bytes(header, strlen(header), 3);
    g_autoptr(CgSafetensors) st = parse_ok(bytes);
    const CgSafetensor *a = cg_safetensors_find(st, "a");
    g_assert_cmpint(a->dtype, ==, CG_DTYPE_COUNT);
    g_assert_cmpstr(a->dtype_name, ==, "F8_E4M3");
    g_assert_cmpuint(a->size, ==, 3);
}

static void high_ranks_are_listed_with_their_rank(void)
{
    const char *header =
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,2,1,1,1,2],\"data_offsets\":[0,4]}}";
    g_autoptr(GBytes) bytes = file_bytes(header, strlen(header), 4);
    g_autoptr(CgSafetensors) st = parse_ok(bytes);
    g_assert_cmpint(cg_safetensors_find(st, "a")->shape.rank, ==, 7);
    g_assert_cmpint((int)cg_safetensors_find(st, "a")->shape.d[2], ==, 0);
}

static void escapes_in_names_are_decoded(void)
{
    const char *header = "{\"\\u00e9\\ud83d\\ude42\\n\\/\":{\"dtype\":\"U8\",\"shape\":[1],"
                         "\"data_offsets\":[0,1]}}";
    g_autoptr(GBytes) bytes = file_bytes(header, strlen(header), 1);
    g_autoptr(CgSafetensors) st = parse_ok(bytes);
    g_assert_cmpstr(cg_safetensors_nth(st, 0)->name, ==, "é🙂\n/");
}

/* Header lengths shift the data over all alignments. */
static void misaligned_data_is_copied(void)
{
    for (int pad = 0; pad < 8; pad++) {
        g_autofree char *header =
            g_strdup_printf("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]},"
                            "\"u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}%*s",
                            pad, "");
        g_autoptr(GBytes) bytes = file_bytes(header, strlen(header), 9);
        g_autoptr(CgSafetensors) st = parse_ok(bytes);
        const CgSafetensor *a = cg_safetensors_find(st, "a");
        g_autoptr(CgTensor) t = cg_safetensors_tensor(st, a);
        g_assert_cmpuint((uintptr_t)t->data % 4, ==, 0);
        g_assert_true((t->data == a->data) == ((uintptr_t)a->data % 4 == 0));
        g_assert_cmpmem(t->data, 8, ((guint8[]){1, 2, 3, 4, 5, 6, 7, 8}), 8);
    }
}

static void a_hundred_thousand_tensors_are_sorted_and_found(void)
{
    const int count = 100000;
    g_autoptr(GString) header = g_string_new("{");
    for (int i = 0; i < count; i++)
        g_string_append_printf(
            header, "%s\"t%d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
            i ? "," : "", (i * 7919) % count, i, i + 1);
    g_string_append_c(header, '}');
    g_autoptr(GBytes) bytes = file_bytes(header->str, header->len, (gsize)count);
    g_autoptr(CgSafetensors) st = parse_ok(bytes);
    g_assert_cmpuint(cg_safetensors_count(st), ==, (guint)count);
    for (guint i = 1; i < (guint)count; i++)
        g_assert_cmpstr(cg_safetensors_nth(st, i - 1)->name, <, cg_safetensors_nth(st, i)->name);
    g_assert_nonnull(cg_safetensors_find(st, "t99999"));
    g_assert_null(cg_safetensors_find(st, "t100000"));
}

static CgSafetensors *open_mixed(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = cg_test_fixture("safetensors/mixed.safetensors");
    CgSafetensors *st = cg_safetensors_open(path, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(cg_safetensors_path(st), ==, path);
    return st;
}

static void upstream_file_is_read(void)
{
    g_autoptr(CgSafetensors) st = open_mixed();
    static const struct {
        const char *name;
        CgDType dtype;
        CgShape shape;
    } rows[] = {
        {"Alpha.weight", CG_F32, {4, {2, 3, 2, 2}}},
        {"brain", CG_BF16, {2, {7, 1}}},
        {"bytes", CG_U8, {1, {3}}},
        {"counts", CG_I32, {1, {3}}},
        {"empty", CG_F32, {2, {0, 3}}},
        {"half", CG_F16, {1, {5}}},
        {"position_ids", CG_I64, {2, {1, 4}}},
        {"quote\" back\\slash / tab\t bell\x07 del\x7f é 漢 🙂", CG_F32, {1, {1}}},
        {"scalar", CG_F32, {0, {0}}},
        {"zeta.weight", CG_F32, {2, {2, 3}}},
    };
    g_assert_cmpuint(cg_safetensors_count(st), ==, G_N_ELEMENTS(rows));
    g_assert_cmpstr(cg_safetensors_metadata(st, "format"), ==, "pt");
    g_assert_null(cg_safetensors_metadata(st, "other"));
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const CgSafetensor *e = cg_safetensors_nth(st, i);
        g_assert_cmpstr(e->name, ==, rows[i].name);
        g_assert_true(e == cg_safetensors_find(st, rows[i].name));
        g_assert_cmpint(e->dtype, ==, rows[i].dtype);
        g_assert_true(cg_shape_equal(&e->shape, &rows[i].shape));
        g_autoptr(CgTensor) t = cg_safetensors_tensor(st, e);
        g_assert_cmpuint(cg_tensor_bytes(t), ==, e->size);
        if (e->dtype <= CG_F16 && t->count > 1) {
            g_autoptr(CgTensor) f = cg_tensor_copy(t, CG_F32);
            for (size_t k = 0; k < f->count; k++) {
                float want = (float)k * 0.37f - 3.0f;
                float unit = e->dtype == CG_BF16 ? 0x1p-8f : e->dtype == CG_F16 ? 0x1p-11f : 2e-7f;
                g_assert_cmpfloat_with_epsilon(cg_tensor_f32(f)[k], want,
                                               fabsf(want) * unit + 3e-7f);
            }
        }
    }
    g_autoptr(CgTensor) scalar = cg_safetensors_tensor(st, cg_safetensors_find(st, "scalar"));
    g_assert_cmpfloat(cg_tensor_f32(scalar)[0], ==, 2.5f);
    g_autoptr(CgTensor) ids = cg_safetensors_tensor(st, cg_safetensors_find(st, "position_ids"));
    g_assert_cmpint((int)((int64_t *)ids->data)[3], ==, 3);
}

static void our_file_is_upstreams_byte_by_byte(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *out = cg_test_folder_path(dir, "mixed.safetensors");
    g_autofree char *fixture = cg_test_fixture("safetensors/mixed.safetensors");
    g_autoptr(CgSafetensors) st = open_mixed();
    g_autoptr(CgSafetensorsWriter) w = cg_safetensors_writer_new();

    cg_safetensors_writer_metadata(w, "format", "pt");
    for (guint i = 0; i < cg_safetensors_count(st); i++) {
        const CgSafetensor *e = cg_safetensors_nth(st, i);
        cg_safetensors_writer_declare(w, e->name, e->dtype, e->shape);
    }
    g_assert_true(cg_safetensors_writer_begin(w, out, &error));
    for (guint i = 0; i < cg_safetensors_writer_count(w); i++) {
        const CgSafetensor *e = cg_safetensors_find(st, cg_safetensors_writer_nth(w, i));
        g_assert_true(cg_safetensors_writer_put(w, e->data, e->size, &error));
    }
    g_assert_true(cg_safetensors_writer_commit(g_steal_pointer(&w), &error));

    g_autofree char *ours = NULL, *theirs = NULL;
    gsize our_size, their_size;
    g_assert_true(g_file_get_contents(out, &ours, &our_size, NULL));
    g_assert_true(g_file_get_contents(fixture, &theirs, &their_size, NULL));
    g_assert_cmpmem(ours, our_size, theirs, their_size);
}

static void saved_tensors_come_back_under_their_names(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_path(dir, "two.safetensors");
    g_autoptr(CgTensor) a = cg_tensor_new(CG_BF16, CG_SHAPE(3));
    g_autoptr(CgTensor) b = cg_tensor_new(CG_F32, CG_SHAPE(2, 1));
    memcpy(a->data, (uint16_t[]){1, 2, 3}, 6);
    memcpy(b->data, (float[]){0.5f, -4.f}, 8);
    g_assert_true(
        cg_safetensors_save(path, (const char *[]){"a", "b"}, (CgTensor *[]){a, b}, 2, &error));
    g_autoptr(CgSafetensors) st = cg_safetensors_open(path, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(cg_safetensors_find(st, "a")->data, 6, a->data, 6);
    g_assert_cmpmem(cg_safetensors_find(st, "b")->data, 8, b->data, 8);
    g_assert_cmpuint(cg_test_folder_count(dir), ==, 1);
}

static void file_without_tensors_is_valid(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_path(dir, "none.safetensors");
    g_autofree char *data = NULL;
    gsize size;
    g_assert_true(cg_safetensors_save(path, NULL, NULL, 0, &error));
    g_assert_true(g_file_get_contents(path, &data, &size, NULL));
    g_assert_cmpmem(data, size, "\x08\0\0\0\0\0\0\0{}      ", 16);
    g_autoptr(CgSafetensors) st = cg_safetensors_open(path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(cg_safetensors_count(st), ==, 0);
}

static void writer_refuses_wrong_declarations(void)
{
    static const struct {
        const char *first, *second;
        CgShape shape;
        const char *message;
    } rows[] = {
        {"a", "a", {1, {1}}, "the name is used twice"},
        {"a", "__metadata__", {1, {1}}, "reserves this name"},
        {"a", "\xff", {1, {1}}, "not UTF-8"},
        {"a", "b", {2, {G_MAXINT64, 4}}, "overflows"},
        {"a", "b", {1, {-1}}, "overflows"},
        {"a", "b", {1, {(int64_t)1 << 60}}, "make room"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(CgTestFolder) dir = cg_test_folder_new();
        g_autofree char *path = cg_test_folder_path(dir, "x.safetensors");
        g_autoptr(CgSafetensorsWriter) w = cg_safetensors_writer_new();
        cg_safetensors_writer_declare(w, rows[i].first, CG_F32, CG_SHAPE(1));
        cg_safetensors_writer_declare(w, rows[i].second, CG_U8, rows[i].shape);
        g_assert_false(cg_safetensors_writer_begin(w, path, &error));
        g_assert_nonnull(strstr(error->message, rows[i].message));
        g_assert_true(g_str_has_prefix(error->message, path));
        g_assert_cmpuint(cg_test_folder_count(dir), ==, 0);
    }
}

static CgSafetensorsWriter *begun_writer(const char *path)
{
    g_autoptr(GError) error = NULL;
    CgSafetensorsWriter *w = cg_safetensors_writer_new();
    cg_safetensors_writer_declare(w, "a", CG_U8, CG_SHAPE(2));
    cg_safetensors_writer_declare(w, "b", CG_U8, CG_SHAPE(3));
    g_assert_true(cg_safetensors_writer_begin(w, path, &error));
    return w;
}

static void unfinished_file_never_appears(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_path(dir, "x.safetensors");
    {
        g_autoptr(GError) error = NULL;
        g_autoptr(CgSafetensorsWriter) w = begun_writer(path);
        g_assert_false(cg_safetensors_writer_put(w, "xyz", 3, &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_SHAPE);
    }
    g_assert_cmpuint(cg_test_folder_count(dir), ==, 0);
    {
        g_autoptr(GError) error = NULL;
        CgSafetensorsWriter *w = begun_writer(path);
        g_assert_true(cg_safetensors_writer_put(w, "xy", 2, NULL));
        g_assert_false(cg_safetensors_writer_commit(w, &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_MISSING);
        g_assert_nonnull(strstr(error->message, "\"b\""));
    }
    g_assert_cmpuint(cg_test_folder_count(dir), ==, 0);
}

static void tensor_outlives_its_file(void)
{
    CgSafetensors *st = open_mixed();
    g_autoptr(CgTensor) t = cg_safetensors_tensor(st, cg_safetensors_find(st, "zeta.weight"));
    cg_safetensors_free(st);
    g_assert_cmpfloat(cg_tensor_f32(t)[0], ==, -3.f);
}

static void released_pages_can_be_read_again(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_path(dir, "big.safetensors");
    g_autoptr(CgTensor) t = cg_tensor_new(CG_F32, CG_SHAPE(100003));
    for (int i = 0; i < 100003; i++)
        cg_tensor_f32(t)[i] = (float)i;
    g_assert_true(cg_safetensors_save(path, (const char *[]){"t"}, &t, 1, &error));
    g_autoptr(CgSafetensors) st = cg_safetensors_open(path, &error);
    const CgSafetensor *e = cg_safetensors_find(st, "t");
    g_assert_cmpmem(e->data, e->size, t->data, e->size);
    cg_safetensors_release(st, e);
    g_assert_cmpmem(e->data, e->size, t->data, e->size);
}

static void what_is_no_file_is_refused(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *missing = cg_test_folder_path(dir, "missing.safetensors");
    g_autofree char *fifo = cg_test_folder_path(dir, "fifo");
    g_autofree char *below = g_build_filename(fifo, "x", NULL);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    const struct {
        const char *path;
        CgErrorCode code;
        const char *message;
    } rows[] = {
        {missing, CG_ERROR_MISSING, "No such file"},
        {below, CG_ERROR_MISSING, "Not a directory"},
        {dir->path, CG_ERROR_IO, "is a folder"},
        {fifo, CG_ERROR_IO, "is a device or pipe"},
        {"/dev/zero", CG_ERROR_IO, "is a device or pipe"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(cg_safetensors_open(rows[i].path, &error));
        g_assert_error(error, CG_ERROR, (gint)rows[i].code);
        g_assert_true(g_str_has_prefix(error->message, rows[i].path));
        g_assert_nonnull(strstr(error->message, rows[i].message));
    }
}

static void unreadable_file_is_refused(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_file(dir, "x.safetensors", "", 0);
    const uid_t user = geteuid();
    g_assert_cmpint(g_chmod(dir->path, 0755), ==, 0);
    g_assert_cmpint(g_chmod(path, 0), ==, 0);
    /* root may read everything; nobody may not */
    if (user == 0 && seteuid(65534) != 0) {
        g_test_skip("root may read everything, and cannot be left here");
        return;
    }
    CgSafetensors *st = cg_safetensors_open(path, &error);
    g_assert_cmpint(seteuid(user), ==, 0);
    g_assert_null(st);
    g_assert_error(error, CG_ERROR, CG_ERROR_IO);
    g_assert_nonnull(strstr(error->message, "Permission denied"));
}

#define TEST(name) g_test_add_func("/safetensors/" #name, name)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST(hostile_headers_are_refused);
    TEST(hostile_lengths_are_refused);
    TEST(embedded_nul_in_the_header_is_refused);
    TEST(deep_nesting_is_refused);
    TEST(every_truncation_of_a_good_file_is_refused);
    TEST(unusual_but_valid_headers_are_read);
    TEST(dtypes_we_lack_are_listed_by_name);
    TEST(high_ranks_are_listed_with_their_rank);
    TEST(escapes_in_names_are_decoded);
    TEST(misaligned_data_is_copied);
    TEST(a_hundred_thousand_tensors_are_sorted_and_found);
    TEST(upstream_file_is_read);
    TEST(our_file_is_upstreams_byte_by_byte);
    TEST(saved_tensors_come_back_under_their_names);
    TEST(file_without_tensors_is_valid);
    TEST(writer_refuses_wrong_declarations);
    TEST(unfinished_file_never_appears);
    TEST(tensor_outlives_its_file);
    TEST(released_pages_can_be_read_again);
    TEST(what_is_no_file_is_refused);
    TEST(unreadable_file_is_refused);
    return g_test_run();
}
