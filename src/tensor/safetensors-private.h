/* safetensors-private: what the reader's files share. */
#ifndef CG_TENSOR_SAFETENSORS_PRIVATE_H
#define CG_TENSOR_SAFETENSORS_PRIVATE_H

#include "tensor/safetensors.h"

#define CG_SAFETENSORS_MAX_HEADER 100000000u /* upstream's limit */
#define CG_SAFETENSORS_METADATA   "__metadata__"

typedef struct {
    CgSafetensor view;  /* first, so that a view's address is its entry's */
    CgMappedFile *file; /* borrowed; NULL for bytes in memory */
    guint64 begin;      /* offset in the data part */
    CgTensor *copy;     /* borrowed: what the data lies in; NULL: in the file */
} CgSafetensorEntry;

typedef struct {
    const char *key, *value;
} CgSafetensorMetadata;

/* What a header says. Strings live in STRINGS. */
typedef struct {
    GStringChunk *strings;
    GArray *entries;  /* of CgSafetensorEntry, in the header's order; view.data is NULL */
    GArray *metadata; /* of CgSafetensorMetadata, by key */
} CgSafetensorsHeader;

void cg_safetensors_header_init(CgSafetensorsHeader *header);
void cg_safetensors_header_clear(CgSafetensorsHeader *header);

/* Reads SIZE bytes of JSON into HEADER. Checks everything that can be said without the data:
 * syntax, types, dtypes, the size of each tensor. Memory grows with the number of tensors, not
 * with what else a hostile header may hold. */
gboolean cg_safetensors_header_read(CgSafetensorsHeader *header, const char *json, size_t size,
                                    const char *where, GError **error);

#endif
