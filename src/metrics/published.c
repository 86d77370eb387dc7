#include "metrics/published.h"

static const CgPublished tables[] = {
    /* clang-format off */
    {"bottle",     99.1, 86.5, 99.2, 89.8},
    {"cable",      94.7, 52.4, 95.1, 63.0},
    {"capsule",    94.3, 49.4, 95.6, 49.4},
    {"hazelnut",   99.7, 92.9, 99.8, 95.9},
    {"metal_nut",  99.5, 96.3, 99.5, 96.1},
    {"pill",       97.6, 48.5, 98.0, 51.4},
    {"screw",      97.6, 58.2, 99.4, 64.7},
    {"toothbrush", 98.1, 44.7, 98.5, 61.9},
    {"transistor", 90.9, 50.7, 91.5, 45.7},
    {"zipper",     98.8, 81.5, 99.0, 81.8},
    {"carpet",     95.5, 53.5, 95.9, 55.9},
    {"grid",       99.7, 65.7, 99.6, 76.1},
    {"leather",    98.6, 75.3, 99.1, 71.4},
    {"tile",       99.2, 92.3, 99.4, 95.8},
    {"wood",       96.4, 77.7, 96.1, 74.8},
    {"01",         91.8, 18.8, 92.7, 19.8},
    {"02",         77.9, 31.8, 85.5, 45.6},
    {"03",         95.1, 10.4, 95.4, 13.5},
    /* clang-format on */
};

const CgPublished *cg_published_find(const char *category)
{
    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++)
        if (g_str_equal(tables[i].category, category))
            return &tables[i];
    return NULL;
}
