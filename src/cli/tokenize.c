/* cagen tokenize: what the text encoder will read of a prompt. */
#include "cli/commands.h"

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/options.h"
#include "models/tokenizer.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    char *tokenizer; /* path */
    gboolean json;
    char **prompts;
} Options;

static void options_clear(Options *options)
{
    g_free(options->tokenizer);
    g_strfreev(options->prompts);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static gboolean parse_options(int argc, char **argv, Options *options, GError **error)
{
    /* FILENAME rather than STRING: the bytes as given, whatever the locale. */
    const GOptionEntry entries[] = {
        {"tokenizer", 't', 0, G_OPTION_ARG_FILENAME, &options->tokenizer,
         "folder with vocab.json and merges.txt (or a model's folder), tokenizer.json, or "
         "bpe_simple_vocab_16e6.txt.gz",
         "DIR|FILE"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &options->json, "one JSON object per prompt", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->prompts, NULL, NULL},
        G_OPTION_ENTRY_NULL,
    };
    if (!cg_cli_parse(&argc, &argv, "tokenize", "PROMPT...",
                      "Prints the ids and pieces that each PROMPT becomes.", NULL, entries, error))
        return FALSE;
    if (!options->tokenizer || !options->prompts) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "tokenize: %s is missing; usage: cagen tokenize --tokenizer DIR|FILE PROMPT...",
                    options->tokenizer ? "PROMPT" : "--tokenizer");
        return FALSE;
    }
    return TRUE;
}

/* One row per token: place in the frame, id, the vocabulary's piece, and the text it stands for.
 * Tokens beyond the frame have "-" for a place. */
static void print_table(const CgTokenizer *tokenizer, const GArray *ids)
{
    guint room = (guint)cg_tokenizer_length(tokenizer) - 2;

    for (guint i = 0; i < ids->len; i++) {
        gint32 id = g_array_index(ids, gint32, i);
        const char *piece = cg_tokenizer_piece(tokenizer, id);
        g_autofree char *text = cg_tokenizer_piece_text(tokenizer, id);
        g_autofree char *place = i < room ? g_strdup_printf("%u", i + 1) : g_strdup("-");
        /* printf pads by bytes; the piece is padded by characters. */
        glong width = g_utf8_strlen(piece, -1);
        int padding = width < 20 ? (int)(20 - width) : 1;
        printf("%4s %6d  %s%*s%s\n", place, id, piece, padding, "", text);
    }
    printf("%u token%s of at most %u\n", ids->len, ids->len == 1 ? "" : "s", room);
}

static json_t *json_ids(const gint32 *ids, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_integer(ids[i]));
    return array;
}

static void print_json(const CgTokenizer *tokenizer, const char *prompt, const GArray *ids,
                       const gint32 *frame, size_t dropped)
{
    json_t *pieces = json_array();
    for (guint i = 0; i < ids->len; i++)
        json_array_append_new(
            pieces, json_string(cg_tokenizer_piece(tokenizer, g_array_index(ids, gint32, i))));

    g_autoptr(json_t) object = json_object();
    json_object_set_new(object, "prompt", json_string(prompt));
    json_object_set_new(object, "count", json_integer(ids->len));
    json_object_set_new(object, "dropped", json_integer((json_int_t)dropped));
    json_object_set_new(object, "ids", json_ids((const gint32 *)ids->data, ids->len));
    json_object_set_new(object, "pieces", pieces);
    json_object_set_new(object, "frame", json_ids(frame, (size_t)cg_tokenizer_length(tokenizer)));
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
}

static gboolean print_prompt(const CgTokenizer *tokenizer, const char *prompt, gboolean json,
                             GError **error)
{
    g_autoptr(GArray) ids = cg_tokenizer_encode(tokenizer, prompt, error);
    if (!ids)
        return FALSE;

    int length = cg_tokenizer_length(tokenizer);
    g_autofree gint32 *frame = g_new(gint32, length);
    size_t dropped = cg_tokenizer_frame(tokenizer, (const gint32 *)ids->data, ids->len, frame);
    if (json)
        print_json(tokenizer, prompt, ids, frame, dropped);
    else
        print_table(tokenizer, ids);
    if (dropped > 0)
        cg_log_warning("the prompt has %u tokens, but the text encoder takes %d (%d with the begin "
                       "and the end); the last %zu are ignored",
                       ids->len, length - 2, length, dropped);
    return TRUE;
}

static gboolean run(int argc, char **argv, GError **error)
{
    g_auto(Options) options = {0};
    if (!parse_options(argc, argv, &options, error))
        return FALSE;

    g_autoptr(CgTokenizer) tokenizer = cg_tokenizer_open(options.tokenizer, error);
    if (!tokenizer)
        return FALSE;
    for (char **prompt = options.prompts; *prompt; prompt++) {
        if (!options.json && options.prompts[1])
            printf("%s\"%s\"\n", prompt == options.prompts ? "" : "\n", *prompt);
        if (!print_prompt(tokenizer, *prompt, options.json, error))
            return FALSE;
    }
    return TRUE;
}

int cg_cli_tokenize(int argc, char **argv)
{
    GError *error = NULL;
    return run(argc, argv, &error) ? 0 : cg_cli_fail(error);
}
