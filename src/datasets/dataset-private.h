/* dataset-private: what the readers of this folder share.
 *
 * The tree is listed once (names only, links resolved, circles cut); readers then work on that
 * list, so that telling a layout and reading it cost no second look at the disk.
 */
#ifndef CG_DATASETS_DATASET_PRIVATE_H
#define CG_DATASETS_DATASET_PRIVATE_H

#include "datasets/dataset.h"

/* Deepest folder below the root, and most files and folders that are listed. */
#define CG_TREE_MAX_DEPTH   12
#define CG_TREE_MAX_ENTRIES (16u << 20)

typedef struct CgFolder CgFolder;
struct CgFolder {
    CgFolder *parent;   /* NULL for the root */
    const char *name;   /* "" for the root */
    GPtrArray *files;   /* const char *, in order of strcmp */
    GPtrArray *folders; /* CgFolder *, in order of strcmp */
};

/* Lists ROOT into a tree that lives in the data set's strings; what cannot be listed becomes a
 * problem of DATASET. */
CgFolder *cg_tree_scan(CgDataset *dataset, GError **error);
void cg_folder_free(CgFolder *folder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgFolder, cg_folder_free)

/* The folder at PATH ("train/good") below FOLDER, or NULL. FOLDER may be NULL. */
CgFolder *cg_folder_find(CgFolder *folder, const char *path);
gboolean cg_folder_has_file(const CgFolder *folder, const char *name);
/* Whether PATH ("a/b.png") below FOLDER is a file. */
gboolean cg_folder_has_path(CgFolder *folder, const char *path);
/* ROOT/.../FOLDER/NAME; NAME may be NULL. Free with g_free. */
char *cg_folder_path(const CgDataset *dataset, const CgFolder *folder, const char *name);
/* Whether any picture is in FOLDER itself. */
gboolean cg_folder_has_images(const CgFolder *folder);

/* By extension: png, jpg, jpeg, bmp, tif, tiff, webp, gif, ppm, pgm in any case; not hidden. */
gboolean cg_name_is_image(const char *name);
/* Bytes before the last dot. */
gsize cg_name_stem(const char *name);

CgDataset *cg_dataset_new(const char *path);
/* Brings samples and problems into their order and fills the list of categories. */
void cg_dataset_sort(CgDataset *d);
void cg_dataset_add(CgDataset *d, const char *category, const char *defect, CgDatasetSplit split,
                    const CgFolder *folder, const char *image, const char *mask, CgMaskRule rule);
/* TEXT: see CgProblem. NAME may be NULL: the folder itself. */
void cg_dataset_problem(CgDataset *d, CgProblemKind kind, const CgFolder *folder, const char *name,
                        const char *format, ...) G_GNUC_PRINTF(5, 6);
/* What ERROR says without the "PATH: " in front, for problems, which name their path. */
const char *cg_dataset_reason(const GError *error, const char *path);
/* Takes PATH and TEXT. */
void cg_dataset_problem_at(CgDataset *d, CgProblemKind kind, char *path, char *text);
/* All files of FOLDER as strays, except readme and license files. ONLY_OTHER: only those that are
 * no pictures. */
void cg_dataset_strays(CgDataset *d, const CgFolder *folder, gboolean only_other);
/* FOLDER and all below it. */
void cg_dataset_stray_folder(CgDataset *d, const CgFolder *folder);

/* Normal samples of training whose category has no split: four fifths stay, the rest becomes test.
 * KEY names the group that a sample belongs to; groups stay together. */
typedef char *(*CgGroupKey)(const CgSample *sample);
void cg_dataset_draw_split(CgDataset *d, CgGroupKey key);

/* Readers: fill D from the tree. FALSE with an error when a table is broken. */
typedef gboolean (*CgLayoutRead)(CgDataset *d, CgFolder *root, GError **error);
gboolean cg_read_mvtec(CgDataset *d, CgFolder *root, GError **error);
gboolean cg_read_mvtec2(CgDataset *d, CgFolder *root, GError **error);
gboolean cg_read_visa(CgDataset *d, CgFolder *root, GError **error);
gboolean cg_read_ksdd(CgDataset *d, CgFolder *root, GError **error);
gboolean cg_read_ksdd2(CgDataset *d, CgFolder *root, GError **error);
gboolean cg_read_realiad(CgDataset *d, CgFolder *root, GError **error);
gboolean cg_read_tile(CgDataset *d, CgFolder *root, GError **error);
gboolean cg_read_folder(CgDataset *d, CgFolder *root, GError **error);
gboolean cg_read_textures(CgDataset *d, CgFolder *root, GError **error);

/* Whether the tree looks like it. */
typedef gboolean (*CgLayoutMatch)(CgFolder *root);
gboolean cg_match_mvtec(CgFolder *root);
gboolean cg_match_loco(CgFolder *root);
gboolean cg_match_mvtec2(CgFolder *root);
gboolean cg_match_btad(CgFolder *root);
gboolean cg_match_visa(CgFolder *root);
gboolean cg_match_ksdd(CgFolder *root);
gboolean cg_match_ksdd2(CgFolder *root);
gboolean cg_match_realiad(CgFolder *root);
gboolean cg_match_tile(CgFolder *root);
gboolean cg_match_folder(CgFolder *root);
gboolean cg_match_textures(CgFolder *root);

/* The name of the data set's folder, whatever way it was given ("." too). */
char *cg_dataset_base_name(const CgDataset *d);

/* Masks by the name of their image, for the pictures of one folder: "003_mask.png", "003_GT.png",
 * "003_label.png" or "003.png" are masks of "003.jpg". */
typedef struct CgPairing CgPairing;
/* MASKS (nullable): files and folders in it are masks. IS_MASK (nullable) chooses the files where
 * masks lie beside other things; then nothing else in the folder is reported. */
CgPairing *cg_pairing_new(CgDataset *d, const CgFolder *masks, gboolean (*is_mask)(const char *));
/* Whether NAME ends as masks beside their images do ("_mask", "_GT", "_label"). */
gboolean cg_name_is_mask(const char *name);
/* The path of the mask of IMAGE, borrowed; NULL when there is none. */
const char *cg_pairing_take(CgPairing *p, const char *image);
/* Reports what nobody took, and frees. */
void cg_pairing_finish(CgPairing *p);

#endif
