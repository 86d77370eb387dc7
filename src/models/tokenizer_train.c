#include "models/tokenizer_train.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "models/tokenizer-private.h"

#include <string.h>

#define BYTES    256
#define MAX_SIZE (1 << 20)

const char *const cg_tokenizer_files[4] = {"vocab.json", "merges.txt", "special_tokens_map.json",
                                           "tokenizer_config.json"};

typedef struct {
    gint32 *ids;
    guint length;
    guint64 count; /* in all captions */
} Word;

typedef struct {
    GArray *words;     /* of Word */
    GPtrArray *pieces; /* by id: how the vocabulary spells a symbol */
    GHashTable *ids;   /* piece (borrowed) -> id */
    GString *merges;   /* merges.txt */
} Trainer;

static void trainer_clear(Trainer *t)
{
    for (guint i = 0; i < t->words->len; i++)
        g_free(g_array_index(t->words, Word, i).ids);
    g_array_unref(t->words);
    g_hash_table_unref(t->ids);
    g_ptr_array_unref(t->pieces);
    g_string_free(t->merges, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Trainer, trainer_clear)

/* The id of PIECE, which is taken: that of an equal one when there is one, for several pairs may
 * spell the same symbol. */
static gint32 add_piece(Trainer *t, char *piece)
{
    g_autofree char *owned = piece;
    gpointer id;
    if (g_hash_table_lookup_extended(t->ids, piece, NULL, &id))
        return GPOINTER_TO_INT(id);
    g_hash_table_insert(t->ids, piece, GINT_TO_POINTER((int)t->pieces->len));
    g_ptr_array_add(t->pieces, g_steal_pointer(&owned));
    return (gint32)t->pieces->len - 1;
}

/* CLIP's letters: printable bytes stand for themselves and come first. ID_OF_BYTE gets the inner
 * form's ids; the one that ends a word is BYTES higher. */
static void add_bytes(Trainer *t, gint32 id_of_byte[BYTES])
{
    gunichar extra = 256;
    for (int pass = 0; pass < 2; pass++)
        for (int c = 0; c < BYTES; c++) {
            const gboolean printable =
                (c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c <= 0xac) || c >= 0xae;
            char utf8[8] = {0};
            if (printable != (pass == 0))
                continue;
            g_unichar_to_utf8(printable ? (gunichar)c : extra++, utf8);
            id_of_byte[c] = add_piece(t, g_strdup(utf8));
        }
    for (guint i = 0; i < BYTES; i++)
        add_piece(t, g_strconcat(g_ptr_array_index(t->pieces, i), CG_TOKENIZER_WORD_END, NULL));
}

/* How often each word is in the captions: text -> guint64. */
static GHashTable *count_words(const char *const *captions, size_t count, GError **error)
{
    g_autoptr(GHashTable) table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(CgSpan));
    for (size_t i = 0; i < count; i++) {
        if (!g_utf8_validate(captions[i], -1, NULL)) {
            g_autofree char *shown = g_utf8_make_valid(captions[i], -1);
            g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "the caption \"%s\" is not UTF-8", shown);
            return NULL;
        }
        g_autofree char *text = cg_tokenizer_clean(captions[i], strlen(captions[i]));
        g_array_set_size(spans, 0);
        cg_tokenizer_split(text, strlen(text), spans);
        for (guint k = 0; k < spans->len; k++) {
            const CgSpan *span = &g_array_index(spans, CgSpan, k);
            char *word = g_strndup(span->start, span->size);
            guint64 *seen = g_hash_table_lookup(table, word);
            if (seen) {
                ++*seen;
                g_free(word);
                continue;
            }
            seen = g_new(guint64, 1);
            *seen = 1;
            g_hash_table_insert(table, word, seen);
        }
    }
    return g_steal_pointer(&table);
}

static void add_words(Trainer *t, GHashTable *counts, const gint32 id_of_byte[BYTES])
{
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, counts);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        const char *text = key;
        Word word = {.length = (guint)strlen(text), .count = *(guint64 *)value};
        word.ids = g_new(gint32, word.length);
        for (guint i = 0; i < word.length; i++)
            word.ids[i] = id_of_byte[(guint8)text[i]] + (i + 1 == word.length ? BYTES : 0);
        g_array_append_val(t->words, word);
    }
}

static guint pair_hash(gconstpointer p)
{
    const guint64 v = *(const guint64 *)p * 0x9e3779b97f4a7c15;
    return (guint)(v >> 32);
}

typedef struct {
    guint64 pair; /* left id, right id */
    guint64 count;
} Pair;

