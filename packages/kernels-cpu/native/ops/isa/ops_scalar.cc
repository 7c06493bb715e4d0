// Flags: -O3 -fno-strict-aliasing
//
// GCC 12 for AArch64 lets variables of two types share a stack slot and then, trusting the types, moves a load of one past a store
// of the other: lanes 4 to 7 of silu came out wrong.
#include "../ops.h"
#define KVASIR_OPS_NAMESPACE ops_scalar
#define KVASIR_OPS_PATH "scalar"
#include "../simd/scalar.h"
#include "../impl/table.h"
