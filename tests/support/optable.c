#include "support/optable.h"

#include "support/pseudo.h"

#include <math.h>

/* clang-format off */
static const OpCase cases[] = {
    /* name, op, shape of x, ... */
    {"conv 3x3", OP_CONV, .x = {4, {2, 9, 7, 20}}, .out = 36, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 3x3 stride 2", OP_CONV, .x = {4, {2, 11, 8, 32}}, .out = 48, .kernel = 3, .stride = 2, .pad = {1, 1, 1, 1}},
    {"conv 3x3 stride 2 padded right and below", OP_CONV, .x = {4, {2, 10, 13, 24}}, .out = 40, .kernel = 3, .stride = 2, .pad = {0, 1, 0, 1}},
    {"conv 1x1", OP_CONV, .x = {4, {2, 5, 9, 48}}, .out = 33},
    {"conv of 3 channels", OP_CONV, .x = {4, {1, 13, 10, 3}}, .out = 16, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv of 4 channels", OP_CONV, .x = {4, {2, 8, 12, 4}}, .out = 64, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv to 3 channels", OP_CONV, .x = {4, {1, 9, 6, 32}}, .out = 3, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv to 4 channels", OP_CONV, .x = {4, {2, 7, 9, 64}}, .out = 4, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv of 320 channels", OP_CONV, .x = {4, {2, 6, 5, 320}}, .out = 64, .kernel = 3, .pad = {1, 1, 1, 1}, .threads_round = TRUE},
    {"conv 3x3 of 72 channels", OP_CONV, .x = {4, {2, 9, 7, 72}}, .out = 66, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 3x3 without padding", OP_CONV, .x = {4, {2, 6, 8, 64}}, .out = 64, .kernel = 3},
    {"conv 1x1 stride 2", OP_CONV, .x = {4, {2, 7, 8, 20}}, .out = 24, .stride = 2},
    {"conv 4x4 stride 4", OP_CONV, .x = {4, {2, 9, 13, 8}}, .out = 20, .kernel = 4, .stride = 4},
    {"conv 7x7 stride 2", OP_CONV, .x = {4, {1, 15, 18, 3}}, .out = 16, .kernel = 7, .stride = 2, .pad = {3, 3, 3, 3}},
    {"conv of one pixel", OP_CONV, .x = {4, {3, 1, 1, 32}}, .out = 16, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv without bias", OP_CONV, .x = {4, {1, 6, 7, 16}}, .out = 16, .kernel = 3, .pad = {1, 1, 1, 1}, .no_bias = TRUE},
    {"conv of a bf16 weight", OP_CONV, .x = {4, {1, 6, 7, 16}}, .out = 24, .kernel = 3, .pad = {1, 1, 1, 1}, .weight_type = CG_BF16},
    {"conv of an f16 weight", OP_CONV, .x = {4, {1, 6, 7, 16}}, .out = 24, .kernel = 3, .pad = {1, 1, 1, 1}, .weight_type = CG_F16},
    {"conv + residual", OP_CONV, .x = {4, {2, 9, 7, 20}}, .out = 36, .kernel = 3, .pad = {1, 1, 1, 1}, .residual = TRUE},
    {"conv + residual in place", OP_CONV, .x = {4, {2, 9, 7, 32}}, .out = 48, .kernel = 3, .pad = {1, 1, 1, 1}, .residual = TRUE, .in_place = TRUE},
    {"conv with another bias", OP_CONV, .x = {4, {2, 5, 7, 32}}, .out = 40, .kernel = 3, .pad = {1, 1, 1, 1}, .other_bias = TRUE},
    {"conv with a bias of the call alone", OP_CONV, .x = {4, {2, 5, 7, 32}}, .out = 40, .kernel = 3, .pad = {1, 1, 1, 1}, .other_bias = TRUE, .no_bias = TRUE},
    {"conv silu", OP_CONV, .x = {4, {2, 5, 7, 32}}, .out = 40, .kernel = 3, .pad = {1, 1, 1, 1}, .act = CG_ACT_SILU},
    {"conv gelu", OP_CONV, .x = {4, {2, 5, 7, 32}}, .out = 40, .kernel = 3, .pad = {1, 1, 1, 1}, .act = CG_ACT_GELU},
    {"conv quick gelu", OP_CONV, .x = {4, {2, 5, 7, 32}}, .out = 40, .kernel = 3, .pad = {1, 1, 1, 1}, .act = CG_ACT_QUICK_GELU},
    {"conv relu", OP_CONV, .x = {4, {2, 5, 7, 32}}, .out = 40, .kernel = 3, .pad = {1, 1, 1, 1}, .act = CG_ACT_RELU},
    {"conv 3x3 in tiles", OP_CONV, .x = {4, {2, 17, 15, 20}}, .out = 36, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 3x3 in whole tiles", OP_CONV, .x = {4, {1, 16, 16, 32}}, .out = 32, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 3x3 in tiles of two chunks", OP_CONV, .x = {4, {1, 77, 90, 8}}, .out = 9, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 3x3 in tiles of two chunks each way", OP_CONV, .x = {4, {2, 61, 58, 18}}, .out = 20, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 3x3 in tiles of many images", OP_CONV, .x = {4, {4, 15, 14, 35}}, .out = 33, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 3x3 in tiles, gradient without padding", OP_CONV, .x = {4, {3, 22, 19, 16}}, .out = 17, .kernel = 3, .pad = {0, 2, 1, 0}},
    {"conv 3x3 in tiles, two blocks of channels", OP_CONV, .x = {4, {1, 31, 29, 16}}, .out = 272, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 3x3 in tiles to 3 channels", OP_CONV, .x = {4, {1, 18, 21, 17}}, .out = 3, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 3x3 in tiles of 3 channels", OP_CONV, .x = {4, {1, 21, 18, 3}}, .out = 17, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 3x3 in tiles without padding", OP_CONV, .x = {4, {2, 15, 19, 24}}, .out = 40, .kernel = 3},
    {"conv 3x3 in tiles, padding uneven", OP_CONV, .x = {4, {1, 16, 14, 12}}, .out = 10, .kernel = 3, .pad = {2, 0, 0, 2}},
    {"conv 3x3 in tiles without bias", OP_CONV, .x = {4, {1, 16, 13, 16}}, .out = 16, .kernel = 3, .pad = {1, 1, 1, 1}, .no_bias = TRUE},
    {"conv 3x3 in tiles with another bias", OP_CONV, .x = {4, {1, 13, 16, 16}}, .out = 20, .kernel = 3, .pad = {1, 1, 1, 1}, .other_bias = TRUE},
    {"conv 3x3 in tiles of a bf16 weight", OP_CONV, .x = {4, {1, 14, 15, 20}}, .out = 24, .kernel = 3, .pad = {1, 1, 1, 1}, .weight_type = CG_BF16},
    {"conv 3x3 in tiles of an f16 weight", OP_CONV, .x = {4, {1, 15, 14, 9}}, .out = 35, .kernel = 3, .pad = {1, 1, 1, 1}, .weight_type = CG_F16},
    {"conv 3x3 in tiles + residual", OP_CONV, .x = {4, {2, 15, 17, 20}}, .out = 36, .kernel = 3, .pad = {1, 1, 1, 1}, .residual = TRUE},
    {"conv 3x3 in tiles + residual in place", OP_CONV, .x = {4, {2, 16, 17, 24}}, .out = 24, .kernel = 3, .pad = {1, 1, 1, 1}, .residual = TRUE, .in_place = TRUE},
    {"conv 3x3 in tiles silu", OP_CONV, .x = {4, {1, 15, 17, 12}}, .out = 21, .kernel = 3, .pad = {1, 1, 1, 1}, .act = CG_ACT_SILU},
    {"conv 3x3 in tiles gelu", OP_CONV, .x = {4, {1, 15, 17, 12}}, .out = 21, .kernel = 3, .pad = {1, 1, 1, 1}, .act = CG_ACT_GELU},
    {"conv 3x3 in tiles quick gelu", OP_CONV, .x = {4, {1, 15, 17, 12}}, .out = 21, .kernel = 3, .pad = {1, 1, 1, 1}, .act = CG_ACT_QUICK_GELU},
    {"conv 3x3 in tiles relu", OP_CONV, .x = {4, {1, 15, 17, 12}}, .out = 21, .kernel = 3, .pad = {1, 1, 1, 1}, .act = CG_ACT_RELU},
    {"conv 3x3 in tiles sigmoid", OP_CONV, .x = {4, {1, 15, 17, 12}}, .out = 21, .kernel = 3, .pad = {1, 1, 1, 1}, .act = CG_ACT_SIGMOID},
    {"conv 512x512 128", OP_CONV, .large = TRUE, .x = {4, {1, 512, 512, 128}}, .out = 128, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 64x64 320", OP_CONV, .large = TRUE, .x = {4, {2, 64, 64, 320}}, .out = 320, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 32x32 640", OP_CONV, .large = TRUE, .x = {4, {2, 32, 32, 640}}, .out = 640, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 16x16 1280", OP_CONV, .large = TRUE, .x = {4, {2, 16, 16, 1280}}, .out = 1280, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 8x8 1280", OP_CONV, .large = TRUE, .x = {4, {2, 8, 8, 1280}}, .out = 1280, .kernel = 3, .pad = {1, 1, 1, 1}},
    {"conv 1x1 64x64 960", OP_CONV, .large = TRUE, .x = {4, {2, 64, 64, 960}}, .out = 320},

    {"linear of one row", OP_LINEAR, .x = {2, {1, 320}}, .out = 129, .threads_round = TRUE},
    {"linear of three rows", OP_LINEAR, .x = {2, {3, 65}}, .out = 47},
    {"linear of odd rows", OP_LINEAR, .x = {3, {2, 77, 40}}, .out = 67},
    {"linear of many rows", OP_LINEAR, .x = {3, {2, 1025, 64}}, .out = 96},
    {"linear without bias", OP_LINEAR, .x = {2, {15, 33}}, .out = 17, .no_bias = TRUE},
    {"linear with another bias", OP_LINEAR, .x = {2, {15, 33}}, .out = 17, .other_bias = TRUE},
    {"linear + residual", OP_LINEAR, .x = {3, {2, 19, 80}}, .out = 48, .residual = TRUE},
    {"linear + residual in place", OP_LINEAR, .x = {3, {2, 19, 80}}, .out = 48, .residual = TRUE, .in_place = TRUE},
    {"linear silu", OP_LINEAR, .x = {2, {2, 320}}, .out = 64, .act = CG_ACT_SILU},
    {"linear gelu", OP_LINEAR, .x = {2, {21, 48}}, .out = 64, .act = CG_ACT_GELU},
    {"linear quick gelu", OP_LINEAR, .x = {2, {21, 48}}, .out = 64, .act = CG_ACT_QUICK_GELU},
    {"linear relu", OP_LINEAR, .x = {2, {21, 48}}, .out = 64, .act = CG_ACT_RELU},
    {"linear 8192 320 960", OP_LINEAR, .large = TRUE, .x = {2, {8192, 320}}, .out = 960, .no_bias = TRUE},
    {"linear 8192 320 2560", OP_LINEAR, .large = TRUE, .x = {2, {8192, 320}}, .out = 2560},
    {"linear 2048 2560 640", OP_LINEAR, .large = TRUE, .x = {2, {2048, 2560}}, .out = 640},
    {"linear 512 1280 10240", OP_LINEAR, .large = TRUE, .x = {2, {512, 1280}}, .out = 10240},

    {"attention of 40", OP_ATTENTION, .x = {4, {2, 65, 3, 40}}, .tk = 65},
    {"attention of 80", OP_ATTENTION, .x = {4, {2, 33, 2, 80}}, .tk = 47},
    {"attention of 160", OP_ATTENTION, .x = {4, {1, 70, 2, 160}}, .tk = 70},
    {"attention of 64, causal", OP_ATTENTION, .x = {4, {2, 77, 3, 64}}, .tk = 77, .causal = TRUE},
    {"attention of 512", OP_ATTENTION, .x = {4, {1, 101, 1, 512}}, .tk = 101},
    {"attention over 77 text tokens", OP_ATTENTION, .x = {4, {2, 130, 2, 40}}, .tk = 77},
    {"attention of one query", OP_ATTENTION, .x = {4, {1, 1, 2, 40}}, .tk = 9},
    {"attention with one key", OP_ATTENTION, .x = {4, {1, 5, 2, 40}}, .tk = 1},
    {"attention of 8", OP_ATTENTION, .x = {4, {1, 17, 2, 8}}, .tk = 19},
    {"attention of 8, causal", OP_ATTENTION, .x = {4, {2, 19, 2, 8}}, .tk = 19, .causal = TRUE},
    {"attention of strided rows", OP_ATTENTION, .x = {4, {2, 35, 2, 40}}, .tk = 21, .gap = 80},
    {"attention of large logits", OP_ATTENTION, .x = {4, {1, 40, 2, 64}}, .tk = 53, .deviation = 12},
    {"attention 4096", OP_ATTENTION, .large = TRUE, .x = {4, {2, 4096, 8, 40}}, .tk = 4096},
    {"attention 1024", OP_ATTENTION, .large = TRUE, .x = {4, {1, 1024, 8, 80}}, .tk = 1024},
    {"attention 256", OP_ATTENTION, .large = TRUE, .x = {4, {1, 256, 8, 160}}, .tk = 256},
    {"attention 4096 of one head", OP_ATTENTION, .large = TRUE, .x = {4, {1, 4096, 1, 512}}, .tk = 4096},
    {"attention 4096 text", OP_ATTENTION, .large = TRUE, .x = {4, {2, 4096, 8, 40}}, .tk = 77},

    {"group norm", OP_GROUP_NORM, .x = {4, {2, 9, 7, 40}}, .groups = 4, .eps = 1e-5F},
    {"group norm of 10 in a group", OP_GROUP_NORM, .x = {4, {2, 5, 3, 320}}, .groups = 32, .eps = 1e-5F},
    {"group norm of odd channels", OP_GROUP_NORM, .x = {4, {3, 5, 11, 21}}, .groups = 3, .eps = 1e-6F},
    {"group norm of one pixel", OP_GROUP_NORM, .x = {4, {2, 1, 1, 64}}, .groups = 8, .eps = 1e-5F},
    {"group norm of many pixels", OP_GROUP_NORM, .x = {4, {1, 61, 67, 32}}, .groups = 32, .eps = 1e-6F},
    {"group norm of tokens", OP_GROUP_NORM, .x = {3, {2, 19, 48}}, .groups = 6, .eps = 1e-6F},
    {"group norm far from zero", OP_GROUP_NORM, .x = {4, {2, 33, 21, 64}}, .groups = 8, .eps = 1e-5F, .mean = 1000},
    {"group norm of tiny deviation", OP_GROUP_NORM, .x = {4, {1, 16, 9, 64}}, .groups = 32, .eps = 1e-5F, .mean = -3, .deviation = 1e-3},
    {"group norm silu", OP_GROUP_NORM, .x = {4, {2, 31, 33, 40}}, .groups = 8, .eps = 1e-5F, .act = CG_ACT_SILU},
    {"group norm gelu", OP_GROUP_NORM, .x = {4, {2, 5, 3, 40}}, .groups = 8, .eps = 1e-5F, .act = CG_ACT_GELU},
    {"group norm quick gelu", OP_GROUP_NORM, .x = {4, {2, 5, 3, 40}}, .groups = 8, .eps = 1e-5F, .act = CG_ACT_QUICK_GELU},
    {"group norm relu", OP_GROUP_NORM, .x = {4, {2, 5, 3, 40}}, .groups = 8, .eps = 1e-5F, .act = CG_ACT_RELU},
    {"group norm silu in place", OP_GROUP_NORM, .x = {4, {2, 37, 29, 33}}, .groups = 11, .eps = 1e-5F, .act = CG_ACT_SILU, .in_place = TRUE},
    {"group norm silu 64x64 320", OP_GROUP_NORM, .large = TRUE, .x = {4, {2, 64, 64, 320}}, .groups = 32, .eps = 1e-5F, .act = CG_ACT_SILU},
    {"group norm silu 512x512 128", OP_GROUP_NORM, .large = TRUE, .x = {4, {1, 512, 512, 128}}, .groups = 32, .eps = 1e-6F, .act = CG_ACT_SILU},

    {"layer norm", OP_LAYER_NORM, .x = {3, {2, 77, 320}}, .eps = 1e-5F},
    {"layer norm of odd columns", OP_LAYER_NORM, .x = {3, {2, 9, 131}}, .eps = 1e-5F},
    {"layer norm of short rows", OP_LAYER_NORM, .x = {2, {13, 5}}, .eps = 1e-5F},
    {"layer norm far from zero", OP_LAYER_NORM, .x = {3, {2, 100, 192}}, .eps = 1e-5F, .mean = -1000},
    {"layer norm in place", OP_LAYER_NORM, .x = {3, {2, 150, 133}}, .eps = 1e-5F, .in_place = TRUE},
    {"layer norm 8192x320", OP_LAYER_NORM, .large = TRUE, .x = {2, {8192, 320}}, .eps = 1e-5F},

    {"silu", OP_ACTIVATE, .x = {3, {2, 55, 37}}, .act = CG_ACT_SILU, .deviation = 4},
    {"gelu", OP_ACTIVATE, .x = {3, {2, 55, 37}}, .act = CG_ACT_GELU, .deviation = 3},
    {"quick gelu", OP_ACTIVATE, .x = {3, {2, 55, 37}}, .act = CG_ACT_QUICK_GELU, .deviation = 4},
    {"relu", OP_ACTIVATE, .x = {3, {2, 55, 37}}, .act = CG_ACT_RELU},
    {"no activation", OP_ACTIVATE, .x = {3, {2, 55, 37}}},
    {"silu of many in place", OP_ACTIVATE, .x = {3, {3, 12345, 1}}, .act = CG_ACT_SILU, .in_place = TRUE},
    {"silu 2x64x64x320", OP_ACTIVATE, .large = TRUE, .x = {4, {2, 64, 64, 320}}, .act = CG_ACT_SILU},

    {"geglu", OP_GEGLU, .x = {3, {2, 33, 160}}, .deviation = 3},
    {"geglu of odd columns", OP_GEGLU, .x = {3, {2, 29, 86}}},
    {"geglu of many rows", OP_GEGLU, .x = {3, {2, 801, 34}}},
    {"geglu 8192x2560", OP_GEGLU, .large = TRUE, .x = {2, {8192, 2560}}},

    {"add channels 2x64x64x320", OP_ADD_CHANNELS, .large = TRUE, .x = {4, {2, 64, 64, 320}}},
    {"softmax 8192x1024", OP_SOFTMAX, .large = TRUE, .x = {2, {8192, 1024}}},
    {"scale 2x64x64x320", OP_SCALE, .large = TRUE, .x = {4, {2, 64, 64, 320}}, .scale = 0.5F},

    {"add", OP_ADD, .x = {4, {2, 5, 7, 33}}, .scale = 1},
    {"add scaled", OP_ADD, .x = {4, {2, 50, 41, 9}}, .scale = -0.37F},
    {"add in place", OP_ADD, .x = {4, {2, 5, 7, 33}}, .scale = 0.5F, .in_place = TRUE},
    {"add 2x64x64x320", OP_ADD, .large = TRUE, .x = {4, {2, 64, 64, 320}}, .scale = 1},
    {"add channels", OP_ADD_CHANNELS, .x = {4, {3, 5, 7, 35}}},
    {"add one vector's channels", OP_ADD_CHANNELS, .x = {4, {3, 5, 7, 35}}, .one_vector = TRUE},
    {"add channels to tokens in place", OP_ADD_CHANNELS, .x = {3, {2, 520, 48}}, .in_place = TRUE},

    {"upsample twice", OP_UPSAMPLE, .x = {4, {2, 5, 7, 19}}, .to_h = 10, .to_w = 14},
    {"upsample to odd sizes", OP_UPSAMPLE, .x = {4, {2, 5, 7, 19}}, .to_h = 9, .to_w = 13},
    {"upsample many", OP_UPSAMPLE, .x = {4, {1, 31, 17, 40}}, .to_h = 62, .to_w = 34},
    {"upsample 256x256 256", OP_UPSAMPLE, .large = TRUE, .x = {4, {1, 256, 256, 256}}, .to_h = 512, .to_w = 512},
    {"concat", OP_CONCAT, .x = {4, {2, 5, 7, 40}}, .out = 24},
    {"concat of odd channels", OP_CONCAT, .x = {4, {2, 51, 23, 13}}, .out = 7},
    {"concat 64x64 640", OP_CONCAT, .large = TRUE, .x = {4, {2, 64, 64, 640}}, .out = 320},

    {"softmax", OP_SOFTMAX, .x = {3, {2, 20, 77}}, .deviation = 4},
    {"softmax of short rows", OP_SOFTMAX, .x = {2, {11, 3}}},
    {"softmax of many rows in place", OP_SOFTMAX, .x = {3, {2, 300, 101}}, .in_place = TRUE},
    {"softmax of large numbers", OP_SOFTMAX, .x = {2, {7, 1000}}, .mean = 3e4, .deviation = 20},

    {"scale", OP_SCALE, .x = {3, {2, 55, 37}}, .scale = -0.37F},
    {"scale of many in place", OP_SCALE, .x = {3, {3, 12345, 1}}, .scale = 1.7F, .in_place = TRUE},

    {"sigmoid", OP_ACTIVATE, .x = {3, {2, 55, 37}}, .act = CG_ACT_SIGMOID, .deviation = 4},
    {"batch norm", OP_BATCH_NORM, .x = {4, {3, 9, 7, 21}}, .eps = 1e-5F},
    {"batch norm relu", OP_BATCH_NORM, .x = {4, {2, 31, 33, 40}}, .eps = 1e-5F, .act = CG_ACT_RELU},
    {"batch norm of rows in place", OP_BATCH_NORM, .x = {2, {700, 67}}, .eps = 1e-5F, .in_place = TRUE},
    {"batch norm far from zero", OP_BATCH_NORM, .x = {4, {2, 33, 21, 24}}, .eps = 1e-5F, .mean = 1000},
    {"batch norm fixed", OP_BATCH_NORM_FIXED, .x = {4, {3, 9, 7, 21}}, .eps = 1e-5F},
    {"batch norm fixed relu in place", OP_BATCH_NORM_FIXED, .x = {4, {2, 31, 33, 40}}, .eps = 1e-5F, .act = CG_ACT_RELU, .in_place = TRUE},
    {"batch norm relu 8x64x64x128", OP_BATCH_NORM, .large = TRUE, .x = {4, {8, 64, 64, 128}}, .eps = 1e-5F, .act = CG_ACT_RELU},

    {"bilinear twice", OP_BILINEAR, .x = {4, {2, 5, 7, 19}}, .to_h = 10, .to_w = 14},
    {"bilinear to odd sizes", OP_BILINEAR, .x = {4, {2, 4, 6, 33}}, .to_h = 13, .to_w = 9},
    {"bilinear of one pixel", OP_BILINEAR, .x = {4, {2, 1, 1, 8}}, .to_h = 2, .to_w = 2},
    {"bilinear of many", OP_BILINEAR, .x = {4, {1, 31, 17, 40}}, .to_h = 62, .to_w = 34},
    {"bilinear 4x64x64x256", OP_BILINEAR, .large = TRUE, .x = {4, {4, 64, 64, 256}}, .to_h = 128, .to_w = 128},
    {"max pool 2x2", OP_MAX_POOL, .x = {4, {2, 11, 8, 21}}, .kernel = 2, .stride = 2},
    {"max pool 3x3 padded", OP_MAX_POOL, .x = {4, {2, 12, 9, 35}}, .kernel = 3, .stride = 2, .pad = {1}},
    {"max pool of many", OP_MAX_POOL, .x = {4, {1, 63, 61, 40}}, .kernel = 3, .stride = 2, .pad = {1}},
    {"max pool 4x128x128x128", OP_MAX_POOL, .large = TRUE, .x = {4, {4, 128, 128, 128}}, .kernel = 2, .stride = 2},
    {"average pool", OP_AVERAGE_POOL, .x = {4, {3, 7, 5, 37}}},
    {"average pool of many", OP_AVERAGE_POOL, .x = {4, {2, 31, 33, 64}}},

    {"cast", OP_CAST, .x = {3, {2, 55, 37}}},
    {"cast of many", OP_CAST, .x = {2, {3, 20001}}, .deviation = 1e3},
    {"cast 2x64x64x320", OP_CAST, .large = TRUE, .x = {4, {2, 64, 64, 320}}},
};
/* clang-format on */

const OpCase *optable_cases(guint *count)
{
    *count = G_N_ELEMENTS(cases);
    return cases;
}

/* Of one input. */
typedef struct {
    const char *name;
    CgTensor *of, *d;
    CgTensor *start; /* parameters: what D starts from; data: NULL */
} Gradient;

struct OpRun {
    const OpCase *c;
    CgEngine *engine;
    CgDType dtype;
    CgTensor *x, *b, *v;    /* inputs in DTYPE; attention: q, k, v */
    CgTensor *running[2];   /* mean and variance of batch norm */
    CgTensor *gamma, *beta; /* f32 parameters; gamma is also the vector of add_channels */
    CgTensor *bias, *residual;
    CgWeight *weight;
    CgTensor *w, *weight_bias; /* what it was made from */
    CgTensor *y, *dy;
    float *lse;
    Gradient gradients[3];
    guint gradient_count;
};

/* Uniform numbers of the given mean and deviation that follow from the case's and WHAT's name. */
static CgTensor *input(CgEngine *e, const OpCase *c, const char *what, CgDType dtype, CgShape shape,
                       double mean, double deviation)
{
    g_autofree char *name = g_strdup_printf("%s/%s", c->name, what);
    g_autoptr(CgTensor) t = cg_tensor_new(CG_F32, shape);
    cg_pseudo_fill(name, deviation * sqrt(3.0), mean, t->data, t->count);
    CgTensor *y = e->ops->tensor(e, dtype, shape);
    cg_dtype_convert(t->data, CG_F32, y->data, dtype, t->count);
    return y;
}

static CgShape with_last(CgShape shape, int64_t c)
{
    shape.d[shape.rank - 1] = c;
    return shape;
}

static int64_t last(const OpCase *c)
{
    return c->x.d[c->x.rank - 1];
}

static CgConvGeometry geometry(const OpCase *c)
{
    int kernel = MAX(c->kernel, 1);
    return (CgConvGeometry){.c_in = (int)last(c),
                            .c_out = c->out,
                            .kernel_h = kernel,
                            .kernel_w = kernel,
                            .stride = MAX(c->stride, 1),
                            .pad_top = c->pad[0],
                            .pad_bottom = c->pad[1],
                            .pad_left = c->pad[2],
                            .pad_right = c->pad[3]};
}

static CgDType other_type(CgDType dtype)
{
    return dtype == CG_F32 ? CG_BF16 : CG_F32;
}

static CgDType output_type(const OpCase *c, CgDType dtype)
{
    return c->op == OP_CAST ? other_type(dtype) : dtype;
}

static int64_t attention_row(const OpCase *c)
{
    return c->x.d[2] * c->x.d[3] + c->gap;
}

static CgShape output_shape(const OpCase *c)
{
    CgConvGeometry g = geometry(c);
    switch (c->op) {
    case OP_CONV:
        return CG_SHAPE(c->x.d[0], (c->x.d[1] + c->pad[0] + c->pad[1] - g.kernel_h) / g.stride + 1,
                        (c->x.d[2] + c->pad[2] + c->pad[3] - g.kernel_w) / g.stride + 1, c->out);
    case OP_LINEAR:
        return with_last(c->x, c->out);
    case OP_ATTENTION:
        return CG_SHAPE(c->x.d[0], c->x.d[1], attention_row(c));
    case OP_GEGLU:
        return with_last(c->x, last(c) / 2);
    case OP_MAX_POOL: {
        CgPoolGeometry p = {c->kernel, c->stride, c->pad[0]};
        return CG_SHAPE(c->x.d[0], (c->x.d[1] + 2 * p.pad - p.kernel) / p.stride + 1,
                        (c->x.d[2] + 2 * p.pad - p.kernel) / p.stride + 1, c->x.d[3]);
    }
    case OP_AVERAGE_POOL:
        return CG_SHAPE(c->x.d[0], last(c));
    case OP_UPSAMPLE:
    case OP_BILINEAR:
        return CG_SHAPE(c->x.d[0], c->to_h, c->to_w, c->x.d[3]);
    case OP_CONCAT:
        return with_last(c->x, last(c) + c->out);
    default:
        return c->x;
    }
}

static void prepare_weight(OpRun *run)
{
    const OpCase *c = run->c;
    CgConvGeometry g = geometry(c);
    double fan_in = (double)g.c_in * g.kernel_h * g.kernel_w;
    run->w = input(run->engine, c, "w", c->weight_type,
                   CG_SHAPE(g.c_out, g.c_in, g.kernel_h, g.kernel_w), 0, 1 / sqrt(fan_in));
    run->weight_bias = input(run->engine, c, "bias", CG_F32, CG_SHAPE(g.c_out), 0, 1);
    run->weight = run->engine->ops->weight_new(run->engine, &g, run->dtype, run->w,
                                               c->no_bias ? NULL : run->weight_bias);
    if (c->other_bias)
        run->bias = input(run->engine, c, "other_bias", CG_F32, CG_SHAPE(g.c_out), 0, 1);
    if (c->residual)
        run->residual = input(run->engine, c, "residual", run->dtype, output_shape(c), 0, 1);
}

static void prepare_attention(OpRun *run, double deviation)
{
    const OpCase *c = run->c;
    CgShape q = output_shape(c), k = CG_SHAPE(c->x.d[0], c->tk, attention_row(c));
    run->x = input(run->engine, c, "q", run->dtype, q, c->mean, deviation);
    run->b = input(run->engine, c, "k", run->dtype, k, 0, 1);
    run->v = input(run->engine, c, "v", run->dtype, k, 0, 1);
}

OpRun *optable_prepare(const OpCase *c, CgEngine *engine, CgDType dtype)
{
    OpRun *run = g_new0(OpRun, 1);
    double deviation = c->deviation == 0 ? 1 : c->deviation;
    run->c = c;
    run->engine = engine;
    run->dtype = dtype;
    run->y = engine->ops->tensor(engine, output_type(c, dtype), output_shape(c));
    if (c->op == OP_ATTENTION) {
        prepare_attention(run, deviation);
        return run;
    }
    run->x = input(run->engine, c, "x", dtype, c->x, c->mean, deviation);
    switch (c->op) {
    case OP_CONV:
    case OP_LINEAR:
        prepare_weight(run);
        break;
    case OP_BATCH_NORM:
    case OP_BATCH_NORM_FIXED:
        run->running[0] = input(run->engine, c, "mean", CG_F32, CG_SHAPE(last(c)), c->mean, 1);
        run->running[1] = input(run->engine, c, "variance", CG_F32, CG_SHAPE(last(c)), 1, 0.3);
        /* fall through */
    case OP_GROUP_NORM:
    case OP_LAYER_NORM:
        run->gamma = input(run->engine, c, "gamma", CG_F32, CG_SHAPE(last(c)), 1, 0.3);
        run->beta = input(run->engine, c, "beta", CG_F32, CG_SHAPE(last(c)), 0, 0.5);
        break;
    case OP_ADD:
        run->b = input(run->engine, c, "b", dtype, c->x, 0, 1);
        break;
    case OP_ADD_CHANNELS:
        run->gamma = input(run->engine, c, "v", CG_F32,
                           CG_SHAPE(c->one_vector ? 1 : c->x.d[0], last(c)), 0, 1);
        break;
    case OP_CONCAT:
        run->b = input(run->engine, c, "b", dtype, with_last(c->x, c->out), 0, 1);
        break;
    default:
        break;
    }
    return run;
}

/* What the output starts from when it is written in place. */
static const CgTensor *in_place_of(const OpRun *run)
{
    if (!run->c->in_place)
        return NULL;
    return run->residual ? run->residual : run->x;
}

void optable_reset(OpRun *run)
{
    if (run->c->op == OP_BATCH_NORM)
        for (int i = 0; i < 2; i++) {
            g_autoptr(CgTensor) start =
                input(run->engine, run->c, i ? "variance" : "mean", CG_F32, run->running[i]->shape,
                      i ? 1 : run->c->mean, i ? 0.3 : 1);
            memcpy(run->running[i]->data, start->data, cg_tensor_bytes(start));
        }
    const CgTensor *from = in_place_of(run);
    if (from)
        memcpy(run->y->data, from->data, cg_tensor_bytes(run->y));
    else
        memset(run->y->data, 0xff, cg_tensor_bytes(run->y)); /* NaN in every type */
}

static CgAttention attention_of(const OpRun *run)
{
    const OpCase *c = run->c;
    size_t row = (size_t)attention_row(c);
    return (CgAttention){.dtype = run->dtype,
                         .n = (int)c->x.d[0],
                         .heads = (int)c->x.d[2],
                         .head_dim = (int)c->x.d[3],
                         .tq = (int)c->x.d[1],
                         .tk = c->tk,
                         .scale = (float)(1 / sqrt((double)c->x.d[3])),
                         .causal = c->causal,
                         .q = run->x->data,
                         .k = run->b->data,
                         .v = run->v->data,
                         .q_row = row,
                         .k_row = row,
                         .v_row = row,
                         .y = run->y->data,
                         .y_row = row,
                         .lse = run->lse};
}

static gboolean execute_attention(OpRun *run, GError **error)
{
    CgAttention a = attention_of(run);
    return run->engine->ops->attention(run->engine, &a, error);
}

gboolean optable_execute(OpRun *run, GError **error)
{
    const OpCase *c = run->c;
    CgEngine *e = run->engine;
    const CgEngineOps *ops = e->ops;
    CgTensor *y = run->y;
    gboolean in_place = in_place_of(run) != NULL;
    const CgTensor *x = in_place && !run->residual ? y : run->x;
    CgEngineEpilogue ep = {.bias = run->bias,
                           .residual = in_place && run->residual ? y : run->residual,
                           .act = c->act};
    switch (c->op) {
    case OP_CONV:
        return ops->conv2d(e, run->weight, x, &ep, y, error);
    case OP_LINEAR:
        return ops->linear(e, run->weight, x, &ep, y, error);
    case OP_ATTENTION:
        return execute_attention(run, error);
    case OP_GROUP_NORM:
        ops->group_norm(e, x, c->groups, c->eps, run->gamma, run->beta, c->act, y);
        break;
    case OP_LAYER_NORM:
        ops->layer_norm(e, x, c->eps, run->gamma, run->beta, y);
        break;
    case OP_ACTIVATE:
        ops->activate(e, c->act, x, y);
        break;
    case OP_GEGLU:
        ops->geglu(e, x, y);
        break;
    case OP_ADD:
        ops->add(e, x, run->b, c->scale, y);
        break;
    case OP_ADD_CHANNELS:
        ops->add_channels(e, x, run->gamma, y);
        break;
    case OP_UPSAMPLE:
        ops->upsample_nearest(e, x, y);
        break;
    case OP_CONCAT:
        ops->concat(e, x, run->b, y);
        break;
    case OP_SOFTMAX:
        ops->softmax(e, x, y);
        break;
    case OP_CAST:
        ops->cast(e, x, y);
        break;
    case OP_SCALE:
        ops->scale(e, x, c->scale, y);
        break;
    case OP_BATCH_NORM:
        ops->batch_norm(e, x, c->eps, run->gamma, run->beta, c->act, 0.1F, run->running[0],
                        run->running[1], y);
        break;
    case OP_BATCH_NORM_FIXED:
        ops->batch_norm_fixed(e, x, c->eps, run->gamma, run->beta, c->act, run->running[0],
                              run->running[1], y);
        break;
    case OP_BILINEAR:
        ops->upsample_bilinear(e, x, y);
        break;
    case OP_MAX_POOL: {
        CgPoolGeometry g = {c->kernel, c->stride, c->pad[0]};
        ops->max_pool2d(e, &g, x, y);
        break;
    }
    case OP_AVERAGE_POOL:
        ops->average_pool(e, x, y);
        break;
    }
    return TRUE;
}

/* T as f32 without what lies between strided rows, which must be untouched. */
static CgTensor *used(const OpRun *run, const CgTensor *t)
{
    const OpCase *c = run->c;
    g_autoptr(CgTensor) all = cg_tensor_copy(t, CG_F32);
    if (c->gap == 0)
        return g_steal_pointer(&all);
    size_t row = (size_t)attention_row(c), count = row - (size_t)c->gap;
    size_t rows = all->count / row;
    CgTensor *y = cg_tensor_new(CG_F32, CG_SHAPE((int64_t)(rows * count)));
    for (size_t r = 0; r < rows; r++) {
        memcpy(cg_tensor_f32(y) + r * count, cg_tensor_f32(all) + r * row, count * sizeof(float));
        for (size_t i = count; i < row; i++)
            g_assert_true(isnan(cg_tensor_f32(all)[r * row + i]));
    }
    return y;
}

CgTensor *optable_output(const OpRun *run)
{
    CgTensor *y = used(run, run->y);
    if (run->c->op != OP_BATCH_NORM)
        return y;
    size_t c = run->running[0]->count, count = y->count;
    CgTensor *all = cg_tensor_new(CG_F32, CG_SHAPE((int64_t)(count + 2 * c)));
    memcpy(all->data, y->data, count * sizeof(float));
    for (size_t i = 0; i < 2; i++)
        memcpy(cg_tensor_f32(all) + count + i * c, run->running[i]->data, c * sizeof(float));
    cg_tensor_unref(y);
    return all;
}

/* ---- backward ------------------------------------------------------------------------------ */

gboolean optable_has_backward(const OpCase *c)
{
    switch (c->op) {
    case OP_CONV:
    case OP_LINEAR:
        return c->act == CG_ACT_NONE && !c->residual && !c->other_bias;
    case OP_ADD:
    case OP_CAST:
    case OP_SCALE:
    case OP_BATCH_NORM_FIXED:
        return FALSE;
    default:
        return TRUE;
    }
}

static void add_gradient(OpRun *run, const char *name, CgTensor *of, gboolean parameter)
{
    Gradient *g = &run->gradients[run->gradient_count++];
    *g = (Gradient){.name = name, .of = of};
    g->d = run->engine->ops->tensor(run->engine, parameter ? CG_F32 : of->dtype, of->shape);
    if (parameter)
        g->start = input(run->engine, run->c, name, CG_F32, of->shape, 0, 1);
}

void optable_backward_prepare(OpRun *run)
{
    const OpCase *c = run->c;
    g_assert(optable_has_backward(c) && !run->dy);
    run->dy = input(run->engine, c, "dy", run->dtype, output_shape(c), 0, 1);
    switch (c->op) {
    case OP_CONV:
    case OP_LINEAR:
        run->engine->ops->weight_keep(run->engine, run->weight);
        add_gradient(run, "dx", run->x, FALSE);
        add_gradient(run, "dw", run->w, TRUE);
        if (!c->no_bias)
            add_gradient(run, "db", run->weight_bias, TRUE);
        break;
    case OP_ATTENTION:
        run->lse = g_new(float, c->x.d[0] * c->x.d[1] * c->x.d[2]);
        add_gradient(run, "dq", run->x, FALSE);
        add_gradient(run, "dk", run->b, FALSE);
        add_gradient(run, "dv", run->v, FALSE);
        break;
    case OP_GROUP_NORM:
    case OP_BATCH_NORM:
    case OP_LAYER_NORM:
        add_gradient(run, "dx", run->x, FALSE);
        add_gradient(run, "dgamma", run->gamma, TRUE);
        add_gradient(run, "dbeta", run->beta, TRUE);
        break;
    case OP_ADD_CHANNELS:
        add_gradient(run, "dv", run->gamma, TRUE);
        break;
    case OP_CONCAT:
        add_gradient(run, "da", run->x, FALSE);
        add_gradient(run, "db", run->b, FALSE);
        break;
    default:
        add_gradient(run, "dx", run->x, FALSE);
        break;
    }
}

void optable_backward_reset(OpRun *run)
{
    for (guint i = 0; i < run->gradient_count; i++) {
        Gradient *g = &run->gradients[i];
        if (g->start)
            memcpy(g->d->data, g->start->data, cg_tensor_bytes(g->d));
        else if (run->c->in_place)
            memcpy(g->d->data, run->dy->data, cg_tensor_bytes(g->d));
        else
            memset(g->d->data, 0xff, cg_tensor_bytes(g->d));
    }
}

static gboolean backward_layer(OpRun *run, GError **error)
{
    CgEngine *e = run->engine;
    const CgEngineOps *ops = e->ops;
    const Gradient *g = run->gradients;
    CgTensor *db = run->gradient_count > 2 ? g[2].d : NULL;
    if (run->c->op == OP_CONV)
        return ops->conv2d_backward_data(e, run->weight, run->dy, g[0].d, error) &&
               ops->conv2d_backward_weights(e, run->weight, run->x, run->dy, g[1].d, db, error);
    return ops->linear_backward_data(e, run->weight, run->dy, g[0].d, error) &&
           ops->linear_backward_weights(e, run->weight, run->x, run->dy, g[1].d, db, error);
}

static gboolean backward_attention(OpRun *run, GError **error)
{
    size_t row = (size_t)attention_row(run->c);
    CgAttention a = attention_of(run);
    CgAttentionGradient g = {.dy = run->dy->data,
                             .dy_row = row,
                             .dq = run->gradients[0].d->data,
                             .dk = run->gradients[1].d->data,
                             .dv = run->gradients[2].d->data,
                             .dq_row = row,
                             .dk_row = row,
                             .dv_row = row};
    return run->engine->ops->attention_backward(run->engine, &a, &g, error);
}

gboolean optable_backward(OpRun *run, GError **error)
{
    const OpCase *c = run->c;
    CgEngine *e = run->engine;
    const CgEngineOps *ops = e->ops;
    const Gradient *g = run->gradients;
    const CgTensor *dy = c->in_place && !g[0].start ? g[0].d : run->dy;
    switch (c->op) {
    case OP_CONV:
    case OP_LINEAR:
        return backward_layer(run, error);
    case OP_ATTENTION:
        return backward_attention(run, error);
    case OP_GROUP_NORM:
        ops->group_norm_backward(e, run->x, c->groups, c->eps, run->gamma, run->beta, c->act, dy,
                                 g[0].d, g[1].d, g[2].d);
        break;
    case OP_BATCH_NORM:
        ops->batch_norm_backward(e, run->x, c->eps, run->gamma, run->beta, c->act, dy, g[0].d,
                                 g[1].d, g[2].d);
        break;
    case OP_BILINEAR:
        ops->upsample_bilinear_backward(e, dy, g[0].d);
        break;
    case OP_MAX_POOL: {
        CgPoolGeometry pool = {c->kernel, c->stride, c->pad[0]};
        ops->max_pool2d_backward(e, &pool, run->x, dy, g[0].d);
        break;
    }
    case OP_AVERAGE_POOL:
        ops->average_pool_backward(e, dy, g[0].d);
        break;
    case OP_LAYER_NORM:
        ops->layer_norm_backward(e, run->x, c->eps, run->gamma, dy, g[0].d, g[1].d, g[2].d);
        break;
    case OP_ACTIVATE:
        ops->activate_backward(e, c->act, run->x, dy, g[0].d);
        break;
    case OP_GEGLU:
        ops->geglu_backward(e, run->x, dy, g[0].d);
        break;
    case OP_ADD_CHANNELS:
        ops->add_channels_backward(e, dy, g[0].d);
        break;
    case OP_UPSAMPLE:
        ops->upsample_nearest_backward(e, dy, g[0].d);
        break;
    case OP_CONCAT:
        ops->split(e, dy, last(c), g[0].d, g[1].d);
        break;
    case OP_SOFTMAX:
        ops->softmax_backward(e, run->y, dy, g[0].d);
        break;
    default:
        g_assert_not_reached();
    }
    return TRUE;
}

guint optable_gradient_count(const OpRun *run)
{
    return run->gradient_count;
}

const char *optable_gradient_name(const OpRun *run, guint i)
{
    return run->gradients[i].name;
}

CgTensor *optable_gradient(const OpRun *run, guint i)
{
    const Gradient *g = &run->gradients[i];
    CgTensor *d = used(run, g->d);
    for (size_t j = 0; g->start && j < d->count; j++)
        cg_tensor_f32(d)[j] =
            (float)((double)cg_tensor_f32(d)[j] - (double)cg_tensor_f32(g->start)[j]);
    return d;
}

/* Where element I without the gaps between rows lies. */
static size_t place(const OpRun *run, size_t i)
{
    if (run->c->gap == 0)
        return i;
    size_t row = (size_t)attention_row(run->c), count = row - (size_t)run->c->gap;
    return i / count * row + i % count;
}

CgTensor *optable_input(const OpRun *run, guint i)
{
    const Gradient *g = &run->gradients[i];
    g_autoptr(CgTensor) d = used(run, g->d);
    CgTensor *values = cg_tensor_new(CG_F32, d->shape);
    for (size_t j = 0; j < d->count; j++)
        cg_tensor_f32(values)[j] = cg_tensor_f32(g->of)[place(run, j)];
    return values;
}

void optable_input_set(OpRun *run, guint i, const CgTensor *values)
{
    for (size_t j = 0; j < values->count; j++)
        cg_tensor_f32(run->gradients[i].of)[place(run, j)] = cg_tensor_f32(values)[j];
    if (run->weight)
        run->engine->ops->weight_changed(run->engine, run->weight);
}

double optable_loss(const OpRun *run)
{
    g_autoptr(CgTensor) y = used(run, run->y);
    double sum = 0;
    for (size_t i = 0; i < y->count; i++)
        sum += (double)cg_tensor_f32(y)[i] * (double)cg_tensor_f32(run->dy)[place(run, i)];
    return sum;
}

void optable_free(OpRun *run)
{
    if (!run)
        return;
    CgTensor **all[] = {&run->x,        &run->b, &run->v, &run->gamma,       &run->beta, &run->bias,
                        &run->residual, &run->y, &run->w, &run->weight_bias, &run->dy};
    for (guint i = 0; i < G_N_ELEMENTS(all); i++)
        g_clear_pointer(all[i], cg_tensor_unref);
    for (guint i = 0; i < run->gradient_count; i++) {
        cg_tensor_unref(run->gradients[i].d);
        cg_tensor_unref(run->gradients[i].start);
    }
    for (int i = 0; i < 2; i++)
        cg_tensor_unref(run->running[i]);
    if (run->weight)
        run->engine->ops->weight_free(run->engine, run->weight);
    g_free(run->lse);
    g_free(run);
}

double optable_flops(const OpCase *c)
{
    CgShape y = output_shape(c);
    double count = (double)cg_shape_count(&y);
    CgConvGeometry g = geometry(c);
    switch (c->op) {
    case OP_CONV:
    case OP_LINEAR:
        return 2 * count * g.c_in * g.kernel_h * g.kernel_w;
    case OP_ATTENTION:
        return 4 * (double)cg_shape_count(&c->x) * c->tk * (c->causal ? 0.5 : 1);
    default:
        return 0;
    }
}

double optable_bytes(const OpCase *c, CgDType dtype)
{
    CgShape y = output_shape(c);
    double in = (double)cg_shape_count(&c->x), out = (double)cg_shape_count(&y);
    if (c->op == OP_ADD)
        in *= 2;
    if (c->op == OP_CONCAT)
        in = out;
    if (c->op == OP_ATTENTION)
        in += 2 * (double)(c->x.d[0] * c->tk * c->x.d[2] * c->x.d[3]);
    if (c->op == OP_CONV || c->op == OP_LINEAR)
        in += (double)c->out * (double)last(c) * MAX(c->kernel, 1) * MAX(c->kernel, 1);
    return in * (double)cg_dtype_size(dtype) + out * (double)cg_dtype_size(output_type(c, dtype));
}

double optable_backward_flops(const OpCase *c)
{
    /* Attention: scores again, then dp, dv, dq, dk. */
    return optable_flops(c) * (c->op == OP_ATTENTION ? 2.5 : 2);
}

double optable_backward_bytes(const OpCase *c, CgDType dtype)
{
    CgShape y = output_shape(c);
    double size = (double)cg_dtype_size(dtype);
    double x = size * (double)cg_shape_count(&c->x), dy = size * (double)cg_shape_count(&y);
    switch (c->op) {
    case OP_ADD_CHANNELS:
        return dy;
    case OP_UPSAMPLE:
    case OP_BILINEAR:
    case OP_AVERAGE_POOL:
        return dy + x;
    case OP_CONCAT:
        return 2 * dy;
    default:
        return dy + 2 * x;
    }
}
