/* Puts a defect into one image, with nothing but the public header.
 *
 *     generate MODEL CONTROLNET NORMAL MASK PROMPT OUT.png [STEPS [LORA...]]
 *
 * cc generate.c $(pkg-config --cflags --libs cagen) -o generate
 */
#include <cagen/cagen.h>

#include <stdio.h>
#include <stdlib.h>

static int show_step(void *data, int step, int steps)
{
    (void)data;
    fprintf(stderr, "\rstep %d of %d", step, steps);
    return 0;
}

static void check(cagen_status status)
{
    if (status == CAGEN_OK)
        return;
    fprintf(stderr, "generate: %s\n", cagen_last_error());
    exit(1);
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fprintf(stderr, "usage: generate MODEL CONTROLNET NORMAL MASK PROMPT OUT.png [STEPS "
                        "[LORA...]]\n");
        return 2;
    }
    cagen_model_options model_options = {.model = argv[1], .controlnet = argv[2]};
    cagen_generate_options options;
    cagen_model *model;
    cagen_image *normal, *mask, *result;

    if (argc > 8)
        model_options.lora = (const char *const *)(argv + 8);
    check(cagen_model_open(&model_options, &model));
    check(cagen_image_load(argv[3], &normal));
    check(cagen_mask_load(argv[4], &mask));
    cagen_generate_options_init(&options);
    options.prompt = argv[5];
    options.steps = argc > 7 ? atoi(argv[7]) : 20;
    options.progress = show_step;
    check(cagen_generate(model, normal, mask, &options, &result));
    check(cagen_image_save(result, argv[6]));
    printf("%s: %d x %d\n", argv[6], cagen_image_width(result), cagen_image_height(result));

    cagen_image_free(result);
    cagen_image_free(mask);
    cagen_image_free(normal);
    cagen_model_close(model);
    return 0;
}
