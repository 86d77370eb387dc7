/* Embeddings and distances of groups against scikit-learn, scipy and numpy. */
#include "base/error.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/system.h"
#include "embedding/clusters.h"
#include "embedding/eigen.h"
#include "embedding/frechet.h"
#include "embedding/inception_score.h"
#include "embedding/kernel_distance.h"
#include "embedding/neighbours.h"
#include "embedding/pca.h"
#include "embedding/tsne.h"
#include "support/folder.h"

#include <math.h>
#include <string.h>

#define PERPLEXITY 7.0
#define NEIGHBOURS 22 /* 3 * perplexity + 1, as scikit-learn takes */

static json_t *expected; /* of the oracle */

static double number(const char *key)
{
    return json_number_value(json_object_get(expected, key));
}

/* The numbers of KEY, rows below each other; free with g_free. */
static double *numbers(const char *key, size_t *rows, size_t *columns)
{
    const json_t *table = json_object_get(expected, key);
    *rows = json_array_size(table);
    const gboolean flat = !json_is_array(json_array_get(table, 0));
    *columns = flat ? 1 : json_array_size(json_array_get(table, 0));
    double *out = g_new(double, *rows **columns);
    for (size_t i = 0; i < *rows; i++)
        for (size_t j = 0; j < *columns; j++) {
            const json_t *row = json_array_get(table, i);
            out[i * *columns + j] = json_number_value(flat ? row : json_array_get(row, j));
        }
    return out;
}

static CgFeatures *group(const char *key)
{
    size_t rows, columns;
    g_autofree double *values = numbers(key, &rows, &columns);
    CgFeatures *f = cg_features_new(rows, columns);
    for (size_t i = 0; i < rows * columns; i++)
        f->values[i] = (float)values[i];
    return f;
}

static CgFeatures *both(void)
{
    g_autoptr(CgFeatures) a = group("a");
    g_autoptr(CgFeatures) b = group("b");
    return cg_features_join((CgFeatures *[]){a, b}, 2, NULL);
}

static void assert_equal(const double *found, const char *key, double limit)
{
    size_t rows, columns;
    g_autofree double *wanted = numbers(key, &rows, &columns);
    for (size_t i = 0; i < rows * columns; i++)
        g_assert_cmpfloat_with_epsilon(found[i], wanted[i], limit);
}

/* P above the diagonal, row by row. */
static double *upper_triangle(const CgAffinity *p)
{
    double *out = g_new0(double, p->count *(p->count - 1) / 2);
    for (size_t i = 0; i < p->count; i++)
        for (size_t e = p->begin[i]; e < p->begin[i + 1]; e++) {
            const size_t j = p->column[e];
            if (j > i)
                out[i * p->count - i * (i + 1) / 2 + j - i - 1] = p->value[e];
        }
    return out;
}

static void eigenvectors_rebuild_the_matrix(void)
{
    enum { N = 17 };
    float draws[N * N];
    double m[N * N], v[N * N], values[N];
    cg_rng_normals(1, 0, 0, draws, N * N);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            m[i * N + j] = i / 3 == j / 3 ? 0 : (double)draws[i * N + j] + (double)draws[j * N + i];
    memcpy(v, m, sizeof m);
    g_assert_true(cg_eigen_symmetric(v, values, N));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double rebuilt = 0, product = 0;
            for (int k = 0; k < N; k++) {
                rebuilt += v[k * N + i] * values[k] * v[k * N + j];
                product += v[i * N + k] * v[j * N + k];
            }
            g_assert_cmpfloat_with_epsilon(rebuilt, m[i * N + j], 1e-12);
            g_assert_cmpfloat_with_epsilon(product, i == j, 1e-13);
        }
    for (int i = 1; i < N; i++)
        g_assert_cmpfloat(values[i - 1], <=, values[i]);
}

