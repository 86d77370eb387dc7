/* make_lpips: writes AlexNet and VGG-16 as torchvision has them, and heads for LPIPS, with random
 * weights.
 *
 *     make_lpips OUT
 *
 * OUT/alexnet.safetensors and OUT/alex.safetensors, its heads; OUT/vgg16.safetensors and
 * OUT/vgg.safetensors. Without the trunks' classifiers. Weights are computed from their names
 * (support/pseudo.h).
 */
#include "models/lpips.h"
#include "support/pseudo.h"
#include "tensor/safetensors.h"

#include <math.h>
#include <stdio.h>

typedef struct {
    GPtrArray *names, *tensors;
    gboolean heads;
} Part;

static void add(void *data, const char *name, const CgShape *shape)
{
    Part *part = data;
    if (g_str_has_prefix(name, "lin") != part->heads)
        return;
    CgTensor *t = cg_tensor_new(CG_F32, *shape);
    cg_pseudo_parameter(name, shape, cg_tensor_f32(t));
    for (size_t i = 0; part->heads && i < t->count; i++)
        cg_tensor_f32(t)[i] = fabsf(cg_tensor_f32(t)[i]);
    g_ptr_array_add(part->names, g_strdup(name));
    g_ptr_array_add(part->tensors, t);
}

static gboolean write_part(CgLpipsTrunk trunk, gboolean heads, const char *path, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func((GDestroyNotify)cg_tensor_unref);
    Part part = {names, tensors, heads};
    CgLpips l = {.trunk = trunk};
    CgBinder b;
    cg_binder_init_visit(&b, add, &part);
    cg_bind_lpips(&b, &l);
    return cg_binder_finish(&b, error) &&
           cg_safetensors_save(path, (const char *const *)names->pdata,
                               (CgTensor *const *)tensors->pdata, names->len, error);
}

int main(int argc, char **argv)
{
    static const char *const files[2][2] = {{"alexnet", "alex"}, {"vgg16", "vgg"}};
    g_autoptr(GError) error = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: make_lpips OUT\n");
        return 2;
    }
    for (int trunk = 0; trunk < 2; trunk++)
        for (int heads = 0; heads < 2; heads++) {
            g_autofree char *path =
                g_strdup_printf("%s/%s.safetensors", argv[1], files[trunk][heads]);
            if (!write_part((CgLpipsTrunk)trunk, heads, path, &error)) {
                fprintf(stderr, "make_lpips: %s\n", error->message);
                return 1;
            }
        }
    return 0;
}
