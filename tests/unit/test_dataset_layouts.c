/* The layouts of published data sets besides MVTec AD. */
#include "base/error.h"
#include "support/tree.h"

static void loco_masks_are_folders(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    cg_test_tree_put(dir, "box/train/good/000.png box/validation/good/000.png "
                          "box/test/logical_anomalies/000.png box/test/good/000.png "
                          "box/test/structural_anomalies/000.png "
                          "box/ground_truth/structural_anomalies/000/000.png");
    cg_test_tree_image(dir, "box/ground_truth/logical_anomalies/000/000.png", 4, 2, 1, 7, 1);
    cg_test_tree_image(dir, "box/ground_truth/logical_anomalies/000/001.png", 4, 2, 1, 255, 3);
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_LOCO);
    CG_ASSERT_SAMPLES(d, "box train good box/train/good/000.png -\n"
                         "box validation good box/validation/good/000.png -\n"
                         "box test good box/test/good/000.png -\n"
                         "box test logical_anomalies box/test/logical_anomalies/000.png "
                         "box/ground_truth/logical_anomalies/000\n"
                         "box test structural_anomalies box/test/structural_anomalies/000.png "
                         "box/ground_truth/structural_anomalies/000\n");
    CG_ASSERT_PROBLEMS(d, "");

    g_autoptr(GError) error = NULL;
    g_autoptr(CgImage) mask = cg_sample_load_mask(cg_dataset_sample(d, 3), &error);
    g_assert_no_error(error);
    const guint8 expected[8] = {255, 255, 255, 0, 0, 0, 0, 0};
    g_assert_cmpmem(mask->pixels, 8, expected, 8);
}

static void second_mvtec_has_public_and_private_tests(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    cg_test_tree_put(dir, "can/train/good/000_regular.png can/validation/good/000_regular.png "
                          "can/test_public/good/000_regular.png "
                          "can/test_public/bad/000_overexposed.png "
                          "can/test_public/ground_truth/bad/000_overexposed_mask.png "
                          "can/test_private/000_regular.png can/test_private_mixed/000_mixed.png");
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_MVTEC2);
    CG_ASSERT_SAMPLES(d, "can train good can/train/good/000_regular.png -\n"
                         "can validation good can/validation/good/000_regular.png -\n"
                         "can test good can/test_public/good/000_regular.png -\n"
                         "can test bad can/test_public/bad/000_overexposed.png "
                         "can/test_public/ground_truth/bad/000_overexposed_mask.png\n");
    CG_ASSERT_PROBLEMS(d, "");
    g_assert_cmpuint(d->unlabelled, ==, 2);
}

static void btad_is_read_with_its_mixed_extensions(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    cg_test_tree_put(dir, "01/train/ok/0000.bmp 01/test/ok/0000.bmp 01/test/ko/0000.bmp "
                          "01/ground_truth/ko/0000.png 03/train/ok/0000.bmp 03/test/ko/0001.bmp "
                          "03/ground_truth/ko/0001.bmp");
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_BTAD);
    CG_ASSERT_SAMPLES(d, "01 train good 01/train/ok/0000.bmp -\n"
                         "01 test good 01/test/ok/0000.bmp -\n"
                         "01 test ko 01/test/ko/0000.bmp 01/ground_truth/ko/0000.png\n"
                         "03 train good 03/train/ok/0000.bmp -\n"
                         "03 test ko 03/test/ko/0001.bmp 03/ground_truth/ko/0001.bmp\n");
    CG_ASSERT_PROBLEMS(d, "");
}

static void put_visa(const CgTestFolder *dir)
{
    cg_test_tree_put(dir, "candle/Data/Images/Normal/0000.JPG candle/Data/Images/Normal/0001.JPG "
                          "candle/Data/Images/Anomaly/000.JPG candle/Data/Images/Anomaly/001.JPG "
                          "candle/Data/Masks/Anomaly/000.png candle/Data/Masks/Anomaly/001.png");
    cg_test_tree_text(dir, "candle/image_anno.csv",
                      "image,label,mask\n"
                      "candle/Data/Images/Normal/0000.JPG,normal,\n"
                      "candle/Data/Images/Normal/0001.JPG,normal,\n"
                      "candle/Data/Images/Anomaly/000.JPG,\"chunk of wax missing,other\","
                      "candle/Data/Masks/Anomaly/000.png\n"
                      "candle/Data/Images/Anomaly/001.JPG,weird candle wick,"
                      "candle/Data/Masks/Anomaly/001.png\n");
}

