/* Element types, their conversion, and tensors. */
#include "base/system.h"
#include "tensor/tensor.h"

#include <math.h>

static float from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static void every_half_survives_the_way_to_float_and_back(void)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float f = cg_f32_from_f16((uint16_t)h);
        if ((h & 0x7c00) == 0x7c00 && (h & 0x3ff)) {
            g_assert_true(isnan(f));
            g_assert_cmphex(cg_f16_from_f32(f), ==, h | 0x200); /* quiet */
        } else {
            g_assert_cmphex(cg_f16_from_f32(f), ==, h);
        }
    }
}

/* The definition, in double: round to the nearest multiple of the half's last place. */
static double rounded_to_half(float f)
{
    int exponent = f == 0 ? -14 : MAX(ilogb(f), -14);
    double step = ldexp(1, exponent - 10);
    double value = nearbyint(f / step) * step;
    return fabs(value) >= 65536 ? copysign(INFINITY, f) : value;
}

static void half_rounds_to_nearest_even(void)
{
    for (uint64_t u = 0; u < 0x7f800000u; u += 4093) {
        float f = from_bits((uint32_t)u);
        g_assert_true((double)cg_f32_from_f16(cg_f16_from_f32(f)) == rounded_to_half(f));
        g_assert_true((double)cg_f32_from_f16(cg_f16_from_f32(-f)) == rounded_to_half(-f));
    }
    g_assert_cmphex(cg_f16_from_f32(65519.996f), ==, 0x7bff); /* the largest half */
    g_assert_cmphex(cg_f16_from_f32(65520.f), ==, 0x7c00);
    g_assert_cmphex(cg_f16_from_f32(0x1p-24f), ==, 0x0001);
    g_assert_cmphex(cg_f16_from_f32(0x1p-25f), ==, 0x0000); /* halfway, to even */
    g_assert_cmphex(cg_f16_from_f32(0x1.8p-24f), ==, 0x0002);
    g_assert_cmphex(cg_f16_from_f32(-INFINITY), ==, 0xfc00);
}

static void bfloat_rounds_to_nearest_even_and_keeps_nan(void)
{
    g_assert_cmphex(cg_bf16_from_f32(from_bits(0x3f808000)), ==, 0x3f80); /* halfway, even */
    g_assert_cmphex(cg_bf16_from_f32(from_bits(0x3f818000)), ==, 0x3f82); /* halfway, odd */
    g_assert_cmphex(cg_bf16_from_f32(from_bits(0x3f808001)), ==, 0x3f81);
    g_assert_cmphex(cg_bf16_from_f32(from_bits(0x7f7fffff)), ==, 0x7f80); /* up to infinity */
    g_assert_cmphex(cg_bf16_from_f32(-INFINITY), ==, 0xff80);
    g_assert_true(isnan(cg_f32_from_bf16(cg_bf16_from_f32(from_bits(0x7f800001)))));
    g_assert_true(isnan(cg_f32_from_bf16(cg_bf16_from_f32(from_bits(0xffffffff)))));
}

static float load(const void *data, CgDType dtype, size_t i)
{
    uint16_t h;
    float f;
    if (dtype == CG_F32) {
        memcpy(&f, (const char *)data + 4 * i, 4);
        return f;
    }
    memcpy(&h, (const char *)data + 2 * i, 2);
    return dtype == CG_BF16 ? cg_f32_from_bf16(h) : cg_f32_from_f16(h);
}

static float rounded_to(CgDType dtype, float f)
{
    return dtype == CG_F32    ? f
           : dtype == CG_BF16 ? cg_f32_from_bf16(cg_bf16_from_f32(f))
                              : cg_f32_from_f16(cg_f16_from_f32(f));
}

/* All pairs, from and to odd addresses, for counts on both sides of the parallel threshold. */
static void conversion_matches_the_scalar_one(void)
{
    const size_t counts[] = {0, 1, 7, 33, 16384, 16385, 100003};
    g_autofree char *from = g_malloc(4 * 100003 + 1), *to = g_malloc(4 * 100003 + 2);
    for (int pair = 0; pair < 9; pair++) {
        CgDType a = (CgDType)(pair / 3), b = (CgDType)(pair % 3);
        for (size_t k = 0; k < G_N_ELEMENTS(counts); k++) {
            size_t n = counts[k];
            for (size_t i = 0; i < n; i++) {
                float f = ((float)(i * 2654435761u % 1000003) - 500000.f) * 1.7e-6f;
                uint16_t h = a == CG_BF16 ? cg_bf16_from_f32(f) : cg_f16_from_f32(f);
                memcpy(from + 1 + i * cg_dtype_size(a), a == CG_F32 ? (void *)&f : (void *)&h,
                       cg_dtype_size(a));
            }
            memset(to, 0x5a, 4 * 100003 + 2);
            cg_dtype_convert(from + 1, a, to + 1, b, n);
            for (size_t i = 0; i < n; i++)
                g_assert_true(load(to + 1, b, i) == rounded_to(b, load(from + 1, a, i)));
            g_assert_cmphex(to[0], ==, 0x5a);
            g_assert_cmphex(to[1 + n * cg_dtype_size(b)], ==, 0x5a);
        }
    }
}

