/* tokenizer_train: a vocabulary made from captions, in the files of CLIP's tokenizer.
 *
 * Byte-pair encoding (Sennrich et al. 2016): from 256 bytes and 256 bytes that end a word, the pair
 * of neighbours that is seen most often becomes one symbol, again and again. Text is cleaned and
 * split as for encoding. Of pairs seen equally often the one with the smaller ids goes first, so
 * that the same captions, in any order, give the same files.
 */
#ifndef CG_MODELS_TOKENIZER_TRAIN_H
#define CG_MODELS_TOKENIZER_TRAIN_H

#include <glib.h>

/* The bytes in both forms and the two special tokens. */
#define CG_TOKENIZER_MIN_SIZE 514

/* vocab.json, merges.txt, special_tokens_map.json, tokenizer_config.json */
extern const char *const cg_tokenizer_files[4];

/* Writes these files into FOLDER, which is made. At most SIZE entries, bytes and special tokens
 * included: fewer when no pair is seen twice any more. LENGTH: ids in a frame (77). Returns the
 * number of entries; 0 on failure: CG_ERROR_USAGE when SIZE is below CG_TOKENIZER_MIN_SIZE or a
 * caption is not UTF-8, CG_ERROR_IO.
 */
int cg_tokenizer_train(const char *const *captions, size_t count, int size, int length,
                       const char *folder, GError **error);

#endif