static const char visa_split[] =
    "\xef\xbb\xbfobject,split,label,image,mask\r\n"
    "candle,train,normal,candle/Data/Images/Normal/0000.JPG,\r\n"
    "candle,test,normal,candle/Data/Images/Normal/0001.JPG,\r\n"
    "candle,test,anomaly,candle/Data/Images/Anomaly/000.JPG,candle/Data/Masks/Anomaly/000.png\r\n"
    "candle,test,anomaly,candle/Data/Images/Anomaly/001.JPG,candle/Data/Masks/Anomaly/001.png";

static void visa_follows_its_tables(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    put_visa(dir);
    cg_test_tree_text(dir, "split_csv/1cls.csv", visa_split);
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_VISA);
    CG_ASSERT_SAMPLES(d, "candle train good candle/Data/Images/Normal/0000.JPG -\n"
                         "candle test good candle/Data/Images/Normal/0001.JPG -\n"
                         "candle test combined candle/Data/Images/Anomaly/000.JPG "
                         "candle/Data/Masks/Anomaly/000.png\n"
                         "candle test weird candle wick candle/Data/Images/Anomaly/001.JPG "
                         "candle/Data/Masks/Anomaly/001.png\n");
    CG_ASSERT_PROBLEMS(d, "");
    g_assert_false(d->drawn);
    g_assert_cmpint(cg_dataset_sample(d, 2)->mask_rule, ==, CG_MASK_NONZERO);
}

static void visa_without_split_gets_one(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    put_visa(dir);
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_true(d->drawn);
    g_assert_cmpuint(d->samples->len, ==, 4);
    for (guint i = 0; i < 4; i++)
        if (!cg_sample_is_good(cg_dataset_sample(d, i)))
            g_assert_cmpint(cg_dataset_sample(d, i)->split, ==, CG_DATASET_TEST);
}

static void rows_of_visa_that_make_no_sense_are_problems(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    put_visa(dir);
    cg_test_tree_text(dir, "split_csv/1cls.csv",
                      "object,split,label,image,mask\n"
                      "candle,train,normal,candle/Data/Images/Normal/0000.JPG,\n"
                      "candle,train,normal,candle/Data/Images/Normal/0000.JPG,\n"
                      "candle,train,normal,../../../../../etc/passwd,\n"
                      "candle,train,normal,/etc/passwd,\n"
                      "candle,later,normal,candle/Data/Images/Normal/0001.JPG,\n"
                      "\n"
                      "candle,test,anomaly,candle/Data/Images/Anomaly/000.JPG,nowhere.png\n"
                      "candle,test\n");
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    CG_ASSERT_PROBLEMS(d, "reference candle/Data/Images/Anomaly/001.JPG\n"
                          "reference candle/Data/Images/Normal/0001.JPG\n"
                          "unpaired-mask candle/Data/Masks/Anomaly/000.png\n"
                          "unpaired-mask candle/Data/Masks/Anomaly/001.png\n"
                          "reference split_csv/1cls.csv\n"
                          "reference split_csv/1cls.csv\n"
                          "reference split_csv/1cls.csv\n"
                          "reference split_csv/1cls.csv\n"
                          "reference split_csv/1cls.csv\n"
                          "reference split_csv/1cls.csv\n");
    g_assert_cmpuint(d->samples->len, ==, 2);
}

