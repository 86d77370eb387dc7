/* The vocabulary: vocab.json and merges.txt, tokenizer.json, or OpenAI's list of merges. */
#include "models/tokenizer-private.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

#include <string.h>
#include <zlib.h>

#define MAX_FILE      CG_JSON_MAX_FILE
#define MAX_ID        (1 << 20)
#define MAX_MERGES    (1 << 20)
#define OPENAI_MERGES 48894 /* what CLIP was trained with; OpenAI's list goes on beyond */
#define BOS           "<|startoftext|>"
#define EOS           "<|endoftext|>"

/* --- pieces and merges --- */

gint32 cg_tokenizer_lookup(const CgTokenizer *tokenizer, const char *piece)
{
    gpointer id;
    if (!g_hash_table_lookup_extended(tokenizer->vocabulary, piece, NULL, &id))
        return -1;
    return GPOINTER_TO_INT(id);
}

gboolean cg_tokenizer_add_piece(CgTokenizer *tokenizer, const char *where, const char *piece,
                                gint64 id, GError **error)
{
    if (id < 0 || id >= MAX_ID) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: the id %" G_GINT64_FORMAT " is not in 0..%d", where, id, MAX_ID - 1);
        return FALSE;
    }
    if (id >= tokenizer->pieces->len)
        g_ptr_array_set_size(tokenizer->pieces, (gint)id + 1);
    if (g_ptr_array_index(tokenizer->pieces, id)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: two entries have the id %" G_GINT64_FORMAT, where, id);
        return FALSE;
    }
    char *copy = g_strdup(piece);
    if (!g_hash_table_insert(tokenizer->vocabulary, copy, GINT_TO_POINTER((gint)id))) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: the entry with id %" G_GINT64_FORMAT " repeats an earlier one", where, id);
        return FALSE;
    }
    g_ptr_array_index(tokenizer->pieces, id) = copy;
    return TRUE;
}

/* Appends the merge of LEFT and RIGHT as the one of the next rank. JOINED is their concatenation.
 */
static gboolean add_merge(CgTokenizer *tokenizer, const char *where, const char *left,
                          const char *right, const char *joined, GError **error)
{
    const char *const names[] = {left, right, joined};
    gint32 ids[3];

    for (int i = 0; i < 3; i++) {
        ids[i] = cg_tokenizer_lookup(tokenizer, names[i]);
        if (ids[i] >= 0)
            continue;
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: merge number %u needs a piece that the vocabulary lacks; do the files "
                    "belong together?",
                    where, tokenizer->merges->len + 1);
        return FALSE;
    }
    if (tokenizer->merges->len >= MAX_MERGES) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: more than %d merges", where, MAX_MERGES);
        return FALSE;
    }
    CgMerge merge = {ids[0], ids[1], (gint32)tokenizer->merges->len, ids[2]};
    g_array_append_val(tokenizer->merges, merge);
    return TRUE;
}

static gint compare_merges(gconstpointer a, gconstpointer b)
{
    const CgMerge *x = a, *y = b;
    if (x->left != y->left)
        return x->left < y->left ? -1 : 1;
    if (x->right != y->right)
        return x->right < y->right ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* Sorts for the search. A pair given twice has its last rank, as upstream. */
static void sort_merges(CgTokenizer *tokenizer)
{
    GArray *merges = tokenizer->merges;
    guint kept = 0;

    g_array_sort(merges, compare_merges);
    for (guint i = 0; i < merges->len; i++) {
        CgMerge merge = g_array_index(merges, CgMerge, i);
        if (i + 1 < merges->len) {
            CgMerge next = g_array_index(merges, CgMerge, i + 1);
            if (next.left == merge.left && next.right == merge.right)
                continue;
        }
        g_array_index(merges, CgMerge, kept++) = merge;
    }
    g_array_set_size(merges, kept);
}

/* --- lines of merges --- */

/* BYTES as text, never NULL. */
static const char *text_of(GBytes *bytes, gsize *size)
{
    const char *text = g_bytes_get_data(bytes, size);
    return text ? text : "";
}

typedef struct {
    const char *p, *end;
    guint number; /* of the line read last */
} Lines;

/* The next line without its end; FALSE after the last. */
static gboolean next_line(Lines *lines, const char **line, size_t *size)
{
    if (lines->p >= lines->end)
        return FALSE;
    const char *newline = memchr(lines->p, '\n', (size_t)(lines->end - lines->p));
    const char *stop = newline ? newline : lines->end;
    *line = lines->p;
    *size = (size_t)(stop - lines->p);
    if (*size > 0 && stop[-1] == '\r')
        (*size)--;
    lines->p = newline ? newline + 1 : lines->end;
    lines->number++;
    return TRUE;
}

/* Two symbols separated by one space, each a string of its own. */
static gboolean split_merge(const char *line, size_t size, char **left, char **right)
{
    const char *space = memchr(line, ' ', size);
    if (!space || space == line || space + 1 == line + size)
        return FALSE;
    size_t rest = size - (size_t)(space + 1 - line);
    if (memchr(space + 1, ' ', rest) || memchr(line, '\0', size))
        return FALSE;
    *left = g_strndup(line, (size_t)(space - line));
    *right = g_strndup(space + 1, rest);
    return TRUE;
}

static gboolean starts_with(const char *line, size_t size, const char *prefix)
{
    return size >= strlen(prefix) && memcmp(line, prefix, strlen(prefix)) == 0;
}

/* The merges of LINES, at most LIMIT. With NAME_PIECES each makes a new piece with the next id. */
static gboolean read_merges(CgTokenizer *tokenizer, Lines *lines, const char *where, guint limit,
                            gboolean name_pieces, GError **error)
{
    const char *line;
    size_t size;

    while (tokenizer->merges->len < limit && next_line(lines, &line, &size)) {
        g_autofree char *left = NULL, *right = NULL;
        if (size == 0 || starts_with(line, size, "#version"))
            continue;
        if (!split_merge(line, size, &left, &right)) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "%s: line %u: two symbols separated by one space were expected", where,
                        lines->number);
            return FALSE;
        }
        g_autofree char *joined = g_strconcat(left, right, NULL);
        if (name_pieces &&
            !cg_tokenizer_add_piece(tokenizer, where, joined, tokenizer->pieces->len, error))
            return FALSE;
        if (!add_merge(tokenizer, where, left, right, joined, error))
            return FALSE;
    }
    return TRUE;
}

