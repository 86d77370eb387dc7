/* captions: pictures with texts, which a model learns to draw from.
 *
 *     DIR/metadata.jsonl           rows {"file_name": "a.png", "text": "rusty hex nut"}
 *     DIR/NAME.png, DIR/NAME.txt   a text file beside each picture
 *     DIR in a layout of dataset.h all texts that prompt.h makes: "rust hex nut", "good hex nut"
 *
 * The first of these that fits is taken.
 */
#ifndef CG_DATASETS_CAPTIONS_H
#define CG_DATASETS_CAPTIONS_H

#include "datasets/dataset.h"

typedef struct {
    char *image;  /* path */
    char **texts; /* UTF-8, one line each; at least one, the usual one first */
} CgCaption;

typedef struct {
    CgLayout layout;     /* of data sets */
    const char *aliases; /* file of names for prompts (prompt.h); NULL: none */
    gboolean train_only; /* of data sets: the training split's images alone, which are good */
} CgCaptionRules;

/* The pictures of PATH as a GPtrArray of CgCaption, in order of path (freed with the array).
 * CG_ERROR_MISSING when PATH is no folder or there are no pictures, a picture of a caption or a
 * caption's text is not there; CG_ERROR_FORMAT for rows that are none, names that lead out of PATH,
 * texts that are empty, not UTF-8 or longer than CG_CAPTION_MAX. */
#define CG_CAPTION_MAX 4096
GPtrArray *cg_captions_open(const char *path, const CgCaptionRules *rules, GError **error);

#endif
