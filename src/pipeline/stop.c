#include "pipeline/stop.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

#define EXAMPLES      "for example \"obedience>=0.8 for 3\", \"loss<0.02\" or \"plateau 2000\""
#define MAX_COUNT     1000000000
#define DEFAULT_SHARE 0.01 /* by which a plateau's loss must fall */

typedef enum { MEASURE_LOSS, MEASURE_OBEDIENCE, MEASURE_PLATEAU } Measure;
typedef enum { BELOW, BELOW_OR_AT, ABOVE, ABOVE_OR_AT } Relation;

static const char *const relation_names[] = {"<", "<=", ">", ">="};

typedef struct {
    Measure measure;
    Relation relation;
    double limit;  /* of a plateau: the share by which the loss must fall */
    guint64 count; /* times in a row; of a plateau: updates */
    /* How far it is. */
    guint64 run;  /* times in a row so far */
    double best;  /* loss */
    guint64 when; /* step of the best */
} Condition;

struct CgStop {
    GArray *conditions; /* Condition */
    guint64 updates;    /* with a loss */
    char *reason;
};

/* A reader of the rule's text. */
typedef struct {
    const char *text, *at;
    GError **error;
} Reader;

static gboolean refuse(const Reader *r, const char *wanted)
{
    if (*r->at)
        g_set_error(r->error, CG_ERROR, CG_ERROR_USAGE,
                    "--stop-when \"%s\": at \"%s\" %s was expected; " EXAMPLES, r->text, r->at,
                    wanted);
    else
        g_set_error(r->error, CG_ERROR, CG_ERROR_USAGE,
                    "--stop-when \"%s\": %s is missing at the end; " EXAMPLES, r->text, wanted);
    return FALSE;
}

static void skip_space(Reader *r)
{
    while (g_ascii_isspace(*r->at))
        r->at++;
}

/* Whether WORD stands next, and takes it. */
static gboolean take_word(Reader *r, const char *word)
{
    skip_space(r);
    const size_t length = strlen(word);
    if (strncmp(r->at, word, length) != 0 || g_ascii_isalnum(r->at[length]))
        return FALSE;
    r->at += length;
    return TRUE;
}

/* Digits with a point and an exponent perhaps: no sign, and none of strtod's other words. */
static gboolean take_number(Reader *r, const char *wanted, double most, double *out)
{
    skip_space(r);
    char *end = NULL;
    const char *digit = r->at + (*r->at == '.');
    /* 0x10 would be read as sixteen. */
    const gboolean is_hex = r->at[0] == '0' && (r->at[1] == 'x' || r->at[1] == 'X');
    if (!g_ascii_isdigit(*digit) || is_hex)
        return refuse(r, wanted);
    *out = g_ascii_strtod(r->at, &end);
    if (!isfinite(*out) || *out > most || g_ascii_isalnum(*end) || *end == '.')
        return refuse(r, wanted);
    r->at = end;
    return TRUE;
}

static gboolean take_count(Reader *r, guint64 *out)
{
    skip_space(r);
    const char *const wanted = "a whole number from 1 to 1000000000";
    guint64 value = 0;
    const char *p = r->at;
    for (; g_ascii_isdigit(*p) && value <= MAX_COUNT; p++)
        value = 10 * value + (guint64)(*p - '0');
    if (p == r->at || value < 1 || value > MAX_COUNT || g_ascii_isalnum(*p) || *p == '.')
        return refuse(r, wanted);
    r->at = p;
    *out = value;
    return TRUE;
}

static gboolean take_relation(Reader *r, Relation *out)
{
    skip_space(r);
    if (*r->at != '<' && *r->at != '>')
        return refuse(r, "<, <=, > or >=");
    const gboolean above = *r->at++ == '>', equal = *r->at == '=';
    r->at += equal;
    *out = above ? (equal ? ABOVE_OR_AT : ABOVE) : (equal ? BELOW_OR_AT : BELOW);
    return TRUE;
}

static gboolean take_plateau(Reader *r, Condition *c)
{
    c->limit = DEFAULT_SHARE;
    if (!take_count(r, &c->count))
        return FALSE;
    if (!take_word(r, "by"))
        return TRUE;
    double percent;
    if (!take_number(r, "a number of percent from 0 to 100", 100, &percent))
        return FALSE;
    skip_space(r);
    if (*r->at != '%')
        return refuse(r, "%");
    r->at++;
    c->limit = percent / 100;
    return TRUE;
}