static void diagonal_and_infinite_matrices_are_told_apart(void)
{
    double diagonal[9] = {3, 0, 0, 0, 1, 0, 0, 0, 2}, values[3];
    double broken[4] = {1, NAN, NAN, 1};
    g_assert_true(cg_eigen_symmetric(diagonal, values, 3));
    g_assert_cmpfloat(values[0], ==, 1);
    g_assert_cmpfloat(values[2], ==, 3);
    g_assert_false(cg_eigen_symmetric(broken, values, 2));
}

static void components_are_those_of_scikit_learn(void)
{
    g_autoptr(CgFeatures) f = both();
    g_autofree double *scores = g_new(double, 3 * f->count);
    double variances[3];
    g_assert_true(cg_pca(f, 3, scores, variances, NULL));
    assert_equal(scores, "pca", 1e-10);
    assert_equal(variances, "pca_variances", 1e-10);
}

static void components_of_few_rows_come_from_their_products(void)
{
    /* Three points in ten dimensions: distances within the plane are kept. */
    g_autoptr(CgFeatures) f = cg_features_new(3, 10);
    cg_rng_normals(2, 0, 0, f->values, 30);
    double scores[3 * 4], variances[4];
    g_assert_true(cg_pca(f, 4, scores, variances, NULL));
    for (size_t i = 1; i < 3; i++) {
        const double dx = scores[0] - scores[4 * i], dy = scores[1] - scores[4 * i + 1];
        g_assert_cmpfloat_with_epsilon(
            dx * dx + dy * dy,
            cg_squared_distance(cg_features_row(f, 0), cg_features_row(f, i), 10), 1e-10);
    }
    g_assert_cmpfloat(variances[2], ==, 0);
    g_assert_cmpfloat(scores[3], ==, 0);
}

static void affinities_are_those_of_scikit_learn(void)
{
    g_autoptr(CgFeatures) f = both();
    g_autoptr(CgAffinity) exact = cg_affinity_new(f, f->count - 1, PERPLEXITY, NULL);
    g_autoptr(CgAffinity) near = cg_affinity_new(f, NEIGHBOURS, PERPLEXITY, NULL);
    g_autofree double *p = upper_triangle(exact), *p_near = upper_triangle(near);
    assert_equal(p, "p", 1e-8);
    assert_equal(p_near, "p_near", 1e-8);
}

static void exact_gradient_is_that_of_scikit_learn(void)
{
    size_t rows, columns;
    g_autoptr(CgFeatures) f = both();
    g_autofree double *y = numbers("y", &rows, &columns);
    g_autofree double *gradient = g_new(double, 2 * rows);
    g_autoptr(CgAffinity) p = cg_affinity_new(f, f->count - 1, PERPLEXITY, NULL);
    g_assert_cmpfloat_with_epsilon(cg_tsne_gradient(p, y, 0, 1, gradient), number("kl"), 1e-6);
    assert_equal(gradient, "gradient", 1e-8);
}

static void far_points_together_are_nearly_the_exact_gradient(void)
{
    enum { N = 900 };
    float draws[2 * N];
    double y[2 * N], exact[2 * N], near[2 * N], off = 0, all = 0;
    cg_rng_normals(3, 0, 0, draws, 2 * N);
    for (int i = 0; i < 2 * N; i++)
        y[i] = 20 * (double)draws[i];
    memcpy(y + 2, y, 2 * sizeof *y); /* two points in one place */
    g_autoptr(CgFeatures) f = cg_features_new(N, 2);
    memcpy(f->values, draws, sizeof draws);
    g_autoptr(CgAffinity) p = cg_affinity_new(f, 30, 10, NULL);
    const double kl = cg_tsne_gradient(p, y, 0, 1, exact);
    g_assert_cmpfloat_with_epsilon(cg_tsne_gradient(p, y, 0.5, 1, near), kl, 0.02);
    for (int i = 0; i < 2 * N; i++) {
        off += (near[i] - exact[i]) * (near[i] - exact[i]);
        all += exact[i] * exact[i];
    }
    g_assert_cmpfloat(sqrt(off / all), <, 0.02);
    g_assert_cmpfloat(off, >, 0);
}