static void broken_tables_are_refused(void)
{
    static const struct {
        const char *table, *text;
    } cases[] = {
        {"", "names no column"},
        {"object,split,label,image\n", "names no column \"mask\""},
        {"object,split,label,image,mask\na,\"b\n", "line 2: a quote is not closed"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(CgTestFolder) dir = cg_test_folder_new();
        put_visa(dir);
        cg_test_tree_text(dir, "split_csv/1cls.csv", cases[i].table);
        cg_test_tree_refuse(dir, CG_LAYOUT_AUTO, CG_ERROR_FORMAT, cases[i].text);
    }
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *row = g_strnfill(1 << 20, 'x');
    g_autofree char *huge = g_strconcat("object,split,label,image,mask\n", row, NULL);
    put_visa(dir);
    cg_test_tree_text(dir, "split_csv/1cls.csv", huge);
    cg_test_tree_refuse(dir, CG_LAYOUT_AUTO, CG_ERROR_FORMAT, "line 2: longer than");
}

/* COUNT pictures of a commutator, the first defective. */
static void put_kos(const CgTestFolder *dir, const char *folder, int count)
{
    for (int i = 0; i < count; i++) {
        g_autofree char *image = g_strdup_printf("%s/Part%d.jpg", folder, i);
        g_autofree char *mask = g_strdup_printf("%s/Part%d_label.png", folder, i);
        cg_test_tree_put(dir, image);
        cg_test_tree_image(dir, mask, 4, 4, 1, 1, i == 0);
    }
}

static void kolektor_knows_defects_by_their_masks(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    guint train[6] = {0}, test[6] = {0}, defects = 0;
    for (int k = 1; k <= 5; k++) {
        g_autofree char *folder = g_strdup_printf("kos0%d", k);
        put_kos(dir, folder, 3);
    }
    cg_test_tree_put(dir, "kos01/Part7.jpg");
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_KSDD);
    g_assert_true(d->drawn);
    g_assert_cmpuint(d->samples->len, ==, 15);
    CG_ASSERT_PROBLEMS(d, "missing-mask kos01/Part7.jpg\n");
    for (guint i = 0; i < 15; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        const int kos = cg_dataset_relative(d, s->image)[4] - '0';
        if (!cg_sample_is_good(s)) {
            g_assert_cmpint(s->split, ==, CG_DATASET_TEST);
            g_assert_cmpstr(s->defect, ==, "crack");
            defects++;
        } else {
            (s->split == CG_DATASET_TRAIN ? train : test)[kos]++;
        }
    }
    g_assert_cmpuint(defects, ==, 5);
    /* The sides of one commutator are not torn apart. */
    guint commutators = 0;
    for (int k = 1; k <= 5; k++) {
        g_assert_true(train[k] == 0 || test[k] == 0);
        commutators += train[k] > 0;
    }
    g_assert_cmpuint(commutators, ==, 4);
}

static void second_kolektor_is_read(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    cg_test_tree_put(dir, "train/10000.png train/10001.png test/20000.png");
    cg_test_tree_image(dir, "train/10000_GT.png", 4, 4, 1, 0, 0);
    cg_test_tree_image(dir, "train/10001_GT.png", 4, 4, 1, 255, 2);
    cg_test_tree_text(dir, "test/20000_GT.png", "no picture");
    cg_test_tree_put(dir, "test/20001.png");
    cg_test_tree_image(dir, "test/20001_GT.png", 4, 4, 1, 255, 2);
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_KSDD2);
    CG_ASSERT_SAMPLES(d, "surface train good train/10000.png train/10000_GT.png\n"
                         "surface train defect train/10001.png train/10001_GT.png\n"
                         "surface test defect test/20001.png test/20001_GT.png\n");
    CG_ASSERT_PROBLEMS(d, "unreadable test/20000_GT.png\n");
}

static void tiles_of_one_shot_stay_together(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    for (int i = 0; i < 10; i++)
        for (int exposure = 1; exposure <= 2; exposure++) {
            g_autofree char *names =
                g_strdup_printf("MT_Free/Imgs/exp%d_num_%d.jpg MT_Free/Imgs/exp%d_num_%d.png",
                                exposure, i, exposure, i);
            cg_test_tree_put(dir, names);
        }
    cg_test_tree_put(dir, "MT_Blowhole/Imgs/exp1_num_99.jpg MT_Blowhole/Imgs/exp1_num_99.png "
                          "MT_Crack/Imgs/exp1_num_98.jpg");
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_TILE);
    CG_ASSERT_PROBLEMS(d, "missing-mask MT_Crack/Imgs/exp1_num_98.jpg\n");
    int exposures[10] = {0}, train = 0;
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        if (!cg_sample_is_good(s)) {
            g_assert_cmpstr(s->defect, ==, "blowhole");
            g_assert_cmpstr(s->category, ==, "magnetic_tile");
        } else if (s->split == CG_DATASET_TRAIN) {
            const char *number = g_strrstr(s->image, "_num_");
            exposures[number[5] - '0']++;
            train++;
        }
    }
    g_assert_cmpint(train, ==, 16);
    for (int i = 0; i < 10; i++)
        g_assert_cmpint(exposures[i] % 2, ==, 0);
}

static const char realiad_table[] =
    "{\"meta\":{\"prefix\":\"tape/\",\"normal_class\":\"OK\",\"pre_transform\":null},"
    "\"train\":[{\"category\":\"tape\",\"anomaly_class\":\"OK\",\"image_path\":\"OK/S1/a.jpg\","
    "\"mask_path\":null}],\"test\":[{\"category\":\"tape\",\"anomaly_class\":\"HS\","
    "\"image_path\":\"NG/HS/S2/b.jpg\",\"mask_path\":\"NG/HS/S2/b.png\"},"
    "{\"category\":\"tape\",\"anomaly_class\":\"OK\",\"image_path\":\"OK/S3/gone.jpg\"}]}";

