// Flags: -O3 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c
#include "../ops.h"
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define KVASIR_OPS_NAMESPACE ops_avx512
#define KVASIR_OPS_PATH "avx512"
#include "../simd/avx512.h"
#include "../impl/table.h"
#endif
