/* Connected regions, closing and opening. */
#include "synthesis/region.h"

#include <string.h>

/* '#' is set. */
static void draw(const char *text, guint8 *mask)
{
    for (gsize i = 0; i < strlen(text); i++)
        mask[i] = text[i] == '#' ? 255 : 0;
}

static void assert_drawn(const guint8 *mask, const char *text)
{
    for (gsize i = 0; i < strlen(text); i++)
        g_assert_cmpint(mask[i], ==, text[i] == '#' ? 255 : 0);
}

static void regions_are_counted_in_order(void)
{
    guint8 mask[5 * 4];
    gint32 labels[5 * 4];
    draw(".##.."
         ".#..#"
         "..#.#"
         ".....",
         mask);
    g_autoptr(GArray) sides = cg_region_label(mask, 5, 4, FALSE, labels);
    g_assert_cmpint(sides->len, ==, 3);
    const CgRegion *second = &g_array_index(sides, CgRegion, 1);
    g_assert_cmpuint(second->area, ==, 2);
    g_assert_true(second->left == 4 && second->right == 4 && second->top == 1 &&
                  second->bottom == 2 && second->at_frame);
    g_assert_false(g_array_index(sides, CgRegion, 2).at_frame);
    g_assert_true(labels[1] == 1 && labels[9] == 2 && labels[12] == 3 && labels[0] == 0);

    g_autoptr(GArray) corners = cg_region_label(mask, 5, 4, TRUE, labels);
    g_assert_cmpint(corners->len, ==, 2);
    g_assert_cmpuint(g_array_index(corners, CgRegion, 0).area, ==, 4);
}

static void closing_bridges_and_opening_cuts(void)
{
    guint8 line[12];
    draw(".##..##...#.", line);
    cg_region_close(line, 12, 1, 3);
    assert_drawn(line, "#######...##"); /* outside the picture counts for nothing */
    draw(".###.##.#...", line);
    cg_region_open(line, 12, 1, 3);
    assert_drawn(line, ".###........");
}

static void even_squares_do_not_shift(void)
{
    guint8 mask[16 * 16], before[16 * 16];
    memset(mask, 0, sizeof mask);
    for (int y = 4; y < 12; y++)
        memset(mask + 16 * y + 4, 255, 8);
    memcpy(before, mask, sizeof mask);
    for (int size = 1; size <= 6; size++) {
        cg_region_close(mask, 16, 16, size);
        g_assert_cmpmem(mask, sizeof mask, before, sizeof before);
        cg_region_open(mask, 16, 16, size);
        g_assert_cmpmem(mask, sizeof mask, before, sizeof before);
    }
    cg_region_open(mask, 16, 16, 9);
    g_assert_cmpuint(cg_region_area(mask, sizeof mask), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name) g_test_add_func("/region/" #name, name)
    TEST(regions_are_counted_in_order);
    TEST(closing_bridges_and_opening_cuts);
    TEST(even_squares_do_not_shift);
    return g_test_run();
}
