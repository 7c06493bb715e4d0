#include "kernels.h"
#include "kvasir/check.h"
#include "linear.h"

namespace kvasir {

const LinearKernels& linear_kernels(Isa isa) {
  switch (isa) {
    case Isa::scalar: return kScalarLinear;
#if defined(__x86_64__)
    case Isa::avx2: return kAvx2Linear;
    case Isa::avx512: return kAvx512Linear;
#elif defined(__aarch64__)
    case Isa::neon: return kNeonLinear;
    case Isa::neon_dotprod: return kNeonDotprodLinear;
#endif
    default: break;
  }
  fail("ERR_UNSUPPORTED_ISA", "kernel_table.cc", __LINE__, "kernel path ", static_cast<int32_t>(isa), " is not in this build");
}

}  // namespace kvasir
