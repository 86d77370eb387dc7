/* What follows from how often a classifier answered what. */
#include "metrics/confusion.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

static const char *const labels[] = {"good", "crack", "a \"b\""};

/* good: 8 of 10 right, 2 taken for crack; crack: 3 of 4, 1 for good; nothing of the third. */
static CgConfusion *given(void)
{
    CgConfusion *c = cg_confusion_new(3);
    for (int i = 0; i < 10; i++)
        cg_confusion_add(c, 0, i < 2);
    for (int i = 0; i < 4; i++)
        cg_confusion_add(c, 1, i > 0);
    return c;
}

static void classes_have_precision_recall_and_f1(void)
{
    g_autoptr(CgConfusion) c = given();
    const CgConfusionClass good = cg_confusion_class(c, 0), crack = cg_confusion_class(c, 1);
    g_assert_cmpuint(good.images, ==, 10);
    g_assert_cmpfloat_with_epsilon(good.precision, 8.0 / 9, 1e-12);
    g_assert_cmpfloat_with_epsilon(good.recall, 0.8, 1e-12);
    g_assert_cmpfloat_with_epsilon(good.f1, 16.0 / 19, 1e-12);
    g_assert_cmpfloat_with_epsilon(crack.precision, 3.0 / 5, 1e-12);
    g_assert_cmpfloat_with_epsilon(crack.recall, 3.0 / 4, 1e-12);
}

static void class_without_images_and_answers_is_undefined(void)
{
    g_autoptr(CgConfusion) c = given();
    const CgConfusionClass none = cg_confusion_class(c, 2);
    g_assert_cmpuint(none.images, ==, 0);
    g_assert_true(isnan(none.precision) && isnan(none.recall) && isnan(none.f1));
}

/* Wilson's interval of 11 of 14, as statsmodels' proportion_confint(11, 14, method="wilson"). */
static void total_has_accuracy_with_an_interval(void)
{
    g_autoptr(CgConfusion) c = given();
    const CgConfusionTotal t = cg_confusion_total(c);
    g_assert_cmpuint(t.images, ==, 14);
    g_assert_cmpuint(t.right, ==, 11);
    g_assert_cmpfloat_with_epsilon(t.accuracy, 11.0 / 14, 1e-12);
    g_assert_cmpfloat_with_epsilon(t.low, 0.524108, 1e-6);
    g_assert_cmpfloat_with_epsilon(t.high, 0.924286, 1e-6);
    g_assert_cmpfloat_with_epsilon(t.mean_recall, (0.8 + 0.75) / 2, 1e-12);
}

static void without_images_all_is_undefined(void)
{
    g_autoptr(CgConfusion) c = cg_confusion_new(2);
    const CgConfusionTotal t = cg_confusion_total(c);
    g_assert_true(isnan(t.accuracy) && isnan(t.low) && isnan(t.mean_recall));
}

static void formats_agree(void)
{
    g_autoptr(CgConfusion) c = given();
    g_autofree char *text = cg_confusion_print(c, labels, CG_REPORT_TEXT, NULL);
    g_autofree char *csv = cg_confusion_print(c, labels, CG_REPORT_CSV, NULL);
    g_autofree char *json = cg_confusion_print(c, labels, CG_REPORT_JSON, NULL);
    g_assert_nonnull(strstr(text, "accuracy 78.6 % (11 of 14; 95 % interval 52.4 to 92.4)"));
    g_assert_nonnull(strstr(text, "  2 crack       4       60.0       75.0       66.7\n"));
    g_assert_nonnull(strstr(text, "\n  1       8      2      0\n  2       1      3      0\n"));
    g_assert_nonnull(strstr(csv, "\n\"crack\",4,0.6,0.75,0.666666667,1,3,0\n"));
    g_assert_nonnull(strstr(csv, "\n\"a \"\"b\"\"\",0,,,,0,0,0\n"));
    g_assert_nonnull(strstr(json, "\"confusion\":[[8,2,0],[1,3,0],[0,0,0]]"));
}

static void formats_of_papers_are_not_offered(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgConfusion) c = given();
    g_assert_null(cg_confusion_print(c, labels, CG_REPORT_LATEX, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(test) g_test_add_func("/confusion/" #test, test)
    ADD(classes_have_precision_recall_and_f1);
    ADD(class_without_images_and_answers_is_undefined);
    ADD(total_has_accuracy_with_an_interval);
    ADD(without_images_all_is_undefined);
    ADD(formats_agree);
    ADD(formats_of_papers_are_not_offered);
    return g_test_run();
}
