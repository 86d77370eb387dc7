/* tree: small data sets in temporary folders, and what a reader makes of them in words. */
#ifndef CG_TESTS_SUPPORT_TREE_H
#define CG_TESTS_SUPPORT_TREE_H

#include "datasets/dataset.h"
#include "support/folder.h"

/* A file NAME with TEXT, and the folders above it. */
void cg_test_tree_text(const CgTestFolder *dir, const char *name, const char *text);
/* Empty files; NAMES is one string with blanks in between. */
void cg_test_tree_put(const CgTestFolder *dir, const char *names);
/* A PNG of WIDTH x HEIGHT with CHANNELS, its values 0; the first pixels are VALUE, COUNT of them.
 */
void cg_test_tree_image(const CgTestFolder *dir, const char *name, int width, int height,
                        int channels, int value, int count);

/* Opens DIR and fails the test when that does not work. */
CgDataset *cg_test_tree_open(const CgTestFolder *dir, CgLayout layout);
/* Opens DIR and fails the test unless it is refused with CODE and a message with TEXT. */
void cg_test_tree_refuse(const CgTestFolder *dir, CgLayout layout, int code, const char *text);

/* "category split defect image mask" of every sample, one a line. Free with g_free. */
char *cg_test_tree_samples(const CgDataset *d);
/* "kind path" of every problem, one a line. Free with g_free. */
char *cg_test_tree_problems(const CgDataset *d);

#define CG_ASSERT_SAMPLES(d, expected)                                                             \
    do {                                                                                           \
        g_autofree char *found_ = cg_test_tree_samples(d);                                         \
        g_assert_cmpstr(found_, ==, expected);                                                     \
    } while (0)

#define CG_ASSERT_PROBLEMS(d, expected)                                                            \
    do {                                                                                           \
        g_autofree char *found_ = cg_test_tree_problems(d);                                        \
        g_assert_cmpstr(found_, ==, expected);                                                     \
    } while (0)

#endif
