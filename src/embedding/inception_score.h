/* inception_score: how clearly a classifier recognises pictures, and how different they are to it.
 */
#ifndef CG_EMBEDDING_INCEPTION_SCORE_H
#define CG_EMBEDDING_INCEPTION_SCORE_H

#include "metrics/interval.h"

/* exp of the mean of KL(p(y|x) || p(y)) over all pictures x, p(y) their mean (Salimans et al.
 * 2016); from 1 to CLASSES. LOGITS [count, classes], before the softmax; COUNT at least 1.
 * Published scores are of Inception-v3 and of ten parts of 50,000 pictures: of another network, or
 * of few pictures, it is another number. Interval: from the spread of the pictures' divergences
 * (which are what each moves the logarithm by); NaN of fewer than two. */
CgEstimate cg_inception_score(const float *logits, size_t count, size_t classes);

#endif
