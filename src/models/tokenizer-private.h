/* tokenizer-private: what the tokenizer's files share, and what its fuzz target calls. */
#ifndef CG_MODELS_TOKENIZER_PRIVATE_H
#define CG_MODELS_TOKENIZER_PRIVATE_H

#include "models/tokenizer.h"

#define CG_TOKENIZER_WORD_END "</w>"

/* Two neighbours that become one symbol. Lower ranks go first. */
typedef struct {
    gint32 left, right;
    gint32 rank;
    gint32 id; /* of the joined symbol */
} CgMerge;

/* A token that is found in the text before anything else. */
typedef struct {
    char *content; /* as written in the files */
    char *match;   /* what is looked for: CONTENT, cleaned when NORMALIZED */
    size_t size;   /* bytes of MATCH */
    gint32 id;
    gboolean normalized; /* looked for in the cleaned text, not in the text as given */
} CgAddedToken;

struct CgTokenizer {
    GHashTable *vocabulary; /* piece (owned) -> id */
    GPtrArray *pieces;      /* by id, borrowed from vocabulary; NULL in gaps */
    GArray *merges;         /* of CgMerge, sorted by (left, right) */
    GArray *added;          /* of CgAddedToken */
    gunichar symbols[256];  /* the letter that stands for a byte in pieces */
    gint32 inner[256];      /* id of a byte inside a word; the unknown token's without entry */
    gint32 final[256];      /* id of a byte that ends a word */
    gint32 bos, eos, pad, unk;
    int length;
};

/* tokenizer_text.c */

/* TEXT in NFC, lower case, white space as single spaces. TEXT is valid UTF-8. Free with g_free. */
char *cg_tokenizer_clean(const char *text, size_t size);

/* A word of cleaned text. */
typedef struct {
    const char *start;
    size_t size;
} CgSpan;

/* Appends the words of the cleaned text TEXT [SIZE] to WORDS, a GArray of CgSpan. */
void cg_tokenizer_split(const char *text, size_t size, GArray *words);

/* tokenizer_merge.c */

typedef struct CgMerger CgMerger;
CgMerger *cg_merger_new(const CgTokenizer *tokenizer);
void cg_merger_free(CgMerger *merger);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgMerger, cg_merger_free)
/* Appends the ids of the word's bytes, merged as far as the ranks allow, to IDS. */
void cg_merger_run(CgMerger *merger, const char *word, size_t size, GArray *ids);

/* tokenizer_files.c */

/* The contents of a tokenizer's files; NULL where there is none. Needed are VOCABULARY and MERGES,
 * or JSON, or OPENAI. */
typedef struct {
    const char *folder;  /* for messages */
    const char *name;    /* the name of JSON or OPENAI in it */
    GBytes *vocabulary;  /* vocab.json */
    GBytes *merges;      /* merges.txt */
    GBytes *json;        /* tokenizer.json */
    GBytes *openai;      /* bpe_simple_vocab_16e6.txt or .txt.gz */
    GBytes *config;      /* tokenizer_config.json */
    GBytes *special_map; /* special_tokens_map.json */
    GBytes *added;       /* added_tokens.json */
} CgTokenizerFiles;

CgTokenizer *cg_tokenizer_parse(const CgTokenizerFiles *files, GError **error);

/* tokenizer_special.c */

/* Fills the added tokens, bos, eos, pad, unk and length of TOKENIZER, whose vocabulary is there. */
gboolean cg_tokenizer_read_special(CgTokenizer *tokenizer, const CgTokenizerFiles *files,
                                   GError **error);
/* PIECE under ID into the vocabulary; FALSE with CG_ERROR_FORMAT when either is taken. */
gboolean cg_tokenizer_add_piece(CgTokenizer *tokenizer, const char *where, const char *piece,
                                gint64 id, GError **error);
/* The id of PIECE or -1. */
gint32 cg_tokenizer_lookup(const CgTokenizer *tokenizer, const char *piece);

#endif
