/* prompt: what a defect is called in words, "broken large bottle" for bottle/broken_large.
 *
 * The default is "{defect} {category}" with underscores as spaces. A file of aliases says more:
 *
 *     {"categories": {"metal_nut": "hex nut"},
 *      "defects": {"print": ["ink print", "stamp"], "bottle/contamination": "dirt"},
 *      "phrasings": ["{defect} {category}", "a {category} with {defect}"]}
 *
 * All keys are optional; "category/defect" goes before "defect".
 */
#ifndef CG_DATASETS_PROMPT_H
#define CG_DATASETS_PROMPT_H

#include <glib.h>

typedef struct CgPrompts CgPrompts;

/* The aliases in the JSON file PATH; NULL for none. CG_ERROR_FORMAT names what is wrong in it. */
CgPrompts *cg_prompts_load(const char *path, GError **error);
void cg_prompts_free(CgPrompts *prompts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgPrompts, cg_prompts_free)

/* Every phrasing with every name of the defect, at least one; the first is the usual one. Valid
 * UTF-8 whatever the folders are called. Free with g_strfreev. */
char **cg_prompts_make(const CgPrompts *prompts, const char *category, const char *defect);

#endif
