/* tokenizer: from a prompt to the ids that CLIP's text encoder reads.
 *
 * Byte-pair encoding as OpenAI's CLIP defined it (clip/simple_tokenizer.py), with the text cleaning
 * of the Hugging Face tokenizer that Stable Diffusion runs on in diffusers: Unicode NFC, white
 * space only separates, lower case character by character.
 *
 * Ids are equal to that tokenizer's (compared with transformers 5.23) but for what Unicode added
 * lately. Letters younger than GLib's tables (15.0 in GLib 2.74) count as symbols. And upstream
 * normalises by Unicode 9 of 2016: where a combining mark younger than that stands next to another
 * mark in an order that is not canonical, we sort them and upstream does not.
 *
 *     g_autoptr(CgTokenizer) tokenizer = cg_tokenizer_open("sd15/tokenizer", error);
 *     g_autoptr(GArray) ids = cg_tokenizer_encode(tokenizer, "scratched pill", error);
 *     gint32 *frame = g_new(gint32, cg_tokenizer_length(tokenizer));
 *     size_t dropped = cg_tokenizer_frame(tokenizer, (gint32 *)ids->data, ids->len, frame);
 *
 * A tokenizer does not change after it was opened: threads may share one.
 */
#ifndef CG_MODELS_TOKENIZER_H
#define CG_MODELS_TOKENIZER_H

#include <glib.h>
#include <stddef.h>

/* Longer prompts are refused: 77 ids hold a few hundred characters. */
#define CG_TOKENIZER_MAX_PROMPT 65536u /* bytes */

typedef struct CgTokenizer CgTokenizer;

/* Reads a tokenizer from PATH, which is one of
 * - a folder with vocab.json and merges.txt, or else with tokenizer.json;
 * - a model's folder with such a folder named tokenizer in it;
 * - a tokenizer.json;
 * - OpenAI's list of merges, bpe_simple_vocab_16e6.txt, plain or as .gz.
 * Beside vocab.json or tokenizer.json, tokenizer_config.json, special_tokens_map.json and
 * added_tokens.json are read when they are there: names of the special tokens, added tokens, length
 * of the frame. CG_ERROR_MISSING, _IO, _FORMAT, or _UNSUPPORTED for tokenizers of another kind. */
CgTokenizer *cg_tokenizer_open(const char *path, GError **error);
/* NULL is fine. */
void cg_tokenizer_close(CgTokenizer *tokenizer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgTokenizer, cg_tokenizer_close)

/* The ids of TEXT as a GArray of gint32 (free with g_array_unref), neither framed nor truncated.
 * Special tokens written out in the text ("<|endoftext|>") become their ids, as upstream.
 * CG_ERROR_USAGE when TEXT is not UTF-8 or longer than CG_TOKENIZER_MAX_PROMPT. */
GArray *cg_tokenizer_encode(const CgTokenizer *tokenizer, const char *text, GError **error);

/* FRAME [cg_tokenizer_length] = the begin token, IDS [COUNT] as far as they fit, the end token, and
 * padding. Returns how many of IDS did not fit. */
size_t cg_tokenizer_frame(const CgTokenizer *tokenizer, const gint32 *ids, size_t count,
                          gint32 *frame);

/* Encode and frame in one. *DROPPED (nullable) gets the number of ids that did not fit. */
gboolean cg_tokenizer_frame_text(const CgTokenizer *tokenizer, const char *text, gint32 *frame,
                                 size_t *dropped, GError **error);

/* The vocabulary's own spelling of ID ("bottle</w>": each byte as one letter, a word's end marked);
 * NULL when no entry has that id. Borrowed. */
const char *cg_tokenizer_piece(const CgTokenizer *tokenizer, gint32 id);
/* What ID stands for in the text: bytes that are not UTF-8 on their own as \xNN, without the mark
 * of the word's end. Free with g_free. */
char *cg_tokenizer_piece_text(const CgTokenizer *tokenizer, gint32 id);

/* Ids in a frame, begin and end included (77). */
int cg_tokenizer_length(const CgTokenizer *tokenizer);
/* One more than the largest id: the text encoder's table must have at least so many rows. */
int cg_tokenizer_size(const CgTokenizer *tokenizer);
gint32 cg_tokenizer_bos(const CgTokenizer *tokenizer);
gint32 cg_tokenizer_eos(const CgTokenizer *tokenizer);
gint32 cg_tokenizer_pad(const CgTokenizer *tokenizer);

#endif