static void exaggeration_multiplies_the_attraction(void)
{
    size_t rows, columns;
    g_autoptr(CgFeatures) f = both();
    g_autofree double *y = numbers("y", &rows, &columns);
    g_autoptr(CgAffinity) p = cg_affinity_new(f, NEIGHBOURS, PERPLEXITY, NULL);
    g_autofree double *g1 = g_new(double, 2 * rows), *g2 = g_new(double, 2 * rows);
    g_autofree double *g3 = g_new(double, 2 * rows);
    cg_tsne_gradient(p, y, 0, 1, g1);
    cg_tsne_gradient(p, y, 0, 2, g2);
    cg_tsne_gradient(p, y, 0, 3, g3);
    for (size_t i = 0; i < 2 * rows; i++)
        g_assert_cmpfloat_with_epsilon(g3[i] - g2[i], g2[i] - g1[i], 1e-12);
}

static double embed(const CgFeatures *f, double angle, gboolean random, double *y)
{
    CgTsne settings = cg_tsne_defaults();
    double kl;
    settings.perplexity = PERPLEXITY;
    settings.angle = angle;
    settings.random = random;
    settings.seed = 4;
    g_assert_true(cg_tsne(f, &settings, y, &kl, NULL));
    return kl;
}

static void first_steps_are_those_of_scikit_learn(void)
{
    g_autoptr(CgFeatures) f = both();
    g_autofree double *y = g_new(double, 2 * f->count);
    CgTsne settings = cg_tsne_defaults();
    settings.perplexity = PERPLEXITY;
    settings.exaggerated = 30;
    settings.iterations = 40;
    g_assert_true(cg_tsne(f, &settings, y, NULL, NULL));
    assert_equal(y, "steps", 1e-3); /* the oracle has distances in f32 */
}

static void divergence_reached_is_as_low_as_that_of_scikit_learn(void)
{
    g_autoptr(CgFeatures) f = both();
    g_autofree double *y = g_new(double, 2 * f->count);
    const double wanted = number("tsne_kl");
    /* Of 68 points without structure there are many embeddings about as good. */
    g_assert_cmpfloat(embed(f, 0, FALSE, y), <, 1.1 * wanted);
    g_assert_cmpfloat(embed(f, 0.5, FALSE, y), <, 1.1 * wanted);
    g_assert_cmpfloat(embed(f, 0, TRUE, y), <, 1.15 * wanted);
}

static void embedding_does_not_depend_on_threads(void)
{
    g_autoptr(CgFeatures) f = both();
    g_autofree double *one = g_new(double, 2 * f->count), *three = g_new(double, 2 * f->count);
    cg_threads_set(1);
    embed(f, 0.5, TRUE, one);
    cg_threads_set(3);
    embed(f, 0.5, TRUE, three);
    cg_threads_set(0);
    g_assert_cmpmem(one, 2 * f->count * sizeof *one, three, 2 * f->count * sizeof *three);
}