static void shape_count_refuses_what_overflows(void)
{
    const struct {
        CgShape shape;
        size_t size;
        gboolean fits;
        size_t count;
    } rows[] = {
        {{0, {0}}, 4, TRUE, 1},
        {CG_SHAPE(2, 3, 5), 4, TRUE, 30},
        {CG_SHAPE(7, 0, 9), 4, TRUE, 0},
        {CG_SHAPE(3, -1), 4, FALSE, 0},
        {CG_SHAPE(G_MAXINT64, 3), 1, FALSE, 0},
        {CG_SHAPE(G_MAXINT64, 2), 1, TRUE, (size_t)G_MAXINT64 * 2},
        {CG_SHAPE(G_MAXINT64), 4, FALSE, 0},
        {CG_SHAPE((int64_t)1 << 32, (int64_t)1 << 32), 1, FALSE, 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        size_t count = 12345;
        g_assert_true(cg_shape_checked_count(&rows[i].shape, rows[i].size, &count) == rows[i].fits);
        g_assert_cmpuint(count, ==, rows[i].fits ? rows[i].count : 12345);
    }
}

static void shape_text_reads_like_a_list(void)
{
    char text[CG_SHAPE_TEXT];
    CgShape scalar = {0}, four = CG_SHAPE(2, 64, 64, 320);
    CgShape widest = CG_SHAPE(G_MININT64, G_MININT64, G_MININT64, G_MININT64, G_MININT64);
    CgShape deep = {.rank = 9};
    g_assert_cmpstr(cg_shape_text(&scalar, text), ==, "[]");
    g_assert_cmpstr(cg_shape_text(&four, text), ==, "[2, 64, 64, 320]");
    g_assert_true(g_str_has_suffix(cg_shape_text(&widest, text), ", -9223372036854775808]"));
    g_assert_cmpstr(cg_shape_text(&deep, text), ==, "[9 dimensions]");
}

static void shapes_are_equal_by_rank_and_dims(void)
{
    CgShape a = CG_SHAPE(2, 3), b = CG_SHAPE(2, 3), c = CG_SHAPE(3, 2), d = CG_SHAPE(2, 3, 1);
    b.d[3] = 99; /* beyond the rank */
    g_assert_true(cg_shape_equal(&a, &b));
    g_assert_false(cg_shape_equal(&a, &c));
    g_assert_false(cg_shape_equal(&a, &d));
}

static void own_memory_is_aligned_and_zeros_are_zero(void)
{
    g_autoptr(CgTensor) empty = cg_tensor_new(CG_F32, CG_SHAPE(3, 0));
    g_autoptr(CgTensor) t = cg_tensor_zeros(CG_F16, CG_SHAPE(5, 13));
    g_assert_cmpuint(empty->count, ==, 0);
    g_assert_cmpuint((uintptr_t)t->data % 64, ==, 0);
    g_assert_cmpuint(cg_tensor_bytes(t), ==, 130);
    for (size_t i = 0; i < 65; i++)
        g_assert_cmphex(((uint16_t *)t->data)[i], ==, 0);
}

static void count_release(void *owner, void *data, size_t size)
{
    (void)data;
    g_assert_cmpuint(size, ==, 6 * sizeof(float));
    ++*(int *)owner;
}

static void release_runs_once_with_the_last_view(void)
{
    float data[6] = {0, 1, 2, 3, 4, 5};
    int released = 0;
    CgTensor *t =
        cg_tensor_wrap(CG_F32, CG_SHAPE(3, 2), data, sizeof data, count_release, &released);
    CgTensor *row = cg_tensor_rows(t, 1, 2);
    CgTensor *flat = cg_tensor_reshape(row, CG_SHAPE(4));
    cg_tensor_unref(t);
    cg_tensor_unref(row);
    g_assert_cmpint(released, ==, 0);
    g_assert_cmpint((int)flat->shape.d[0], ==, 4);
    for (int i = 0; i < 4; i++)
        g_assert_cmpfloat(cg_tensor_f32(flat)[i], ==, i + 2);
    cg_tensor_unref(flat);
    g_assert_cmpint(released, ==, 1);
    cg_tensor_unref(NULL);
}

static void rows_may_be_none_or_all(void)
{
    g_autoptr(CgTensor) t = cg_tensor_zeros(CG_F32, CG_SHAPE(3, 2));
    g_autoptr(CgTensor) none = cg_tensor_rows(t, 3, 0);
    g_autoptr(CgTensor) all = cg_tensor_rows(t, 0, 3);
    g_assert_cmpuint(none->count, ==, 0);
    g_assert_true(all->data == t->data && all->count == 6);
}

static void copy_converts_and_shares_nothing(void)
{
    g_autoptr(CgTensor) t = cg_tensor_new(CG_F32, CG_SHAPE(3));
    memcpy(t->data, (float[]){1.f, -2.5f, 1.00390625f}, 12);
    g_autoptr(CgTensor) b = cg_tensor_copy(t, CG_BF16);
    g_autoptr(CgTensor) c = cg_tensor_copy(t, CG_F32);
    g_assert_cmphex(((uint16_t *)b->data)[1], ==, 0xc020);
    g_assert_cmphex(((uint16_t *)b->data)[2], ==, 0x3f80);
    cg_tensor_f32(t)[0] = 9;
    g_assert_cmpfloat(cg_tensor_f32(c)[0], ==, 1.f);
}

static void set_frees_the_old_value_after_the_new_was_made(void)
{
    float data[6] = {0};
    int released = 0;
    CgTensor *h = cg_tensor_wrap(CG_F32, CG_SHAPE(6), data, sizeof data, count_release, &released);
    CG_SET(h, cg_tensor_copy(h, CG_F32));
    g_assert_cmpint(released, ==, 1);
    g_assert_true(h->data != data);
    cg_tensor_unref(h);
}

static void channels_move_last_and_back(void)
{
    const int64_t n = 2, c = 37, h = 5, w = 41;
    g_autoptr(CgTensor) t = cg_tensor_new(CG_F32, CG_SHAPE(n, c, h, w));
    for (size_t i = 0; i < t->count; i++)
        cg_tensor_f32(t)[i] = (float)i;
    g_autoptr(CgTensor) last = cg_tensor_nchw_to_nhwc(t);
    CgShape want = CG_SHAPE(n, h, w, c);
    g_assert_true(cg_shape_equal(&last->shape, &want));
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < c; k++)
            for (int64_t y = 0; y < h; y++)
                for (int64_t x = 0; x < w; x++)
                    g_assert_cmpfloat(cg_tensor_f32(last)[((i * h + y) * w + x) * c + k], ==,
                                      (float)(((i * c + k) * h + y) * w + x));
    g_autoptr(CgTensor) back = cg_tensor_nhwc_to_nchw(last);
    g_assert_true(cg_shape_equal(&back->shape, &t->shape));
    g_assert_cmpmem(back->data, cg_tensor_bytes(back), t->data, cg_tensor_bytes(t));
}

