#include "pipeline/rows.h"

#include "base/log.h"
#include "base/system.h"

#define CHUNK 16 /* pictures of each thread between two looks at the manifest */

typedef struct {
    CgRowMade made;
    GError *error;
} Slot;

static void slot_clear(gpointer data)
{
    Slot *slot = data;
    json_decref(slot->made.row);
    g_clear_error(&slot->error);
}

/* The rows of the pictures from BEGIN on, up to the first that failed. */
static gboolean write_rows(const CgRows *rows, GArray *slots, guint begin, CgProgress *progress,
                           CgBatchSummary *summary, GError **error)
{
    gboolean ok = TRUE;
    for (guint i = 0; i < slots->len; i++) {
        Slot *slot = &g_array_index(slots, Slot, i);
        const CgOutput *output = &rows->outputs[begin + i];
        if (ok && slot->error) {
            g_propagate_error(error, g_steal_pointer(&slot->error));
            ok = FALSE;
        }
        if (ok && slot->made.done) {
            summary->skipped++;
            cg_progress_skip(progress, 1);
        }
        if (!slot->made.row)
            continue;
        if (!ok) {
            cg_output_remove(rows->out, rows->manifest, output);
        } else if (cg_output_write_row(rows->out, rows->manifest, output, slot->made.row, error)) {
            summary->made++;
            if (rows->row_done)
                rows->row_done(rows->data, slot->made.row);
        } else {
            ok = FALSE;
        }
    }
    cg_progress_update(progress, summary->made, NULL);
    return ok;
}

static gboolean run_chunk(const CgRows *rows, guint begin, guint end, CgProgress *progress,
                          CgBatchSummary *summary, GError **error)
{
    g_autoptr(GArray) slots = g_array_new(FALSE, TRUE, sizeof(Slot));
    g_array_set_clear_func(slots, slot_clear);
    g_array_set_size(slots, end - begin);
    Slot *slot = (Slot *)(void *)slots->data;
#pragma omp parallel for schedule(dynamic) num_threads(cg_threads())
    for (guint i = begin; i < end; i++)
        rows->make(rows->run, i, &slot[i - begin].made, &slot[i - begin].error);
    return write_rows(rows, slots, begin, progress, summary, error);
}

gboolean cg_rows_run(const CgRows *rows, CgBatchSummary *summary, GError **error)
{
    const guint chunk = (guint)cg_threads() * CHUNK;
    const double start = cg_seconds();
    gboolean ok = TRUE;
    *summary = (CgBatchSummary){0};
    CgProgress *progress = cg_progress_new("images", rows->count);
    for (guint begin = 0; ok && begin < rows->count; begin += chunk)
        ok = run_chunk(rows, begin, MIN(begin + chunk, rows->count), progress, summary, error);
    cg_progress_free(progress);
    if (summary->made)
        summary->seconds_per_image = (cg_seconds() - start) / summary->made;
    return ok;
}
