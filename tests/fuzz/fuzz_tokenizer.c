/* The tokenizer's files and a prompt, from one input:
 *
 *     KIND prompt FF tokenizer_config FF special_tokens_map FF added_tokens FF merges FF the rest
 *
 * where KIND is 'v' (the rest is vocab.json), 'j' (tokenizer.json) or anything else (OpenAI's list,
 * plain or gzip), and an empty part is an absent file. What opens must encode the prompt if that is
 * UTF-8, to ids of the vocabulary.
 */
#include "models/tokenizer-private.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(gboolean condition)
{
    if (!condition)
        abort();
}

/* The bytes up to the next FF, or all; NULL when there are none. */
static GBytes *next_part(const uint8_t **data, size_t *size)
{
    const uint8_t *start = *data, *end = *size ? memchr(start, 0xff, *size) : NULL;
    size_t length = end ? (size_t)(end - start) : *size;
    size_t used = end ? length + 1 : length;

    *data += used;
    *size -= used;
    return length ? g_bytes_new(start, length) : NULL;
}

static void check_encoding(const CgTokenizer *tokenizer, const char *prompt)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) ids = cg_tokenizer_encode(tokenizer, prompt, &error);

    require((ids != NULL) == (error == NULL));
    require((ids != NULL) ==
            (g_utf8_validate(prompt, -1, NULL) && strlen(prompt) <= CG_TOKENIZER_MAX_PROMPT));
    if (!ids)
        return;
    for (guint i = 0; i < ids->len; i++) {
        gint32 id = g_array_index(ids, gint32, i);
        require(cg_tokenizer_piece(tokenizer, id) != NULL);
        g_autofree char *text = cg_tokenizer_piece_text(tokenizer, id);
        require(g_utf8_validate(text, -1, NULL));
    }

    size_t length = (size_t)cg_tokenizer_length(tokenizer);
    g_autofree gint32 *frame = g_new(gint32, length);
    size_t dropped = cg_tokenizer_frame(tokenizer, (const gint32 *)ids->data, ids->len, frame);
    require(dropped == (ids->len > length - 2 ? ids->len - (length - 2) : 0));
    require(frame[0] == cg_tokenizer_bos(tokenizer));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char kind = (char)*data++;
    size--;

    CgTokenizerFiles files = {.folder = "folder", .name = "file"};
    GBytes *prompt = next_part(&data, &size);
    files.config = next_part(&data, &size);
    files.special_map = next_part(&data, &size);
    files.added = next_part(&data, &size);
    files.merges = next_part(&data, &size);
    if (!files.merges)
        files.merges = g_bytes_new(NULL, 0);
    GBytes *rest = g_bytes_new(data, size);
    GBytes **slot = kind == 'v' ? &files.vocabulary : kind == 'j' ? &files.json : &files.openai;
    *slot = rest;

    g_autoptr(GError) error = NULL;
    g_autoptr(CgTokenizer) tokenizer = cg_tokenizer_parse(&files, &error);
    require((tokenizer != NULL) == (error == NULL));
    if (tokenizer) {
        g_autofree char *text =
            prompt ? g_strndup(g_bytes_get_data(prompt, NULL), g_bytes_get_size(prompt))
                   : g_strdup("");
        check_encoding(tokenizer, text);
    }

    GBytes *all[] = {prompt, files.config, files.special_map, files.added, files.merges, rest};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        g_clear_pointer(&all[i], g_bytes_unref);
    return 0;
}
