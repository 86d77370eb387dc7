/* When a training has done enough. */
#include "base/error.h"
#include "pipeline/stop.h"

#include <math.h>
#include <string.h>

static CgStop *rule(const char *text)
{
    g_autoptr(GError) error = NULL;
    CgStop *stop = cg_stop_parse(text, &error);
    g_assert_no_error(error);
    g_assert_nonnull(stop);
    return stop;
}

/* Updates with LOSS after STEP until the rule is fulfilled, at most MOST; returns the last step. */
static guint64 run(CgStop *stop, guint64 step, double loss, guint64 most)
{
    for (guint64 i = 0; i < most; i++)
        if (cg_stop_update(stop, ++step, loss, NAN))
            break;
    return step;
}

static void obedience_must_hold_at_looks_in_a_row(void)
{
    g_autoptr(CgStop) stop = rule("obedience>=0.8 for 3");
    static const double looks[] = {0.9, 0.8, 0.79, 0.8, 0.81};
    guint64 step = 0;
    g_assert_true(cg_stop_needs_obedience(stop));
    for (gsize i = 0; i < G_N_ELEMENTS(looks); i++) {
        g_assert_false(cg_stop_update(stop, ++step, 0.1, looks[i]));
        /* No look here: neither a success nor an interruption. */
        g_assert_false(cg_stop_update(stop, ++step, 0.1, NAN));
    }
    g_assert_null(cg_stop_reason(stop));
    g_assert_true(cg_stop_update(stop, ++step, 0.1, 0.825));
    g_assert_cmpstr(cg_stop_reason(stop), ==,
                    "obedience 0.825 >= 0.8, 3 times in a row, at step 11");
    g_assert_true(cg_stop_update(stop, ++step, 9, 0)); /* what is fulfilled stays so */
}

