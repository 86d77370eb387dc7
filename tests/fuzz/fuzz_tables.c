/* Any text as a table that describes images. Its first character says which: V, A VisA's CSV files,
 * R Real-IAD's JSON, S a few-shot split, J a list of jobs. Refused, or read to
 * samples that have all that samples have. */
#include "base/json.h"
#include "datasets/dataset.h"
#include "datasets/split.h"
#include "folder.h"
#include "pipeline/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void prepare(void)
{
    static const char *const files[] = {
        "visa/part/Data/Images/Anomaly/0.JPG", "visa/part/Data/Images/Normal/1.JPG",
        "visa/part/Data/Masks/Anomaly/0.png",  "real/realiad_256/part/OK/0.jpg",
        "real/realiad_256/part/NG/AK/0.jpg",   "real/realiad_256/part/NG/AK/0.png"};
    static gboolean prepared;
    for (size_t i = 0; !prepared && i < G_N_ELEMENTS(files); i++)
        fuzz_write(files[i], "", 0);
    prepared = TRUE;
}

static void open_dataset(const char *folder, CgLayout layout)
{
    g_autofree char *path = fuzz_path(folder);
    g_autoptr(GError) error = NULL;
    g_autoptr(CgDataset) d = cg_dataset_open(path, layout, &error);
    if (!fuzz_answered(d != NULL, error))
        return;
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        require(s->category && s->defect && s->image);
        require(g_file_test(s->image, G_FILE_TEST_EXISTS));
    }
}

static void read_table(char kind, const char *text, size_t size)
{
    static const char visa[] = "object,split,label,image,mask\n"
                               "part,test,anomaly,part/Data/Images/Anomaly/0.JPG,"
                               "part/Data/Masks/Anomaly/0.png\n";
    g_autoptr(GError) error = NULL;
    g_autofree char *file = fuzz_path("table");
    if (kind == 'V' || kind == 'A') {
        fuzz_write("visa/split_csv/1cls.csv", kind == 'V' ? text : visa,
                   kind == 'V' ? size : sizeof visa - 1);
        fuzz_write("visa/part/image_anno.csv", kind == 'A' ? text : "image,label,mask\n",
                   kind == 'A' ? size : 17);
        open_dataset("visa", CG_LAYOUT_VISA);
    } else if (kind == 'R') {
        fuzz_write("real/realiad_jsons/part.json", text, size);
        open_dataset("real", CG_LAYOUT_REALIAD);
    } else if (kind == 'S') {
        fuzz_write("table", text, size);
        g_autoptr(CgSplit) split = cg_split_load(file, &error);
        fuzz_answered(split != NULL, error);
        for (guint i = 0; split && i < split->images->len; i++)
            require(strlen(((CgShot *)g_ptr_array_index(split->images, i))->sha256) == 64);
    } else if (kind == 'J') {
        fuzz_write("table", text, size);
        g_autoptr(CgJob) base = cg_job_new();
        g_autoptr(GPtrArray) jobs = cg_jobs_load(file, base, &error);
        fuzz_answered(jobs != NULL, error);
        for (guint i = 0; jobs && i < jobs->len; i++) {
            const CgJob *job = g_ptr_array_index(jobs, i);
            g_autoptr(json_t) row = cg_job_to_json(job);
            g_autoptr(CgJob) again = cg_job_parse(row, base, NULL, "row", NULL);
            require(again && !job->mask == !again->mask && !job->shape == !again->shape);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    prepare();
    if (size > 0)
        read_table((char)bytes[0], (const char *)bytes + 1, size - 1);
    return 0;
}
