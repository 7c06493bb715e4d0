// Flags: -O3 -mavx2 -mfma -mf16c
#include "../ops.h"
#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define KVASIR_OPS_NAMESPACE ops_avx2
#define KVASIR_OPS_PATH "avx2"
#include "../simd/avx2.h"
#include "../impl/table.h"
#endif
