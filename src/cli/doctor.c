/* cagen doctor: what this machine can do. */
#include "cli/commands.h"

#include "base/system.h"
#include "cli/options.h"
#include "pipeline/probe.h"

#include <jansson.h>
#include <stdio.h>

#define PROBE_SECONDS 1.0

/* Operations of one guided step of Stable Diffusion 1.5 with ControlNet at 512 x 512: a batch of
 * two through both networks (multiply and add counted as two). */
#define STEP_FLOPS 2.17e12

typedef struct {
    const CgCpuFeatures *cpu;
    CgEngineInfo engine;
    double f32, bf16; /* operations per second */
} Findings;

static const char *yes_no(gboolean yes)
{
    return yes ? "yes" : "no";
}

/* What the OpenMP library was told; main sets it unless the user did. */
static const char *waiting(void)
{
    const char *policy = g_getenv("OMP_WAIT_POLICY");
    return policy && g_ascii_strcasecmp(policy, "passive") == 0 ? "asleep" : "spinning";
}

static void print_text(const Findings *f)
{
    const double best = MAX(f->f32, f->bf16);
    printf("processor     %s\n", f->cpu->model);
    printf("  AVX2 %s, AVX-512 %s, AVX-512 bf16 %s, AMX bf16 %s\n", yes_no(f->cpu->avx2),
           yes_no(f->cpu->avx512), yes_no(f->cpu->avx512_bf16), yes_no(f->cpu->amx_bf16));
    printf("threads       %d, %s while they wait\n", cg_threads(), waiting());
    printf("memory        %.1f GB, %.1f GB free\n", (double)cg_memory_total() * 1e-9,
           (double)cg_memory_available() * 1e-9);
    printf("library       %s, %s\n", f->engine.library, f->engine.isa);
    printf("speed         f32 %.0f GFLOP/s, bf16 %.0f GFLOP/s (convolution 320-320, 64x64)\n",
           f->f32 * 1e-9, f->bf16 * 1e-9);
    printf("--dtype auto  %s\n", cg_dtype_name(f->engine.auto_dtype));
    printf("GPU           not used by this build\n");
    if (best > 0)
        printf("A step of Stable Diffusion 1.5 with ControlNet and guidance at 512x512 takes about "
               "%.1f s here.\n",
               STEP_FLOPS / best);
}

static void print_json(const Findings *f)
{
    json_t *o = json_pack(
        "{s:s, s:b, s:b, s:b, s:b, s:i, s:I, s:I, s:s, s:s, s:f, s:f, s:s}", "processor",
        f->cpu->model, "avx2", f->cpu->avx2, "avx512", f->cpu->avx512, "avx512_bf16",
        f->cpu->avx512_bf16, "amx_bf16", f->cpu->amx_bf16, "threads", cg_threads(), "memory_bytes",
        (json_int_t)cg_memory_total(), "memory_free_bytes", (json_int_t)cg_memory_available(),
        "library", f->engine.library, "isa", f->engine.isa, "f32_flops", f->f32, "bf16_flops",
        f->bf16, "auto_dtype", cg_dtype_name(f->engine.auto_dtype));
    json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(o);
}

int cg_cli_doctor(int argc, char **argv)
{
    GError *error = NULL;
    CgCliCompute compute = {0};
    g_autoptr(CgEngine) engine = NULL;
    CgDType dtype;
    const GOptionEntry entries[] = {
        {"threads", 0, 0, G_OPTION_ARG_INT, &compute.threads,
         "threads to compute with (default: one per core)", "N"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &compute.json, "one JSON object", NULL},
        G_OPTION_ENTRY_NULL,
    };
    if (!cg_cli_parse(
            &argc, &argv, "doctor", NULL,
            "Tells what this machine offers, and measures for two seconds how fast it is.", NULL,
            entries, &error) ||
        !cg_cli_compute_start(&compute, &engine, &dtype, &error))
        return cg_cli_fail(error);
    Findings f = {.cpu = cg_cpu_features()};
    f.f32 = cg_probe_speed(engine, CG_F32, PROBE_SECONDS);
    f.bf16 = cg_probe_speed(engine, CG_BF16, PROBE_SECONDS);
    cg_engine_cpu_info(engine, &f.engine);
    (compute.json ? print_json : print_text)(&f);
    return 0;
}
