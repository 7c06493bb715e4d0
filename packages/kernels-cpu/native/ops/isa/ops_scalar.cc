// Flags: -O3
#include "../ops.h"
#define KVASIR_OPS_NAMESPACE ops_scalar
#define KVASIR_OPS_PATH "scalar"
#include "../simd/scalar.h"
#include "../impl/table.h"
