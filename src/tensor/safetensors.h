/* safetensors: reading and writing the tensor files the world has.
 *
 * Format: 8 bytes little-endian header length N, N bytes of JSON, then the data. Reading maps the
 * file and validates all of it before anything is handed out: N at most 100,000,000 and inside the
 * file; one JSON object; no duplicate names; every dtype known by name (CG_ERROR_UNSUPPORTED
 * otherwise), dims and offsets non-negative integers without overflow, end - begin exactly the
 * tensor's bytes; entries sorted by offset leave no hole, no overlap and end at the end of the
 * file. Values are not looked at: NaN and infinity are for the caller to find. Source:
 * huggingface/safetensors, README "Format".
 */
#ifndef CG_TENSOR_SAFETENSORS_H
#define CG_TENSOR_SAFETENSORS_H

#include "base/file.h"
#include "tensor/tensor.h"

typedef struct {
    const char *name;       /* owned by the file object */
    CgDType dtype;          /* CG_DTYPE_COUNT when we have no such type: see dtype_name */
    const char *dtype_name; /* as in the file: "F32", "F8_E4M3" */
    CgShape shape;          /* rank above CG_MAX_RANK: rank is the true rank, d[] not filled */
    const void *data;       /* into the map; any alignment */
    size_t size;            /* bytes */
} CgSafetensor;

typedef struct CgSafetensors CgSafetensors;

/* Opens one file: safetensors, or what torch.save wrote (tensor/torch_file.h), told by its content.
 * Errors name the file and say what is wrong. */
CgSafetensors *cg_safetensors_open(const char *path, GError **error);
/* The same on bytes in memory (tests, fuzzing); DATA must outlive the object. */
CgSafetensors *cg_safetensors_parse(const void *data, size_t size, const char *where,
                                    GError **error);
/* A sharded model: INDEX_PATH is "....safetensors.index.json"; opens every file of its weight_map
 * (plain names in the same folder only), checks that each tensor is in the file it should be in.
 * What the index does not list is left out. */
CgSafetensors *cg_safetensors_open_sharded(const char *index_path, GError **error);
void cg_safetensors_free(CgSafetensors *st);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgSafetensors, cg_safetensors_free)

guint cg_safetensors_count(const CgSafetensors *st);
/* In order of name. */
const CgSafetensor *cg_safetensors_nth(const CgSafetensors *st, guint i);
/* NULL when there is none. */
const CgSafetensor *cg_safetensors_find(const CgSafetensors *st, const char *name);
/* Value of a __metadata__ key of the (first) file, or NULL. */
const char *cg_safetensors_metadata(const CgSafetensors *st, const char *key);
/* Path of the file (of the index for a sharded model). */
const char *cg_safetensors_path(const CgSafetensors *st);
/* A tensor over the entry's bytes (a view into the map that keeps the map alive) when aligned,
 * else a copy. The dtype must be known and the rank at most CG_MAX_RANK. */
CgTensor *cg_safetensors_tensor(CgSafetensors *st, const CgSafetensor *entry);
/* Gives the entry's pages back to the system after its weights were packed. */
void cg_safetensors_release(CgSafetensors *st, const CgSafetensor *entry);

/* Writing: byte-identical to the upstream writer (dtype rank descending, then name; header padded
 * to 8; metadata by key). Declare all tensors first, then give their data, one call per tensor, in
 * the order that cg_safetensors_writer_nth reports; large models stream through without being held
 * in memory. */
typedef struct CgSafetensorsWriter CgSafetensorsWriter;
CgSafetensorsWriter *cg_safetensors_writer_new(void);
void cg_safetensors_writer_metadata(CgSafetensorsWriter *w, const char *key, const char *value);
void cg_safetensors_writer_declare(CgSafetensorsWriter *w, const char *name, CgDType dtype,
                                   CgShape shape);
/* Ends the declarations and writes the header. Fails when a name is used twice, is not UTF-8 or is
 * reserved, when sizes overflow, and when the disk has less room than the data needs. */
gboolean cg_safetensors_writer_begin(CgSafetensorsWriter *w, const char *path, GError **error);
guint cg_safetensors_writer_count(const CgSafetensorsWriter *w);
const char *cg_safetensors_writer_nth(const CgSafetensorsWriter *w, guint i);
/* The data of the next tensor, SIZE bytes, exactly as declared. */
gboolean cg_safetensors_writer_put(CgSafetensorsWriter *w, const void *data, size_t size,
                                   GError **error);
/* Commits the file; fails if a tensor is missing. Always frees W. */
gboolean cg_safetensors_writer_commit(CgSafetensorsWriter *w, GError **error);
void cg_safetensors_writer_free(CgSafetensorsWriter *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgSafetensorsWriter, cg_safetensors_writer_free)

/* All at once: COUNT tensors under NAMES. */
gboolean cg_safetensors_save(const char *path, const char *const *names, CgTensor *const *tensors,
                             guint count, GError **error);

#endif
