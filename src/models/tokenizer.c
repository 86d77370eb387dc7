#include "models/tokenizer.h"

#include "base/error.h"
#include "models/tokenizer-private.h"

#include <string.h>

void cg_tokenizer_close(CgTokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    g_hash_table_unref(tokenizer->vocabulary);
    g_ptr_array_unref(tokenizer->pieces);
    g_array_unref(tokenizer->merges);
    g_array_unref(tokenizer->added);
    g_free(tokenizer);
}

/* The longest added token at P, of those found in the text as given or in the cleaned text. */
static const CgAddedToken *added_at(const CgTokenizer *tokenizer, const char *p, const char *end,
                                    gboolean normalized)
{
    const CgAddedToken *found = NULL;
    size_t longest = 0;
    for (guint i = 0; i < tokenizer->added->len; i++) {
        const CgAddedToken *token = &g_array_index(tokenizer->added, CgAddedToken, i);
        if (token->normalized == normalized && token->size > longest &&
            token->size <= (size_t)(end - p) && memcmp(p, token->match, token->size) == 0) {
            found = token;
            longest = token->size;
        }
    }
    return found;
}

/* What encoding one text needs. */
typedef struct {
    const CgTokenizer *tokenizer;
    CgMerger *merger;
    GArray *words; /* of CgSpan */
    GArray *ids;   /* of gint32, the result */
} Encoder;

static void encode_words(Encoder *encoder, const char *text, size_t size)
{
    g_array_set_size(encoder->words, 0);
    cg_tokenizer_split(text, size, encoder->words);
    for (guint i = 0; i < encoder->words->len; i++) {
        CgSpan word = g_array_index(encoder->words, CgSpan, i);
        cg_merger_run(encoder->merger, word.start, word.size, encoder->ids);
    }
}

static void encode_part(Encoder *encoder, const char *text, size_t size, gboolean cleaned);

/* TEXT is without added tokens of the kind looked for last. */
static void encode_between(Encoder *encoder, const char *text, size_t size, gboolean cleaned)
{
    if (size == 0)
        return;
    if (cleaned) {
        encode_words(encoder, text, size);
        return;
    }
    g_autofree char *clean = cg_tokenizer_clean(text, size);
    encode_part(encoder, clean, strlen(clean), TRUE);
}

/* Added tokens are cut out twice, as upstream: those to be found literally from the text as given,
 * the others from the cleaned text. */
static void encode_part(Encoder *encoder, const char *text, size_t size, gboolean cleaned)
{
    const char *start = text, *p = text, *end = text + size;

    while (p < end) {
        const CgAddedToken *token = added_at(encoder->tokenizer, p, end, cleaned);
        if (!token) {
            p = g_utf8_next_char(p);
            continue;
        }
        encode_between(encoder, start, (size_t)(p - start), cleaned);
        g_array_append_val(encoder->ids, token->id);
        p += token->size;
        start = p;
    }
    encode_between(encoder, start, (size_t)(p - start), cleaned);
}

GArray *cg_tokenizer_encode(const CgTokenizer *tokenizer, const char *text, GError **error)
{
    size_t size = strlen(text);
    const char *bad;

    if (size > CG_TOKENIZER_MAX_PROMPT) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "the prompt has %zu bytes, but at most %u are read; shorten it", size,
                    CG_TOKENIZER_MAX_PROMPT);
        return NULL;
    }
    if (!g_utf8_validate(text, (gssize)size, &bad)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "the prompt is not UTF-8: byte %td is 0x%02x; convert it to UTF-8",
                    bad - text + 1, (guint)(guchar)*bad);
        return NULL;
    }

    g_autoptr(CgMerger) merger = cg_merger_new(tokenizer);
    g_autoptr(GArray) words = g_array_new(FALSE, FALSE, sizeof(CgSpan));
    Encoder encoder = {tokenizer, merger, words, g_array_new(FALSE, FALSE, sizeof(gint32))};
    encode_part(&encoder, text, size, FALSE);
    return encoder.ids;
}

size_t cg_tokenizer_frame(const CgTokenizer *tokenizer, const gint32 *ids, size_t count,
                          gint32 *frame)
{
    size_t length = (size_t)tokenizer->length;
    size_t kept = MIN(count, length - 2);

    frame[0] = tokenizer->bos;
    for (size_t i = 0; i < kept; i++)
        frame[1 + i] = ids[i];
    frame[1 + kept] = tokenizer->eos;
    for (size_t i = kept + 2; i < length; i++)
        frame[i] = tokenizer->pad;
    return count - kept;
}

gboolean cg_tokenizer_frame_text(const CgTokenizer *tokenizer, const char *text, gint32 *frame,
                                 size_t *dropped, GError **error)
{
    g_autoptr(GArray) ids = cg_tokenizer_encode(tokenizer, text, error);
    if (!ids)
        return FALSE;
    size_t rest = cg_tokenizer_frame(tokenizer, (const gint32 *)ids->data, ids->len, frame);
    if (dropped)
        *dropped = rest;
    return TRUE;
}

const char *cg_tokenizer_piece(const CgTokenizer *tokenizer, gint32 id)
{
    if (id < 0 || (guint)id >= tokenizer->pieces->len)
        return NULL;
    return g_ptr_array_index(tokenizer->pieces, id);
}

static gboolean is_added(const CgTokenizer *tokenizer, gint32 id)
{
    for (guint i = 0; i < tokenizer->added->len; i++)
        if (g_array_index(tokenizer->added, CgAddedToken, i).id == id)
            return TRUE;
    return FALSE;
}

/* The byte that C stands for in pieces; -1 if none. */
static int symbol_byte(const CgTokenizer *tokenizer, gunichar c)
{
    for (int byte = 0; byte < 256; byte++)
        if (tokenizer->symbols[byte] == c)
            return byte;
    return -1;
}

char *cg_tokenizer_piece_text(const CgTokenizer *tokenizer, gint32 id)
{
    const char *piece = cg_tokenizer_piece(tokenizer, id);
    if (!piece || is_added(tokenizer, id))
        return g_strdup(piece ? piece : "");

    size_t size = strlen(piece);
    if (g_str_has_suffix(piece, CG_TOKENIZER_WORD_END))
        size -= strlen(CG_TOKENIZER_WORD_END);
    g_autoptr(GString) bytes = g_string_new(NULL);
    for (const char *p = piece; p < piece + size; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        int byte = symbol_byte(tokenizer, c);
        if (byte < 0)
            g_string_append_unichar(bytes, c);
        else
            g_string_append_c(bytes, (char)byte);
    }

    GString *text = g_string_new(NULL);
    for (const char *p = bytes->str, *end = p + bytes->len; p < end;) {
        const char *valid;
        g_utf8_validate(p, end - p, &valid);
        g_string_append_len(text, p, valid - p);
        if (valid < end)
            g_string_append_printf(text, "\\x%02x", (guint)(guchar)*valid++);
        p = valid;
    }
    return g_string_free(text, FALSE);
}

int cg_tokenizer_length(const CgTokenizer *tokenizer)
{
    return tokenizer->length;
}

int cg_tokenizer_size(const CgTokenizer *tokenizer)
{
    return (int)tokenizer->pieces->len;
}

gint32 cg_tokenizer_bos(const CgTokenizer *tokenizer)
{
    return tokenizer->bos;
}

gint32 cg_tokenizer_eos(const CgTokenizer *tokenizer)
{
    return tokenizer->eos;
}

gint32 cg_tokenizer_pad(const CgTokenizer *tokenizer)
{
    return tokenizer->pad;
}