/* --- the three kinds of vocabulary --- */

static gboolean read_vocabulary(CgTokenizer *tokenizer, json_t *entries, const char *where,
                                GError **error)
{
    const char *piece;
    json_t *id;

    json_object_foreach(entries, piece, id)
    {
        if (!json_is_integer(id)) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "%s: not a vocabulary: every entry must be \"piece\": id", where);
            return FALSE;
        }
        if (!cg_tokenizer_add_piece(tokenizer, where, piece, json_integer_value(id), error))
            return FALSE;
    }
    return TRUE;
}

static gboolean parse_vocabulary_and_merges(CgTokenizer *tokenizer, const CgTokenizerFiles *files,
                                            GError **error)
{
    g_autofree char *vocabulary_name = g_build_filename(files->folder, "vocab.json", NULL);
    g_autofree char *merges_name = g_build_filename(files->folder, "merges.txt", NULL);
    gsize size;
    const char *text = text_of(files->vocabulary, &size);

    g_autoptr(json_t) entries = cg_json_parse(text, size, vocabulary_name, error);
    if (!entries || !read_vocabulary(tokenizer, entries, vocabulary_name, error))
        return FALSE;
    text = text_of(files->merges, &size);
    Lines lines = {text, text + size, 0};
    return read_merges(tokenizer, &lines, merges_name, G_MAXUINT, FALSE, error);
}

/* A merge is "left right", or ["left", "right"] as newer files have it. */
static gboolean read_json_merge(CgTokenizer *tokenizer, const json_t *merge, const char *where,
                                GError **error)
{
    g_autofree char *left = NULL, *right = NULL;

    if (json_is_array(merge) && json_array_size(merge) == 2) {
        left = g_strdup(json_string_value(json_array_get(merge, 0)));
        right = g_strdup(json_string_value(json_array_get(merge, 1)));
    } else if (json_is_string(merge)) {
        split_merge(json_string_value(merge), json_string_length(merge), &left, &right);
    }
    if (!left || !right) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: merge number %u is not two strings",
                    where, tokenizer->merges->len + 1);
        return FALSE;
    }
    g_autofree char *joined = g_strconcat(left, right, NULL);
    return add_merge(tokenizer, where, left, right, joined, error);
}

static gboolean parse_json(CgTokenizer *tokenizer, const CgTokenizerFiles *files, GError **error)
{
    g_autofree char *where = g_build_filename(files->folder, files->name, NULL);
    gsize size;
    const char *text = text_of(files->json, &size);
    g_autoptr(json_t) root = cg_json_parse(text, size, where, error);
    if (!root)
        return FALSE;

    json_t *model = json_object_get(root, "model");
    json_t *entries = json_object_get(model, "vocab"), *merges = json_object_get(model, "merges");
    const char *type = cg_json_text(model, "type");
    const char *suffix = cg_json_text(model, "end_of_word_suffix");
    if (!json_is_object(entries) || !json_is_array(merges) || (type && strcmp(type, "BPE") != 0) ||
        g_strcmp0(suffix, CG_TOKENIZER_WORD_END) != 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: not a CLIP tokenizer.json (a byte-pair model with \"%s\" at the end of "
                    "words); for vocab.json and merges.txt give their folder",
                    where, CG_TOKENIZER_WORD_END);
        return FALSE;
    }
    if (!read_vocabulary(tokenizer, entries, where, error))
        return FALSE;
    for (size_t i = 0; i < json_array_size(merges); i++)
        if (!read_json_merge(tokenizer, json_array_get(merges, i), where, error))
            return FALSE;
    return TRUE;
}

