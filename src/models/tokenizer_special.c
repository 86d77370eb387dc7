/* Special and added tokens, and the frame's length, from the small files beside the vocabulary.
 *
 * The order in which these files overrule each other, and which flags win where they contradict,
 * is that of transformers 5 (PreTrainedTokenizerBase._from_pretrained): with
 * "added_tokens_decoder" in tokenizer_config.json the two older files do not count; otherwise
 * special_tokens_map.json goes before tokenizer_config.json.
 */
#include "models/tokenizer-private.h"

#include "base/error.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

#define DEFAULT_LENGTH 77
#define MAX_LENGTH     65536
#define MAX_ADDED      4096 /* they are looked for one by one */
#define BOS            "<|startoftext|>"
#define EOS            "<|endoftext|>"

/* The parsed files; absent ones are NULL. */
typedef struct {
    const char *folder; /* for messages */
    json_t *config, *special_map, *added, *json;
} SpecialFiles;

static void special_files_clear(SpecialFiles *files)
{
    json_decref(files->config);
    json_decref(files->special_map);
    json_decref(files->added);
    json_decref(files->json);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SpecialFiles, special_files_clear)

/* Like cg_json_parse, but numbers may be beyond 64 bits: transformers writes 10^30 for "no limit".
 * NULL BYTES give a NULL object. */
static gboolean parse(GBytes *bytes, const char *folder, const char *name, json_t **out,
                      GError **error)
{
    json_error_t at;
    gsize size;

    if (!bytes)
        return TRUE;
    const char *text = g_bytes_get_data(bytes, &size);
    gsize mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    *out = json_loadb(size > 0 ? text + mark : "", size - mark,
                      JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &at);
    if (!*out)
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s/%s: not valid JSON: line %d, column %d: %s", folder, name, at.line,
                    at.column, at.text);
    else if (!json_is_object(*out))
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s/%s: a JSON object { } was expected",
                    folder, name);
    return json_is_object(*out);
}

/* --- what the files say of begin, end, unknown, padding --- */

typedef enum { TOKEN_BOS, TOKEN_EOS, TOKEN_UNK, TOKEN_PAD, TOKEN_COUNT } Role;

static const char *const role_keys[TOKEN_COUNT] = {"bos_token", "eos_token", "unk_token",
                                                   "pad_token"};

/* What the files say of a role. */
typedef struct {
    const char *content;
    gboolean described; /* {"content": ...} rather than "..." */
    gboolean normalized;
} Special;

static gboolean read_role(const SpecialFiles *files, Role role, Special *out, GError **error)
{
    gboolean modern = json_object_get(files->config, "added_tokens_decoder") != NULL;
    const json_t *value = json_object_get(files->config, role_keys[role]);
    const json_t *mapped = json_object_get(files->special_map, role_keys[role]);

    if (mapped && (!modern || !value))
        value = mapped;
    *out = (Special){role == TOKEN_BOS ? BOS : EOS, FALSE, FALSE};
    if (!value || json_is_null(value))
        return TRUE;
    out->described = json_is_object(value);
    out->normalized = json_is_true(json_object_get(value, "normalized"));
    out->content = json_string_value(out->described ? json_object_get(value, "content") : value);
    if (out->content && *out->content)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                "%s: \"%s\" in tokenizer_config.json or special_tokens_map.json is not a "
                "token's text",
                files->folder, role_keys[role]);
    return FALSE;
}

/* --- tokens found in the text first --- */

static const CgAddedToken *find_added(const CgTokenizer *tokenizer, const char *content)
{
    for (guint i = 0; i < tokenizer->added->len; i++) {
        const CgAddedToken *token = &g_array_index(tokenizer->added, CgAddedToken, i);
        if (strcmp(token->content, content) == 0)
            return token;
    }
    return NULL;
}

/* CONTENT is to be found in the text. Its id is the vocabulary's or, for tokens that come on top of
 * the vocabulary, ID (-1: none known). */
static gboolean add_token(CgTokenizer *tokenizer, const char *where, const char *content, double id,
                          gboolean normalized, GError **error)
{
    gint32 known = cg_tokenizer_lookup(tokenizer, content);

    if (*content == '\0')
        return TRUE;
    if (known < 0 && (id < 0 || id > G_MAXINT32 || id != floor(id))) {
        g_autofree char *quoted = cg_json_quote(content);
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: the vocabulary has no entry %s; name this tokenizer's special tokens in "
                    "special_tokens_map.json",
                    where, quoted);
        return FALSE;
    }
    if (known < 0 && !cg_tokenizer_add_piece(tokenizer, where, content, (gint64)id, error))
        return FALSE;
    if (tokenizer->added->len >= MAX_ADDED) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED, "%s: more than %d added tokens", where,
                    MAX_ADDED);
        return FALSE;
    }
    CgAddedToken token = {.content = g_strdup(content),
                          .id = cg_tokenizer_lookup(tokenizer, content),
                          .normalized = normalized};
    token.match = normalized ? cg_tokenizer_clean(content, strlen(content)) : g_strdup(content);
    token.size = strlen(token.match);
    g_array_append_val(tokenizer->added, token);
    return TRUE;
}

/* A description {"content": ..., "normalized": ...} of a token with ID. */
static gboolean add_described(CgTokenizer *tokenizer, const char *where, const json_t *token,
                              double id, GError **error)
{
    const char *content = cg_json_text(token, "content");
    if (!content) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: an added token has no \"content\"",
                    where);
        return FALSE;
    }
    if (json_is_true(json_object_get(token, "single_word"))) {
        g_autofree char *quoted = cg_json_quote(content);
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: added token %s: \"single_word\": true is not supported", where, quoted);
        return FALSE;
    }
    if (find_added(tokenizer, content))
        return TRUE;
    return add_token(tokenizer, where, content, id,
                     json_is_true(json_object_get(token, "normalized")), error);
}

