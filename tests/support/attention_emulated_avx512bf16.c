/* The AMX attention path over emulated tiles, for machines that have AVX-512 bf16 but no tiles. */
#define CG_AMX_EMULATED
#include "engine/cpu/attention_amx.c"
