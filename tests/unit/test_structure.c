/* The parameters that our models ask for are, by name and shape, those of the diffusers and
 * transformers modules of Stable Diffusion 1.5. The digests were taken from the instantiated
 * modules; each is over the lines "name:d0,d1,...\n" in order of name. */
#include "support/structure.h"

typedef struct {
    const char *path;
    CgTestStructure *(*make)(void);
    guint tensors;
    guint64 parameters;
    const char *sha256;
} Case;

static CgTestStructure *make_kl(void)
{
    return cg_test_structure_vae(CG_VAE_KL);
}

static CgTestStructure *make_tiny(void)
{
    return cg_test_structure_vae(CG_VAE_TINY);
}

static const Case cases[] = {
    {"/structure/unet_is_that_of_diffusers", cg_test_structure_unet, 686, 859520964,
     "c27d8723306c4220ef9905ffcc0492032b37a557b820468093e46198f947e25a"},
    {"/structure/controlnet_is_that_of_diffusers", cg_test_structure_controlnet, 340, 361279120,
     "50d43fca0b1da51923de07622c9152c365a818bcd2ce62ad9cc1ec65dd855f20"},
    {"/structure/autoencoder_kl_is_that_of_diffusers", make_kl, 248, 83653863,
     "d446dc3b87d3305b08178ca47b14d68c7f844b52d56c6d8a613efc58d402df6d"},
    {"/structure/autoencoder_tiny_is_that_of_diffusers", make_tiny, 134, 2445063,
     "6cf981004a9bf006ae26126b846389d422b7d5bc6dd59a45c53bc27326c510b4"},
    {"/structure/text_encoder_is_that_of_transformers", cg_test_structure_text, 196, 123060480,
     "3a6a96cb454445b7d33d29d4b53e344931212c3266d7e6b209e471a2e5055dfe"},
};

static void check(gconstpointer data)
{
    const Case *c = data;
    g_autoptr(CgTestStructure) s = c->make();
    g_autofree char *digest = cg_test_structure_digest(s);
    g_assert_cmpuint(s->names->len, ==, c->tensors);
    g_assert_cmpuint(cg_test_structure_count(s), ==, c->parameters);
    g_assert_cmpstr(digest, ==, c->sha256);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        g_test_add_data_func(cases[i].path, &cases[i], check);
    return g_test_run();
}