static void realiad_follows_its_json(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    cg_test_tree_put(dir, "realiad_512/tape/OK/S1/a.jpg realiad_512/tape/NG/HS/S2/b.jpg "
                          "realiad_512/tape/NG/HS/S2/b.png");
    cg_test_tree_text(dir, "realiad_jsons/tape.json", realiad_table);
    g_autoptr(CgDataset) d = cg_test_tree_open(dir, CG_LAYOUT_AUTO);
    g_assert_cmpint(d->layout, ==, CG_LAYOUT_REALIAD);
    CG_ASSERT_SAMPLES(d, "tape train good realiad_512/tape/OK/S1/a.jpg -\n"
                         "tape test scratch realiad_512/tape/NG/HS/S2/b.jpg "
                         "realiad_512/tape/NG/HS/S2/b.png\n");
    CG_ASSERT_PROBLEMS(d, "reference realiad_jsons/tape.json\n");
}

static void broken_json_is_refused(void)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"", "empty"},
        {"{\"train\":[", "not valid JSON"},
        {"[]", "object { } was expected"},
        {"{}", "\"train\" must be an array"},
        {"{\"train\":[],\"test\":{}}", "\"test\" must be an array"},
        {"{\"train\":[3],\"test\":[]}", "entry 0 of \"train\" is no object"},
        {"{\"train\":[{\"image_path\":3}],\"test\":[]}", "\"image_path\" is an integer"},
        {"{\"meta\":{\"prefix\":[]},\"train\":[],\"test\":[]}", "\"prefix\" is an array"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(CgTestFolder) dir = cg_test_folder_new();
        cg_test_tree_put(dir, "realiad_512/tape/OK/S1/a.jpg");
        cg_test_tree_text(dir, "realiad_jsons/tape.json", cases[i].json);
        cg_test_tree_refuse(dir, CG_LAYOUT_AUTO, CG_ERROR_FORMAT, cases[i].text);
    }
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *deep = g_strnfill(100000, '[');
    cg_test_tree_put(dir, "realiad_512/tape/OK/S1/a.jpg");
    cg_test_tree_text(dir, "realiad_jsons/tape.json", deep);
    cg_test_tree_refuse(dir, CG_LAYOUT_AUTO, CG_ERROR_FORMAT, "not valid JSON");
}

static void layouts_have_names(void)
{
    g_autoptr(GError) error = NULL;
    CgLayout layout;
    for (int i = 0; i < CG_LAYOUT_COUNT; i++) {
        g_assert_true(cg_layout_parse(cg_layout_name((CgLayout)i), &layout, &error));
        g_assert_cmpint(layout, ==, i);
    }
    g_assert_true(cg_layout_parse("MPDD", &layout, &error));
    g_assert_cmpint(layout, ==, CG_LAYOUT_MVTEC);
    g_assert_false(cg_layout_parse("imagenet", &layout, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dataset_layouts/loco_masks_are_folders", loco_masks_are_folders);
    g_test_add_func("/dataset_layouts/second_mvtec_has_public_and_private_tests",
                    second_mvtec_has_public_and_private_tests);
    g_test_add_func("/dataset_layouts/btad_is_read_with_its_mixed_extensions",
                    btad_is_read_with_its_mixed_extensions);
    g_test_add_func("/dataset_layouts/visa_follows_its_tables", visa_follows_its_tables);
    g_test_add_func("/dataset_layouts/visa_without_split_gets_one", visa_without_split_gets_one);
    g_test_add_func("/dataset_layouts/rows_of_visa_that_make_no_sense_are_problems",
                    rows_of_visa_that_make_no_sense_are_problems);
    g_test_add_func("/dataset_layouts/broken_tables_are_refused", broken_tables_are_refused);
    g_test_add_func("/dataset_layouts/kolektor_knows_defects_by_their_masks",
                    kolektor_knows_defects_by_their_masks);
    g_test_add_func("/dataset_layouts/second_kolektor_is_read", second_kolektor_is_read);
    g_test_add_func("/dataset_layouts/tiles_of_one_shot_stay_together",
                    tiles_of_one_shot_stay_together);
    g_test_add_func("/dataset_layouts/realiad_follows_its_json", realiad_follows_its_json);
    g_test_add_func("/dataset_layouts/broken_json_is_refused", broken_json_is_refused);
    g_test_add_func("/dataset_layouts/layouts_have_names", layouts_have_names);
    return g_test_run();
}
