/* Methods by name: BASE[+SOURCE[:RATIO]]. */
#include "base/error.h"
#include "pipeline/method.h"

static const double thirty[] = {0.3};
static const double sweep[] = {0, 0.25, 1};

static const CgMethod *nth(const GPtrArray *all, guint i)
{
    return g_ptr_array_index(all, i);
}

static void a_base_alone_replaces_nothing(void)
{
    g_autoptr(GPtrArray) all = cg_methods_parse("draem,cutpaste-union", thirty, 1, NULL);
    g_assert_cmpuint(all->len, ==, 2);
    g_assert_cmpstr(nth(all, 0)->name, ==, "draem");
    g_assert_cmpstr(nth(all, 1)->base, ==, "cutpaste-union");
    g_assert_null(nth(all, 1)->source);
    g_assert_cmpfloat(nth(all, 1)->ratio, ==, 0);
}

static void a_source_without_a_ratio_takes_those_given(void)
{
    g_autoptr(GPtrArray) all = cg_methods_parse("draem+cagen", thirty, 1, NULL);
    g_assert_cmpuint(all->len, ==, 1);
    g_assert_cmpstr(nth(all, 0)->name, ==, "draem+cagen:0.3");
    g_assert_cmpstr(nth(all, 0)->source, ==, "cagen");
    g_assert_cmpfloat(nth(all, 0)->ratio, ==, 0.3);
}

static void its_own_ratio_goes_before_those_given(void)
{
    g_autoptr(GPtrArray) all = cg_methods_parse("nsa+mine:0.50", sweep, 3, NULL);
    g_assert_cmpuint(all->len, ==, 1);
    g_assert_cmpstr(nth(all, 0)->name, ==, "nsa+mine:0.5");
}

static void ratio_0_is_the_base_and_comes_once(void)
{
    g_autoptr(GPtrArray) all = cg_methods_parse("draem,draem+a,draem+b", sweep, 3, NULL);
    static const char *const names[] = {"draem", "draem+a:0.25", "draem+a:1", "draem+b:0.25",
                                        "draem+b:1"};
    g_assert_cmpuint(all->len, ==, G_N_ELEMENTS(names));
    for (guint i = 0; i < all->len; i++)
        g_assert_cmpstr(nth(all, i)->name, ==, names[i]);
}

static void what_is_no_method_is_refused_with_its_text(void)
{
    static const char *const texts[] = {
        "",         "magic",       "draem+",      "draem+a:", "draem+a:0", "draem+a:1.5",
        "+cagen",   "draem+a/b",   "draem+a:0,3", "draem+..", "draem,",    "draem+1:nan",
        "draem++a", "draem+a:0.3x"};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(cg_methods_parse(texts[i], thirty, 1, &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
        g_assert_nonnull(strstr(error->message, "a method is BASE"));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/method/a_base_alone_replaces_nothing", a_base_alone_replaces_nothing);
    g_test_add_func("/method/a_source_without_a_ratio_takes_those_given",
                    a_source_without_a_ratio_takes_those_given);
    g_test_add_func("/method/its_own_ratio_goes_before_those_given",
                    its_own_ratio_goes_before_those_given);
    g_test_add_func("/method/ratio_0_is_the_base_and_comes_once",
                    ratio_0_is_the_base_and_comes_once);
    g_test_add_func("/method/what_is_no_method_is_refused_with_its_text",
                    what_is_no_method_is_refused_with_its_text);
    return g_test_run();
}
