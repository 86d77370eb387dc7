/* pictures: small pictures for tests, and what syntheses must keep. */
#ifndef TESTS_SUPPORT_PICTURES_H
#define TESTS_SUPPORT_PICTURES_H

#include "synthesis/synthesis.h"

/* Uniform noise. Free with cg_image_free. */
CgImage *test_random_image(int width, int height, int channels, uint64_t seed);
/* Size and channels as NORMAL's, the mask not empty and of 0 and 255 alone, and every pixel outside
 * of it as in NORMAL. */
void test_assert_only_mask_differs(const CgImage *normal, const CgSynthesis *made);

#endif
