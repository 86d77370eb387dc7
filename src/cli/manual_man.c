/* The man page: cagen(1), all commands on one page. */
#include "cli/manual.h"

#include <string.h>

/* TEXT up to LENGTH with nothing in it that troff reads as its own. */
static void put_text(FILE *to, const char *text, size_t length)
{
    if (length > 0 && (*text == '.' || *text == '\''))
        fputs("\\&", to);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\\')
            fputs("\\e", to);
        else if (text[i] == '-')
            fputs("\\-", to);
        else
            fputc(text[i], to);
    }
}

static void put(FILE *to, const char *text)
{
    put_text(to, text, strlen(text));
}

/* Lines that begin with a space are shown as they are, others flow; empty ones part paragraphs.
 * BEGIN: one ends here already. */
static void put_paragraphs(FILE *to, const char *text, gboolean begin)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    gboolean shown = FALSE;
    for (char **line = lines; *line; line++) {
        const char *rest = *line + strspn(*line, " ");
        const gboolean show = rest > *line;
        if (shown && !show)
            fputs(".EE\n.RE\n", to);
        if (!*rest)
            begin = TRUE;
        else if (show && !shown)
            fputs(".PP\n.RS 4\n.EX\n", to);
        else if (begin && !show)
            fputs(".PP\n", to);
        if (*rest) {
            put(to, show && g_str_has_prefix(*line, "  ") ? *line + 2 : rest);
            fputc('\n', to);
            begin = FALSE;
        }
        shown = show && *rest;
    }
    if (shown)
        fputs(".EE\n.RE\n", to);
}

static void put_option(FILE *to, const CgCliOption *o)
{
    fputs(".TP\n", to);
    if (o->letter)
        fprintf(to, "\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", to);
    put(to, o->name);
    fputs("\\fR", to);
    if (o->value) {
        fputs("=\\fI", to);
        put(to, o->value);
        fputs("\\fR", to);
    }
    fputc('\n', to);
    put(to, o->help);
    fputc('\n', to);
}

static void put_page(FILE *to, const CgCliPage *p)
{
    fputs(".SS \"cagen ", to);
    put(to, p->name);
    if (p->usage && *p->usage) {
        fputc(' ', to);
        put(to, p->usage);
    }
    fputs("\"\n", to);
    put_paragraphs(to, p->summary ? p->summary : p->brief, FALSE);
    for (guint i = 0; i < p->options->len; i++)
        put_option(to, g_ptr_array_index(p->options, i));
    if (p->description)
        put_paragraphs(to, p->description, TRUE);
}

static const char beginning[] =
    ".TH CAGEN 1 \"\" \"cagen " CAGEN_VERSION "\" \"User Commands\"\n"
    ".SH NAME\n"
    "cagen \\- controllable anomaly generator: defects where you want them, with exact masks\n"
    ".SH SYNOPSIS\n"
    ".B cagen\n"
    ".I COMMAND\n"
    ".RI [ OPTION .\\|.\\|.]\n"
    ".SH DESCRIPTION\n"
    "Paints defects into photographs of good parts, where a mask says and as a prompt says, and\n"
    "keeps the mask: training and test data for inspecting industrial products. Trains what\n"
    "paints, and detectors with the result, and measures them.\n"
    ".PP\n"
    "Results go to standard output, everything else to standard error. The same command gives the\n"
    "same bytes, on one thread or on many.\n"
    ".SH COMMANDS\n";

static const char ending[] =
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nIt went well.\n"
    ".TP\n.B 1\nSomething is wrong with a file, a data set, a model or the machine; one line on\n"
    "standard error says what.\n"
    ".TP\n.B 2\nThe options or arguments make no sense.\n"
    ".TP\n.B 130\nIt was stopped (Ctrl\\-C). The same command goes on where that makes sense.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n.B CAGEN_MODEL\nThe model where none is named.\n"
    ".TP\n.B CAGEN_MAX_ISA\nportable, avx2, avx512, avx512_bf16 or amx: not more of the processor\n"
    "than that is used.\n"
    ".TP\n.BR HF_ENDPOINT \", \" HF_HOME \", \" HF_HUB_CACHE \", \" HF_TOKEN \", \" "
    "HF_HUB_OFFLINE\n"
    "As\n.B cagen model fetch\ndescribes them.\n";

void cg_cli_manual_man(const GPtrArray *pages, FILE *to)
{
    fputs(beginning, to);
    for (guint i = 0; i < pages->len; i++)
        put_page(to, g_ptr_array_index(pages, i));
    fputs(ending, to);
}
