#include "ops.h"

namespace kvasir {

namespace ops_scalar { extern const OpKernels table; }
namespace ops_avx2 { extern const OpKernels table; }
namespace ops_avx512 { extern const OpKernels table; }
namespace ops_neon { extern const OpKernels table; }

int64_t KvLayout::head_bytes() const {
  const int64_t element = dtype == KvDtype::f32 ? 4 : dtype == KvDtype::i8 ? 1 : 2;
  return scales_bytes() + 2 * static_cast<int64_t>(head_dim) * block_size * element;
}

int64_t KvLayout::layer_bytes() const { return num_kv_heads * head_bytes(); }

const OpKernels& op_kernels(Isa isa) {
  switch (isa) {
#if defined(__x86_64__) || defined(_M_X64)
    case Isa::avx512: return ops_avx512::table;
    case Isa::avx2: return ops_avx2::table;
#elif defined(__aarch64__)
    case Isa::neon:
    case Isa::neon_dotprod: return ops_neon::table;
#endif
    default: return ops_scalar::table;
  }
}

}  // namespace kvasir