static void each_relation_means_what_it_says(void)
{
    static const struct {
        const char *text;
        gboolean below, at, above;
    } cases[] = {
        {"obedience<0.5", TRUE, FALSE, FALSE},
        {"obedience<=0.5", TRUE, TRUE, FALSE},
        {"obedience>0.5", FALSE, FALSE, TRUE},
        {"obedience>=.5", FALSE, TRUE, TRUE},
        {" obedience  >=  5e-1  for 1 ", FALSE, TRUE, TRUE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(CgStop) a = rule(cases[i].text);
        g_autoptr(CgStop) b = rule(cases[i].text);
        g_autoptr(CgStop) c = rule(cases[i].text);
        g_assert_cmpint(cg_stop_update(a, 1, 1, 0.4), ==, cases[i].below);
        g_assert_cmpint(cg_stop_update(b, 1, 1, 0.5), ==, cases[i].at);
        g_assert_cmpint(cg_stop_update(c, 1, 1, 0.6), ==, cases[i].above);
    }
}

static void loss_says_nothing_before_enough_updates(void)
{
    g_autoptr(CgStop) stop = rule("loss<0.02");
    g_assert_false(cg_stop_needs_obedience(stop));
    g_assert_cmpuint(run(stop, 0, 0.001, 1000), ==, CG_STOP_LOSS_UPDATES);
    g_assert_cmpstr(cg_stop_reason(stop), ==, "loss 0.001 < 0.02, at step 100");
}

static void plateau_ends_what_no_longer_falls(void)
{
    g_autoptr(CgStop) stop = rule("plateau 50");
    guint64 step = run(stop, 0, 1, 100);
    step = run(stop, step, 0.98, 1);   /* 2 % lower: the count begins again */
    step = run(stop, step, 0.975, 49); /* half a percent lower is none */
    g_assert_null(cg_stop_reason(stop));
    g_assert_cmpuint(run(stop, step, 0.975, 10), ==, 151);
    g_assert_cmpstr(cg_stop_reason(stop), ==,
                    "loss 0.975, not 1 % below the 0.98 of step 101 for 50 updates, at step 151");
}

static void plateau_takes_its_percentage(void)
{
    g_autoptr(CgStop) stop = rule("plateau 10 by 50%");
    guint64 step = run(stop, 0, 1, 105);
    step = run(stop, step, 0.6, 4);
    g_assert_null(cg_stop_reason(stop));
    g_assert_cmpuint(run(stop, step, 0.6, 10), ==, 110);
    g_autoptr(CgStop) any = rule("plateau 10 by 0%");
    step = run(any, 0, 1, 100);
    for (int i = 0; i < 100; i++)
        step = run(any, step, 1 - 1e-6 * (i + 1), 1);
    g_assert_null(cg_stop_reason(any));
}

static void one_condition_of_several_is_enough(void)
{
    g_autoptr(CgStop) stop = rule("obedience>0.9 for 2, loss<0.01 or plateau 5000 by 0.5 %");
    g_assert_true(cg_stop_needs_obedience(stop));
    g_assert_false(cg_stop_update(stop, 1, 0.5, 0.95));
    g_assert_true(cg_stop_update(stop, 2, 0.5, 0.95));
    g_autoptr(CgStop) again = rule("obedience>0.9 for 2, loss<0.01 or plateau 5000 by 0.5 %");
    g_assert_cmpuint(run(again, 0, 0.5, 10000), ==, 5100);
    g_assert_true(g_str_has_prefix(cg_stop_reason(again), "loss 0.5, not 0.5 % below"));
}

static void numbers_that_are_none_are_passed_over(void)
{
    g_autoptr(CgStop) stop = rule("loss<0.5 for 3 or obedience<=1 for 2");
    g_assert_cmpuint(run(stop, 0, 0.1, 101), ==, 101);
    g_assert_false(cg_stop_update(stop, 102, NAN, NAN));
    g_assert_false(cg_stop_update(stop, 103, INFINITY, NAN));
    g_assert_true(cg_stop_update(stop, 104, 0.1, NAN));
}

static void messages_say_where_and_what(void)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "\"obedience\", \"loss\" or \"plateau\" is missing at the end"},
        {"obedience", "<, <=, > or >= is missing at the end"},
        {"obedience=0.8", "at \"=0.8\" <, <=, > or >= was expected"},
        {"obedience>=", "a number from 0 to 1 is missing"},
        {"obedience>=80", "at \"80\" a number from 0 to 1 was expected"},
        {"obedience>=0.8 fro 3", "at \"fro 3\" \"for\", \"or\" or the end was expected"},
        {"obedience>=0.8 for", "a whole number from 1 to 1000000000 is missing"},
        {"obedience>=0.8 for 0", "at \"0\" a whole number"},
        {"obedience>=0.8 for 2.5", "at \"2.5\" a whole number"},
        {"obedience>=0.8 for 99999999999999999999999", "a whole number"},
        {"obediences>=0.8", "at \"obediences>=0.8\""},
        {"loss<nan", "at \"nan\" a number was expected"},
        {"loss<0x1p3", "at \"0x1p3\" a number"},
        {"loss<-1", "at \"-1\" a number"},
        {"loss<1e999", "at \"1e999\" a number"},
        {"loss<1.2.3", "at \"1.2.3\" a number"},
        {"loss<0.5x", "a number was expected"},
        {"plateau", "a whole number from 1 to 1000000000 is missing"},
        {"plateau -5", "at \"-5\" a whole number"},
        {"plateau 5 by 3", "% is missing at the end"},
        {"plateau 5 by 300%", "at \"300%\" a number of percent from 0 to 100"},
        {"plateau 5 for 3", "at \"for 3\" \"by\", \"or\" or the end"},
        {"loss<1 or", "is missing at the end"},
        {"loss<1,,loss<2", "at \",loss<2\""},
        {"\xff", "at most 1000 bytes of UTF-8"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(cg_stop_parse(cases[i].text, &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
        g_assert_true(g_str_has_prefix(error->message, "--stop-when"));
        if (!strstr(error->message, cases[i].part))
            g_error("\"%s\" gave: %s", cases[i].text, error->message);
        g_assert_nonnull(strstr(error->message, "for example"));
    }
    g_autofree char *long_text = g_strnfill(2000, 'x');
    g_assert_null(cg_stop_parse(long_text, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name) g_test_add_func("/stop/" #name, name)
    TEST(obedience_must_hold_at_looks_in_a_row);
    TEST(each_relation_means_what_it_says);
    TEST(loss_says_nothing_before_enough_updates);
    TEST(plateau_ends_what_no_longer_falls);
    TEST(plateau_takes_its_percentage);
    TEST(one_condition_of_several_is_enough);
    TEST(numbers_that_are_none_are_passed_over);
    TEST(messages_say_where_and_what);
    return g_test_run();
}
