// Flags: -O3 -fno-schedule-insns -fno-strict-aliasing
#include "../ops.h"
#if defined(__aarch64__)
#define KVASIR_OPS_NAMESPACE ops_neon
#define KVASIR_OPS_PATH "neon"
#include "../simd/neon.h"
#include "../impl/table.h"
#endif
