/* structure: the names and shapes of a model's parameters, without any weights. */
#ifndef CG_TESTS_SUPPORT_STRUCTURE_H
#define CG_TESTS_SUPPORT_STRUCTURE_H

#include "models/vae.h"
#include "nn/parameters.h"

typedef struct {
    GPtrArray *names; /* char * */
    GArray *shapes;   /* CgShape */
} CgTestStructure;

CgTestStructure *cg_test_structure_unet(void); /* Stable Diffusion 1.5's */
CgTestStructure *cg_test_structure_controlnet(void);
CgTestStructure *cg_test_structure_vae(CgVaeKind kind);
CgTestStructure *cg_test_structure_text(void);
void cg_test_structure_free(CgTestStructure *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgTestStructure, cg_test_structure_free)

/* Numbers in all parameters. */
guint64 cg_test_structure_count(const CgTestStructure *s);
/* SHA-256 over the lines "name:d0,d1,...\n" in bytewise order of name; free with g_free. */
char *cg_test_structure_digest(const CgTestStructure *s);

#endif