/* The pair to join next; count 0: there is none left that is seen twice. */
static Pair best_pair(const Trainer *t)
{
    g_autoptr(GHashTable) table = g_hash_table_new_full(pair_hash, g_int64_equal, NULL, g_free);
    Pair best = {0};
    for (guint i = 0; i < t->words->len; i++) {
        const Word *word = &g_array_index(t->words, Word, i);
        for (guint k = 0; k + 1 < word->length; k++) {
            const guint64 pair = (guint64)word->ids[k] << 32 | (guint32)word->ids[k + 1];
            Pair *found = g_hash_table_lookup(table, &pair);
            if (!found) {
                found = g_new(Pair, 1);
                *found = (Pair){pair, 0};
                g_hash_table_insert(table, &found->pair, found);
            }
            found->count += word->count;
        }
    }
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, table);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Pair *p = value;
        if (p->count > best.count || (p->count == best.count && p->pair < best.pair))
            best = *p;
    }
    return best.count > 1 ? best : (Pair){0};
}

static void join_pair(Trainer *t, guint64 pair)
{
    const gint32 left = (gint32)(pair >> 32), right = (gint32)(pair & 0xffffffff);
    const char *a = g_ptr_array_index(t->pieces, left), *b = g_ptr_array_index(t->pieces, right);
    g_string_append_printf(t->merges, "%s %s\n", a, b);
    const gint32 joined = add_piece(t, g_strconcat(a, b, NULL));
    for (guint i = 0; i < t->words->len; i++) {
        Word *word = &g_array_index(t->words, Word, i);
        guint to = 0;
        for (guint k = 0; k < word->length; k++, to++) {
            const gboolean here =
                k + 1 < word->length && word->ids[k] == left && word->ids[k + 1] == right;
            word->ids[to] = here ? joined : word->ids[k];
            k += here;
        }
        word->length = to;
    }
}

static gboolean write_json(json_t *object, size_t flags, const char *folder, const char *name,
                           GError **error)
{
    g_autoptr(json_t) owned = object;
    g_autofree char *path = g_build_filename(folder, name, NULL);
    char *text = json_dumps(owned, flags);
    const gboolean ok = cg_file_write(path, text, strlen(text), error);
    free(text);
    return ok;
}

static gboolean write_files(const Trainer *t, int length, const char *folder, GError **error)
{
    json_t *vocabulary = json_object();
    g_autofree char *merges = g_build_filename(folder, "merges.txt", NULL);
    json_int_t id = 0;
    for (guint i = 0; i < t->pieces->len; i++)
        json_object_set_new(vocabulary, g_ptr_array_index(t->pieces, i), json_integer(id++));
    json_object_set_new(vocabulary, "<|startoftext|>", json_integer(id++));
    json_object_set_new(vocabulary, "<|endoftext|>", json_integer(id++));
    return write_json(vocabulary, JSON_COMPACT, folder, "vocab.json", error) &&
           cg_file_write(merges, t->merges->str, t->merges->len, error) &&
           write_json(json_pack("{s:s, s:s, s:s, s:s}", "bos_token", "<|startoftext|>", "eos_token",
                                "<|endoftext|>", "pad_token", "<|endoftext|>", "unk_token",
                                "<|endoftext|>"),
                      JSON_INDENT(2), folder, "special_tokens_map.json", error) &&
           write_json(json_pack("{s:b, s:s, s:b, s:s, s:s, s:i, s:s, s:s, s:s}", "add_prefix_space",
                                0, "bos_token", "<|startoftext|>", "do_lower_case", 1, "eos_token",
                                "<|endoftext|>", "errors", "replace", "model_max_length", length,
                                "pad_token", "<|endoftext|>", "tokenizer_class", "CLIPTokenizer",
                                "unk_token", "<|endoftext|>"),
                      JSON_INDENT(2), folder, "tokenizer_config.json", error);
}

int cg_tokenizer_train(const char *const *captions, size_t count, int size, int length,
                       const char *folder, GError **error)
{
    gint32 id_of_byte[BYTES];
    if (size < CG_TOKENIZER_MIN_SIZE || size > MAX_SIZE || length < 2) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "a vocabulary of %d entries and frames of %d; %d to %d entries (every byte in "
                    "two forms and two special tokens are needed) and frames of 2 or more are "
                    "possible",
                    size, length, CG_TOKENIZER_MIN_SIZE, MAX_SIZE);
        return 0;
    }
    g_autoptr(GHashTable) counts = count_words(captions, count, error);
    if (!counts || !cg_file_make_directory(folder, error))
        return 0;
    g_auto(Trainer) t = {.words = g_array_new(FALSE, FALSE, sizeof(Word)),
                         .pieces = g_ptr_array_new_with_free_func(g_free),
                         .ids = g_hash_table_new(g_str_hash, g_str_equal),
                         .merges = g_string_new("#version: 0.2\n")};
    add_bytes(&t, id_of_byte);
    add_words(&t, counts, id_of_byte);
    while ((int)t.pieces->len + 2 < size) {
        const Pair pair = best_pair(&t);
        if (pair.count == 0)
            break;
        join_pair(&t, pair.pair);
    }
    return write_files(&t, length, folder, error) ? (int)t.pieces->len + 2 : 0;
}