static gboolean take_condition(Reader *r, Condition *c)
{
    *c = (Condition){.count = 1, .best = INFINITY};
    if (take_word(r, "plateau")) {
        c->measure = MEASURE_PLATEAU;
        return take_plateau(r, c);
    }
    if (take_word(r, "obedience"))
        c->measure = MEASURE_OBEDIENCE;
    else if (take_word(r, "loss"))
        c->measure = MEASURE_LOSS;
    else
        return refuse(r, "\"obedience\", \"loss\" or \"plateau\"");
    const gboolean share = c->measure == MEASURE_OBEDIENCE;
    if (!take_relation(r, &c->relation) ||
        !take_number(r, share ? "a number from 0 to 1" : "a number", share ? 1 : 1e30, &c->limit))
        return FALSE;
    return !take_word(r, "for") || take_count(r, &c->count);
}

CgStop *cg_stop_parse(const char *text, GError **error)
{
    if (strlen(text) > CG_STOP_MAX_TEXT || !g_utf8_validate(text, -1, NULL)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "--stop-when: a rule has at most %d bytes of UTF-8; " EXAMPLES,
                    CG_STOP_MAX_TEXT);
        return NULL;
    }
    g_autoptr(CgStop) stop = g_new0(CgStop, 1);
    stop->conditions = g_array_new(FALSE, FALSE, sizeof(Condition));
    Reader r = {text, text, error};
    for (;;) {
        Condition c;
        if (!take_condition(&r, &c))
            return NULL;
        g_array_append_val(stop->conditions, c);
        skip_space(&r);
        if (*r.at == '\0')
            return g_steal_pointer(&stop);
        if (*r.at == ',')
            r.at++;
        else if (!take_word(&r, "or")) {
            refuse(&r, c.measure == MEASURE_PLATEAU ? "\"by\", \"or\" or the end"
                                                    : "\"for\", \"or\" or the end");
            return NULL;
        }
    }
}

void cg_stop_free(CgStop *stop)
{
    if (!stop)
        return;
    g_array_unref(stop->conditions);
    g_free(stop->reason);
    g_free(stop);
}

gboolean cg_stop_needs_obedience(const CgStop *stop)
{
    for (guint i = 0; i < stop->conditions->len; i++)
        if (g_array_index(stop->conditions, Condition, i).measure == MEASURE_OBEDIENCE)
            return TRUE;
    return FALSE;
}

static gboolean holds(const Condition *c, double value)
{
    switch (c->relation) {
    case BELOW:
        return value < c->limit;
    case BELOW_OR_AT:
        return value <= c->limit;
    case ABOVE:
        return value > c->limit;
    default:
        return value >= c->limit;
    }
}

/* Why C is fulfilled at STEP, NULL when it is not. */
static char *update_plateau(Condition *c, guint64 step, double loss)
{
    if (!isfinite(c->best) || loss < c->best * (1 - c->limit)) {
        c->best = loss;
        c->when = step;
    }
    if (step - c->when < c->count)
        return NULL;
    return g_strdup_printf("loss %.4g, not %.3g %% below the %.4g of step %" G_GUINT64_FORMAT
                           " for %" G_GUINT64_FORMAT " updates, at step %" G_GUINT64_FORMAT,
                           loss, 100 * c->limit, c->best, c->when, step - c->when, step);
}

static char *update_threshold(Condition *c, guint64 step, double value)
{
    c->run = holds(c, value) ? c->run + 1 : 0;
    if (c->run < c->count)
        return NULL;
    GString *s = g_string_new(NULL);
    g_string_append_printf(s, "%s %.4g %s %.4g", c->measure == MEASURE_LOSS ? "loss" : "obedience",
                           value, relation_names[c->relation], c->limit);
    if (c->count > 1)
        g_string_append_printf(s, ", %" G_GUINT64_FORMAT " times in a row", c->count);
    g_string_append_printf(s, ", at step %" G_GUINT64_FORMAT, step);
    return g_string_free(s, FALSE);
}

gboolean cg_stop_update(CgStop *stop, guint64 step, double loss, double obedience)
{
    if (stop->reason)
        return TRUE;
    stop->updates += isfinite(loss) != 0;
    const gboolean has_loss = isfinite(loss) && stop->updates >= CG_STOP_LOSS_UPDATES;
    for (guint i = 0; i < stop->conditions->len; i++) {
        Condition *c = &g_array_index(stop->conditions, Condition, i);
        char *reason = NULL;
        if (c->measure == MEASURE_PLATEAU && has_loss)
            reason = update_plateau(c, step, loss);
        else if (c->measure == MEASURE_LOSS && has_loss)
            reason = update_threshold(c, step, loss);
        else if (c->measure == MEASURE_OBEDIENCE && isfinite(obedience))
            reason = update_threshold(c, step, obedience);
        if (reason && !stop->reason)
            stop->reason = reason;
        else
            g_free(reason);
    }
    return stop->reason != NULL;
}

const char *cg_stop_reason(const CgStop *stop)
{
    return stop->reason;
}