/* The value is a JSON number or digits in a string; -1 if neither. */
static double id_of(const json_t *number, const char *digits)
{
    guint64 id;
    if (json_is_number(number))
        return json_number_value(number);
    if (digits && g_ascii_string_to_unsigned(digits, 10, 0, G_MAXINT32, &id, NULL))
        return (double)id;
    return -1;
}

static gboolean has_role(const Special *roles, const char *content)
{
    for (Role r = 0; r < TOKEN_COUNT; r++)
        if (strcmp(roles[r].content, content) == 0)
            return TRUE;
    return FALSE;
}

static gboolean add_listed(CgTokenizer *tokenizer, const SpecialFiles *files, const Special *roles,
                           GError **error)
{
    json_t *decoder = json_object_get(files->config, "added_tokens_decoder"), *token;
    json_t *list = json_object_get(files->json, "added_tokens");
    const char *key;
    size_t i;

    if (decoder) {
        json_object_foreach(decoder, key, token)
        {
            if (!add_described(tokenizer, files->folder, token, id_of(NULL, key), error))
                return FALSE;
        }
        return TRUE;
    }
    json_object_foreach(files->added, key, token)
    {
        /* In this old file a token is a plain word, unless it has a role. */
        if (!add_token(tokenizer, files->folder, key, id_of(token, NULL), !has_role(roles, key),
                       error))
            return FALSE;
    }
    json_array_foreach(list, i, token)
    {
        double id = id_of(json_object_get(token, "id"), NULL);
        if (!add_described(tokenizer, files->folder, token, id, error))
            return FALSE;
    }
    return TRUE;
}

/* --- the roles --- */

/* Several roles may share a token, described with different flags. Of equal kinds the first counts,
 * of a description and a plain string whichever kind came up later: upstream compares tokens by
 * kind and text when it collects them, and the last of those with one text stays. */
static gboolean add_special(CgTokenizer *tokenizer, const char *where, const Special *roles,
                            Role role, GError **error)
{
    const Special *special = &roles[role];
    for (Role r = 0; r < role; r++)
        if (roles[r].described == special->described &&
            strcmp(roles[r].content, special->content) == 0)
            return TRUE;

    for (guint i = 0; i < tokenizer->added->len; i++) {
        if (strcmp(g_array_index(tokenizer->added, CgAddedToken, i).content, special->content))
            continue;
        g_array_remove_index(tokenizer->added, i);
        break;
    }
    return add_token(tokenizer, where, special->content, -1, special->normalized, error);
}

static gboolean read_roles(const CgTokenizer *tokenizer, const SpecialFiles *files, Special *roles,
                           GError **error)
{
    for (Role r = 0; r < TOKEN_COUNT; r++) {
        if (!read_role(files, r, &roles[r], error))
            return FALSE;
        /* A vocabulary with names of its own need not say what pads or stands for the unknown. */
        if (r > TOKEN_EOS && strcmp(roles[r].content, EOS) == 0 &&
            cg_tokenizer_lookup(tokenizer, EOS) < 0)
            roles[r] = roles[TOKEN_EOS];
    }
    return TRUE;
}

static gboolean add_roles(CgTokenizer *tokenizer, const SpecialFiles *files, const Special *roles,
                          GError **error)
{
    gboolean listed[TOKEN_COUNT];
    gint32 ids[TOKEN_COUNT];

    for (Role r = 0; r < TOKEN_COUNT; r++)
        listed[r] = find_added(tokenizer, roles[r].content) != NULL;
    for (Role r = 0; r < TOKEN_COUNT; r++) {
        if (!listed[r] && !add_special(tokenizer, files->folder, roles, r, error))
            return FALSE;
        ids[r] = cg_tokenizer_lookup(tokenizer, roles[r].content);
    }
    tokenizer->bos = ids[TOKEN_BOS];
    tokenizer->eos = ids[TOKEN_EOS];
    tokenizer->unk = ids[TOKEN_UNK];
    tokenizer->pad = ids[TOKEN_PAD];
    return TRUE;
}

static gboolean read_length(CgTokenizer *tokenizer, const SpecialFiles *files, GError **error)
{
    const json_t *value = json_object_get(files->config, "model_max_length");
    double length = DEFAULT_LENGTH;

    if (value && !json_is_null(value))
        length = json_is_number(value) ? json_number_value(value) : -1;
    if (length > MAX_LENGTH) /* "no limit": the text encoder has one all the same */
        length = DEFAULT_LENGTH;
    if (length < 2 || length != floor(length)) {
        g_set_error(
            error, CG_ERROR, CG_ERROR_FORMAT,
            "%s/tokenizer_config.json: \"model_max_length\" must be a whole number from 2 on",
            files->folder);
        return FALSE;
    }
    tokenizer->length = (int)length;
    return TRUE;
}

gboolean cg_tokenizer_read_special(CgTokenizer *tokenizer, const CgTokenizerFiles *bytes,
                                   GError **error)
{
    g_auto(SpecialFiles) files = {.folder = bytes->folder};
    const char *folder = bytes->folder;
    Special roles[TOKEN_COUNT];

    return parse(bytes->config, folder, "tokenizer_config.json", &files.config, error) &&
           parse(bytes->special_map, folder, "special_tokens_map.json", &files.special_map,
                 error) &&
           parse(bytes->added, folder, "added_tokens.json", &files.added, error) &&
           parse(bytes->json, folder, "tokenizer.json", &files.json, error) &&
           read_roles(tokenizer, &files, roles, error) &&
           add_listed(tokenizer, &files, roles, error) &&
           add_roles(tokenizer, &files, roles, error) && read_length(tokenizer, &files, error);
}
