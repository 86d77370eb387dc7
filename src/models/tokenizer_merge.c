/* Byte-pair merging of one word.
 *
 * The pair with the lowest rank is joined first, the leftmost of equals, until no two neighbours
 * have a rank. A heap of candidate pairs over a linked list of symbols makes that n log n: a "word"
 * of ten thousand letters is no trouble. A candidate is not taken out of the heap when one of its
 * symbols goes away in another merge; it is recognised as stale when its turn comes.
 */
#include "models/tokenizer-private.h"

#define NONE (-1)
#define DEAD (-1) /* as id: swallowed by its left neighbour */

typedef struct {
    gint32 id;
    gint32 previous, next; /* places of the neighbours or NONE */
} Symbol;

typedef struct {
    gint32 rank;
    gint32 place; /* of the left symbol */
    gint32 id;    /* of the joined symbol */
} Candidate;

struct CgMerger {
    const CgTokenizer *tokenizer;
    GArray *symbols; /* of Symbol */
    GArray *heap;    /* of Candidate; the least is the first, each not more than 2i+1 and 2i+2 */
};

CgMerger *cg_merger_new(const CgTokenizer *tokenizer)
{
    CgMerger *merger = g_new(CgMerger, 1);
    merger->tokenizer = tokenizer;
    merger->symbols = g_array_new(FALSE, FALSE, sizeof(Symbol));
    merger->heap = g_array_new(FALSE, FALSE, sizeof(Candidate));
    return merger;
}

void cg_merger_free(CgMerger *merger)
{
    if (!merger)
        return;
    g_array_unref(merger->symbols);
    g_array_unref(merger->heap);
    g_free(merger);
}

static gboolean before(const Candidate *a, const Candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->place < b->place;
}

static void heap_push(GArray *heap, Candidate item)
{
    g_array_append_val(heap, item);
    Candidate *at = (Candidate *)heap->data;
    guint i = heap->len - 1;
    for (; i > 0 && before(&item, &at[(i - 1) / 2]); i = (i - 1) / 2)
        at[i] = at[(i - 1) / 2];
    at[i] = item;
}

static Candidate heap_pop(GArray *heap)
{
    Candidate *at = (Candidate *)heap->data;
    Candidate top = at[0], item = at[heap->len - 1];
    guint n = heap->len - 1, i = 0;
    g_array_set_size(heap, n);
    while (2 * i + 1 < n) {
        guint child = 2 * i + 1;
        if (child + 1 < n && before(&at[child + 1], &at[child]))
            child++;
        if (!before(&at[child], &item))
            break;
        at[i] = at[child];
        i = child;
    }
    if (n > 0)
        at[i] = item;
    return top;
}

static const CgMerge *find_merge(const CgTokenizer *tokenizer, gint32 left, gint32 right)
{
    const CgMerge *at = (const CgMerge *)tokenizer->merges->data;
    guint low = 0, high = tokenizer->merges->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        const CgMerge *m = &at[middle];
        if (m->left < left || (m->left == left && m->right < right))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == tokenizer->merges->len || at[low].left != left || at[low].right != right)
        return NULL;
    return &at[low];
}

/* The symbol at PLACE and its right neighbour become a candidate if they have a rank. */
static void consider(CgMerger *merger, gint32 place)
{
    const Symbol *symbols = (const Symbol *)merger->symbols->data;
    if (place == NONE || symbols[place].next == NONE)
        return;
    const CgMerge *merge =
        find_merge(merger->tokenizer, symbols[place].id, symbols[symbols[place].next].id);
    if (merge)
        heap_push(merger->heap, (Candidate){merge->rank, place, merge->id});
}

/* Joins the pair of CANDIDATE unless it is stale. */
static void join(CgMerger *merger, Candidate candidate)
{
    Symbol *symbols = (Symbol *)merger->symbols->data;
    Symbol *left = &symbols[candidate.place];
    if (left->id == DEAD || left->next == NONE)
        return;
    Symbol *right = &symbols[left->next];
    const CgMerge *merge = find_merge(merger->tokenizer, left->id, right->id);
    if (!merge || merge->id != candidate.id)
        return;

    left->id = merge->id;
    left->next = right->next;
    right->id = DEAD;
    if (left->next != NONE)
        symbols[left->next].previous = candidate.place;
    consider(merger, left->previous);
    consider(merger, candidate.place);
}

void cg_merger_run(CgMerger *merger, const char *word, size_t size, GArray *ids)
{
    const CgTokenizer *tokenizer = merger->tokenizer;
    gint32 count = (gint32)size; /* the prompt's limit bounds it */

    g_array_set_size(merger->symbols, (guint)count);
    g_array_set_size(merger->heap, 0);
    for (gint32 i = 0; i < count; i++) {
        guchar byte = (guchar)word[i];
        gint32 id = i + 1 < count ? tokenizer->inner[byte] : tokenizer->final[byte];
        Symbol symbol = {id, i - 1, i + 1 < count ? i + 1 : NONE};
        g_array_index(merger->symbols, Symbol, i) = symbol;
    }
    for (gint32 i = 0; i < count; i++)
        consider(merger, i);
    while (merger->heap->len > 0)
        join(merger, heap_pop(merger->heap));

    for (gint32 i = 0; i < count; i = g_array_index(merger->symbols, Symbol, i).next) {
        g_array_append_val(ids, g_array_index(merger->symbols, Symbol, i).id);
        if (g_array_index(merger->symbols, Symbol, i).next == NONE)
            break;
    }
}