static void too_few_points_are_refused(void)
{
    g_autoptr(CgFeatures) f = cg_features_new(90, 3);
    g_autofree double *y = g_new(double, 180);
    g_autoptr(GError) error = NULL;
    const CgTsne settings = cg_tsne_defaults();
    g_assert_false(cg_tsne(f, &settings, y, NULL, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
    g_assert_nonnull(strstr(error->message, "below 30"));
}

static void trustworthiness_is_that_of_scikit_learn(void)
{
    size_t rows, columns;
    double found;
    g_autoptr(CgFeatures) f = both();
    g_autofree double *y = numbers("y", &rows, &columns);
    g_assert_true(cg_trustworthiness(f, y, 5, &found, NULL));
    g_assert_cmpfloat_with_epsilon(found, number("trustworthiness"), 1e-9);
}

/* Rows FIRST .. FIRST + 8 of F beside the nine rows after them. */
static CgFeatures *wide(const CgFeatures *f)
{
    CgFeatures *out = cg_features_new(9, 2 * f->width);
    for (size_t i = 0; i < 9; i++)
        for (size_t half = 0; half < 2; half++)
            memcpy(cg_features_row(out, i) + half * f->width, cg_features_row(f, i + 9 * half),
                   f->width * sizeof *f->values);
    return out;
}

static void frechet_distance_is_that_of_scipy(void)
{
    double found;
    g_autoptr(CgFeatures) a = group("a");
    g_autoptr(CgFeatures) b = group("b");
    g_assert_true(cg_frechet_distance(a, b, &found, NULL));
    g_assert_cmpfloat_with_epsilon(found, number("frechet"), 1e-8);
    g_assert_true(cg_frechet_distance(a, a, &found, NULL));
    g_assert_cmpfloat_with_epsilon(found, 0, 1e-9);
}

static void frechet_distance_of_few_pictures_is_that_of_scipy(void)
{
    double found;
    g_autoptr(CgFeatures) a = group("a");
    g_autoptr(CgFeatures) b = group("b");
    g_autoptr(CgFeatures) few_a = wide(a);
    g_autoptr(CgFeatures) few_b = wide(b);
    g_assert_true(cg_frechet_distance(few_a, few_b, &found, NULL));
    g_assert_cmpfloat_with_epsilon(found, number("frechet_wide"), 1e-5);
}

static void assert_estimate(const CgEstimate *e, double value, double error, double limit)
{
    g_assert_cmpfloat_with_epsilon(e->value, value, limit);
    g_assert_cmpfloat_with_epsilon((e->high - e->value) / 1.959963984540054, error, limit);
}

static void frechet_interval_is_that_of_the_derivatives(void)
{
    CgEstimate found, swapped;
    g_autoptr(CgFeatures) a = group("a");
    g_autoptr(CgFeatures) b = group("b");
    g_assert_true(cg_frechet_estimate(a, b, &found, NULL));
    assert_estimate(&found, number("frechet"), sqrt(number("frechet_variance")), 1e-6);
    g_assert_true(cg_frechet_estimate(b, a, &swapped, NULL));
    g_assert_cmpfloat_with_epsilon(found.high, swapped.high, 1e-8);
    g_assert_cmpfloat_with_epsilon(found.low, 2 * found.value - found.high, 1e-12);

    g_autoptr(CgFeatures) few_a = wide(a);
    g_autoptr(CgFeatures) few_b = wide(b);
    g_assert_true(cg_frechet_estimate(few_a, few_b, &found, NULL));
    assert_estimate(&found, number("frechet_wide"), sqrt(number("frechet_wide_variance")), 1e-4);
}

static void inception_score_is_that_of_its_formula(void)
{
    g_autoptr(CgFeatures) logits = group("a");
    const CgEstimate e = cg_inception_score(logits->values, logits->count, logits->width);
    const double reach = 1.959963984540054 * number("inception_error");
    g_assert_cmpfloat_with_epsilon(e.value, number("inception_score"), 1e-9);
    g_assert_cmpfloat_with_epsilon(e.high, e.value * exp(reach), 1e-9);
    g_assert_cmpfloat_with_epsilon(e.low, e.value / exp(reach), 1e-9);
}

static void inception_score_is_one_to_the_number_of_classes(void)
{
    const float same[] = {3, 1, 3, 1, 3, 1}, apart[] = {900, 0, 0, 0, 900, 0, 0, 0, 900};
    CgEstimate e = cg_inception_score(same, 3, 2);
    g_assert_cmpfloat_with_epsilon(e.value, 1, 1e-12);
    e = cg_inception_score(apart, 3, 3);
    g_assert_cmpfloat_with_epsilon(e.value, 3, 1e-12);
    e = cg_inception_score(apart, 1, 3);
    g_assert_cmpfloat_with_epsilon(e.value, 1, 1e-12);
    g_assert_true(isnan(e.low) && isnan(e.high));
}

static void clusters_are_those_of_all_pairs(void)
{
    g_auto(CgClusters) found = {0};
    g_autoptr(CgFeatures) a = group("a");
    g_autoptr(CgFeatures) b = group("b");
    CgFeatures shots = {3, b->width, b->values};
    g_assert_true(cg_clusters_measure(a, &shots, &found, NULL));
    const json_t *nearest = json_object_get(expected, "cluster_nearest");
    for (size_t i = 0; i < a->count; i++)
        g_assert_cmpint(found.nearest[i], ==, json_integer_value(json_array_get(nearest, i)));
    double distances[3];
    for (int k = 0; k < 3; k++)
        distances[k] = found.clusters[k].distance;
    assert_equal(distances, "cluster_distances", 1e-9);
    assert_estimate(&found.diversity, number("cluster_diversity"), number("cluster_error"), 1e-9);
}

static void copies_of_the_shots_have_no_diversity(void)
{
    const float twice[] = {1, 2, 5, 6, 1, 2, 5, 6, 1, 2}, far[] = {5, 6, 1, 2, 90, 90};
    CgFeatures f = {5, 2, (float *)(guintptr)twice}, shots = {3, 2, (float *)(guintptr)far};
    g_auto(CgClusters) found = {0};
    g_assert_true(cg_clusters_measure(&f, &shots, &found, NULL));
    g_assert_cmpfloat(found.diversity.value, ==, 0);
    g_assert_cmpuint(found.clusters[1].count, ==, 3);
    g_assert_cmpuint(found.clusters[2].count, ==, 0);
    g_assert_true(isnan(found.clusters[2].distance));
    g_assert_true(isnan(found.diversity.low)); /* a cluster of two says nothing about its error */
}

static void clusters_of_one_picture_each_have_no_pairs(void)
{
    const float apart[] = {1, 2, 5, 6};
    CgFeatures f = {2, 2, (float *)(guintptr)apart};
    g_auto(CgClusters) found = {0};
    g_assert_true(cg_clusters_measure(&f, &f, &found, NULL));
    g_assert_true(isnan(found.diversity.value));
}

static void kernel_distance_is_the_unbiased_one(void)
{
    const CgKernelOptions options = {.draws = 200, .subsets = 10, .subset_size = 1000, .seed = 1};
    CgKernelDistance found;
    g_autoptr(CgFeatures) a = group("a");
    g_autoptr(CgFeatures) b = group("b");
    g_assert_true(cg_kernel_distance(a, b, &options, &found, NULL));
    g_assert_cmpfloat_with_epsilon(found.value, number("kernel_distance"), 1e-8);
    g_assert_cmpfloat(found.low, <, found.value);
    g_assert_cmpfloat(found.high, >, found.value);
    /* Subsets of all rows are all rows. */
    g_assert_cmpfloat_with_epsilon(found.mean, found.value, 1e-12);
    g_assert_cmpfloat_with_epsilon(found.deviation, 0, 1e-12);
}

static void kernel_distance_of_published_example(void)
{
    /* Binkowski's estimator worked out by hand for three rows each; it may be negative. */
    const float x[] = {1, 0, 2, 0, 1, 1, 2, 1, 0}, y[] = {1, 1, 1, 0, 2, 1, 2, 0, 2};
    CgFeatures a = {3, 3, (float *)(guintptr)x}, b = {3, 3, (float *)(guintptr)y};
    CgKernelDistance found;
    g_assert_true(cg_kernel_distance(&a, &b, &(CgKernelOptions){0}, &found, NULL));
    g_assert_cmpfloat_with_epsilon(found.value, -5.950617284, 1e-8);
    g_assert_true(isnan(found.low) && isnan(found.mean));
}

static void subsets_spread_around_the_value(void)
{
    const CgKernelOptions options = {.subsets = 300, .subset_size = 14, .seed = 2};
    CgKernelDistance found;
    g_autoptr(CgFeatures) a = group("a");
    g_autoptr(CgFeatures) b = group("b");
    g_assert_true(cg_kernel_distance(a, b, &options, &found, NULL));
    g_assert_cmpfloat(found.deviation, >, 0);
    g_assert_cmpfloat(fabs(found.mean - found.value), <, 4 * found.deviation / sqrt(300));
}

static void two_sample_accuracy_is_that_of_scikit_learn(void)
{
    CgMeanInterval found;
    g_autoptr(CgFeatures) a = group("a");
    g_autoptr(CgFeatures) b = group("b");
    g_assert_true(cg_two_sample_accuracy(a, b, 0, &found, NULL));
    g_assert_cmpfloat_with_epsilon(found.mean, number("two_sample_accuracy"), 1e-12);
    g_assert_cmpfloat(found.low, <, found.mean);
    g_assert_cmpfloat(found.high, >, found.mean);
}

static void neighbours_tell_the_group_that_is_near(void)
{
    const float near[] = {0, 0.1f, 0.2f, 0.3f}, far[] = {9, 9.1f, 9.2f, 9.3f};
    const float mixed[] = {0.05f, 9.05f};
    CgFeatures a = {4, 1, (float *)(guintptr)near}, b = {4, 1, (float *)(guintptr)far};
    CgFeatures f = {2, 1, (float *)(guintptr)mixed};
    CgMeanInterval found;
    g_assert_true(cg_neighbour_share(&f, &a, &b, 3, 0, &found, NULL));
    g_assert_cmpfloat(found.mean, ==, 0.5);
    f.count = 1;
    g_assert_true(cg_neighbour_share(&f, &a, &b, 3, 0, &found, NULL));
    g_assert_cmpfloat(found.mean, ==, 1);
    g_assert_true(cg_two_sample_accuracy(&a, &b, 0, &found, NULL));
    g_assert_cmpfloat(found.mean, ==, 1);
}

static void groups_of_other_widths_are_refused(void)
{
    g_autoptr(CgFeatures) a = cg_features_new(4, 3);
    g_autoptr(CgFeatures) b = cg_features_new(4, 5);
    g_autoptr(GError) error = NULL;
    double out;
    g_assert_false(cg_frechet_distance(a, b, &out, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_SHAPE);
    g_clear_error(&error);
    CgKernelDistance kernel;
    g_assert_false(cg_kernel_distance(a, b, &(CgKernelOptions){0}, &kernel, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_SHAPE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autofree char *path = cg_test_fixture("embedding/expected.json");
    expected = cg_json_load(path, NULL);
    g_assert_nonnull(expected);
#define ADD(test) g_test_add_func("/embedding/" #test, test)
    ADD(eigenvectors_rebuild_the_matrix);
    ADD(diagonal_and_infinite_matrices_are_told_apart);
    ADD(components_are_those_of_scikit_learn);
    ADD(components_of_few_rows_come_from_their_products);
    ADD(affinities_are_those_of_scikit_learn);
    ADD(exact_gradient_is_that_of_scikit_learn);
    ADD(far_points_together_are_nearly_the_exact_gradient);
    ADD(exaggeration_multiplies_the_attraction);
    ADD(first_steps_are_those_of_scikit_learn);
    ADD(divergence_reached_is_as_low_as_that_of_scikit_learn);
    ADD(embedding_does_not_depend_on_threads);
    ADD(too_few_points_are_refused);
    ADD(trustworthiness_is_that_of_scikit_learn);
    ADD(frechet_distance_is_that_of_scipy);
    ADD(frechet_distance_of_few_pictures_is_that_of_scipy);
    ADD(frechet_interval_is_that_of_the_derivatives);
    ADD(inception_score_is_that_of_its_formula);
    ADD(inception_score_is_one_to_the_number_of_classes);
    ADD(clusters_are_those_of_all_pairs);
    ADD(copies_of_the_shots_have_no_diversity);
    ADD(clusters_of_one_picture_each_have_no_pairs);
    ADD(kernel_distance_is_the_unbiased_one);
    ADD(kernel_distance_of_published_example);
    ADD(subsets_spread_around_the_value);
    ADD(two_sample_accuracy_is_that_of_scikit_learn);
    ADD(neighbours_tell_the_group_that_is_near);
    ADD(groups_of_other_widths_are_refused);
    const int status = g_test_run();
    json_decref(expected);
    return status;
}