static void one_bad_element_anywhere_is_not_finite(void)
{
    const CgDType dtypes[] = {CG_F32, CG_BF16, CG_F16};
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const size_t n = 300007, places[] = {0, 1, 16384, 150001, n - 1};
    g_autoptr(CgTensor) ones = cg_tensor_new(CG_F32, CG_SHAPE((int64_t)n));
    for (size_t i = 0; i < n; i++)
        cg_tensor_f32(ones)[i] = 65504.f;
    for (size_t d = 0; d < G_N_ELEMENTS(dtypes); d++) {
        g_autoptr(CgTensor) t = cg_tensor_copy(ones, dtypes[d]);
        g_assert_true(cg_tensor_is_finite(t));
        for (size_t k = 0; k < G_N_ELEMENTS(places) * G_N_ELEMENTS(bad); k++) {
            char *at = (char *)t->data + places[k / G_N_ELEMENTS(bad)] * cg_dtype_size(dtypes[d]);
            char saved[4];
            memcpy(saved, at, cg_dtype_size(dtypes[d]));
            cg_dtype_convert(&bad[k % G_N_ELEMENTS(bad)], CG_F32, at, dtypes[d], 1);
            g_assert_false(cg_tensor_is_finite(t));
            memcpy(at, saved, cg_dtype_size(dtypes[d]));
        }
    }
    g_autoptr(CgTensor) empty = cg_tensor_new(CG_F32, CG_SHAPE(0));
    g_assert_true(cg_tensor_is_finite(empty));
}

static void wrong_shape_aborts_with_both_shapes(void)
{
    if (g_test_subprocess()) {
        g_autoptr(CgTensor) t = cg_tensor_zeros(CG_F32, CG_SHAPE(2, 3));
        cg_assert_shape("conv_in", t, CG_SHAPE(2, 3));
        cg_assert_shape("conv_in", t, CG_SHAPE(3, 2));
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*conv_in: shape ?3, 2? was expected, but it is ?2, 3?*");
}

#define TEST(name) g_test_add_func("/tensor/" #name, name)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    cg_threads_set(4); /* also where there is one core */
    TEST(every_half_survives_the_way_to_float_and_back);
    TEST(half_rounds_to_nearest_even);
    TEST(bfloat_rounds_to_nearest_even_and_keeps_nan);
    TEST(conversion_matches_the_scalar_one);
    TEST(shape_count_refuses_what_overflows);
    TEST(shape_text_reads_like_a_list);
    TEST(shapes_are_equal_by_rank_and_dims);
    TEST(own_memory_is_aligned_and_zeros_are_zero);
    TEST(release_runs_once_with_the_last_view);
    TEST(rows_may_be_none_or_all);
    TEST(copy_converts_and_shares_nothing);
    TEST(set_frees_the_old_value_after_the_new_was_made);
    TEST(channels_move_last_and_back);
    TEST(one_bad_element_anywhere_is_not_finite);
    TEST(wrong_shape_aborts_with_both_shapes);
    return g_test_run();
}