/* The text of OpenAI's file, inflated if it is gzip. NULL with CG_ERROR_FORMAT. */
static GBytes *inflate_text(GBytes *file, const char *where, GError **error)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(file, &size);
    if (size < 2 || data[0] != 0x1f || data[1] != 0x8b)
        return g_bytes_ref(file);

    g_autoptr(GByteArray) text = g_byte_array_new();
    guint8 block[16384];
    z_stream z = {.next_in = (Bytef *)data, .avail_in = (uInt)size};
    int status = inflateInit2(&z, 15 + 16); /* gzip framing only */
    while (status == Z_OK && text->len <= MAX_FILE) {
        z.next_out = block;
        z.avail_out = sizeof block;
        status = inflate(&z, Z_NO_FLUSH);
        g_byte_array_append(text, block, (guint)(sizeof block - z.avail_out));
    }
    inflateEnd(&z);
    if (status == Z_OK) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: inflates to more than %u MiB", where,
                    MAX_FILE >> 20);
        return NULL;
    }
    if (status != Z_STREAM_END) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: the gzip data is %s; copy it anew",
                    where, status == Z_BUF_ERROR ? "cut short" : "corrupt");
        return NULL;
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&text));
}

/* The single bytes in the order of OpenAI's vocabulary: those that print first. */
static gboolean byte_prints(int byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

static gboolean add_byte_pieces(CgTokenizer *tokenizer, const char *suffix, GError **error)
{
    for (int printing = 1; printing >= 0; printing--) {
        for (int byte = 0; byte < 256; byte++) {
            if (byte_prints(byte) != printing)
                continue;
            char piece[16] = {0};
            g_unichar_to_utf8(tokenizer->symbols[byte], piece);
            g_strlcat(piece, suffix, sizeof piece);
            if (!cg_tokenizer_add_piece(tokenizer, "bytes", piece, tokenizer->pieces->len, error))
                return FALSE;
        }
    }
    return TRUE;
}

static gboolean parse_openai(CgTokenizer *tokenizer, const CgTokenizerFiles *files, GError **error)
{
    g_autofree char *where = g_build_filename(files->folder, files->name, NULL);
    g_autoptr(GBytes) bytes = inflate_text(files->openai, where, error);
    if (!bytes)
        return FALSE;

    gsize size;
    const char *text = text_of(bytes, &size), *header;
    size_t header_size;
    Lines lines = {text, text + size, 0};
    if (!next_line(&lines, &header, &header_size) ||
        !g_strstr_len(header, (gssize)header_size, "#version") ||
        !g_utf8_validate(text, (gssize)size, NULL)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: not a list of CLIP merges (text whose first line says \"#version\")",
                    where);
        return FALSE;
    }
    return add_byte_pieces(tokenizer, "", error) &&
           add_byte_pieces(tokenizer, CG_TOKENIZER_WORD_END, error) &&
           read_merges(tokenizer, &lines, where, OPENAI_MERGES, TRUE, error) &&
           cg_tokenizer_add_piece(tokenizer, where, BOS, tokenizer->pieces->len, error) &&
           cg_tokenizer_add_piece(tokenizer, where, EOS, tokenizer->pieces->len, error);
}

/* --- putting it together --- */

static void clear_added(gpointer data)
{
    CgAddedToken *token = data;
    g_free(token->content);
    g_free(token->match);
}

static CgTokenizer *tokenizer_new(void)
{
    CgTokenizer *tokenizer = g_new0(CgTokenizer, 1);
    tokenizer->vocabulary = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    tokenizer->pieces = g_ptr_array_new();
    tokenizer->merges = g_array_new(FALSE, FALSE, sizeof(CgMerge));
    tokenizer->added = g_array_new(FALSE, FALSE, sizeof(CgAddedToken));
    g_array_set_clear_func(tokenizer->added, clear_added);

    /* Bytes that do not print get the letters from U+0100 on. */
    gunichar next = 0x100;
    for (int byte = 0; byte < 256; byte++)
        tokenizer->symbols[byte] = byte_prints(byte) ? (gunichar)byte : next++;
    return tokenizer;
}

static void find_bytes(CgTokenizer *tokenizer)
{
    for (int byte = 0; byte < 256; byte++) {
        char piece[16] = {0};
        g_unichar_to_utf8(tokenizer->symbols[byte], piece);
        gint32 id = cg_tokenizer_lookup(tokenizer, piece);
        tokenizer->inner[byte] = id >= 0 ? id : tokenizer->unk;
        g_strlcat(piece, CG_TOKENIZER_WORD_END, sizeof piece);
        id = cg_tokenizer_lookup(tokenizer, piece);
        tokenizer->final[byte] = id >= 0 ? id : tokenizer->unk;
    }
}

CgTokenizer *cg_tokenizer_parse(const CgTokenizerFiles *files, GError **error)
{
    g_autoptr(CgTokenizer) tokenizer = tokenizer_new();
    gboolean ok;

    if (files->vocabulary)
        ok = parse_vocabulary_and_merges(tokenizer, files, error);
    else if (files->json)
        ok = parse_json(tokenizer, files, error);
    else
        ok = parse_openai(tokenizer, files, error);
    if (!ok || !cg_tokenizer_read_special(tokenizer, files, error))
        return NULL;
    sort_merges(tokenizer);
    find_bytes(tokenizer);
    return g_steal_pointer(&tokenizer);
}
