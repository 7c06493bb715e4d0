#include <cstring>

#include "encoding.h"
#include "kernels.h"
#include "kvasir/check.h"

namespace kvasir {
namespace {

constexpr int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

size_t activation_row_bytes(ActivationForm form, int64_t k) {
  KVASIR_CHECK(k > 0, "ERR_INVALID_WEIGHT", "an activation row has ", k, " elements, expected at least 1");
  int64_t bytes = 0;
  switch (form) {
    case ActivationForm::f32: bytes = k * 4; break;
    case ActivationForm::bf16: bytes = round_up(k, 2) * 2; break;
    case ActivationForm::int8: bytes = round_up(k, kActivationGroup) / kActivationGroup * static_cast<int64_t>(sizeof(ActivationBlock)); break;
  }
  return static_cast<size_t>(round_up(bytes, 64));
}

size_t activation_offset(ActivationForm form, int64_t k) {
  KVASIR_CHECK(k % kActivationGroup == 0, "ERR_INTERNAL", "a part of a row begins at element ", k);
  switch (form) {
    case ActivationForm::f32: return static_cast<size_t>(k) * 4;
    case ActivationForm::bf16: return static_cast<size_t>(k) * 2;
    case ActivationForm::int8: return static_cast<size_t>(k / kActivationGroup) * sizeof(ActivationBlock);
  }
  return 0;
}

void prepare_activation(ActivationForm form, Isa isa, const float* x, int64_t k, uint8_t* out) {
  switch (form) {
    case ActivationForm::f32: std::memcpy(out, x, static_cast<size_t>(k) * 4); return;
    case ActivationForm::bf16: {
      auto* pairs = reinterpret_cast<uint16_t*>(out);
      f32_to_bf16(x, k, pairs);
      if (k % 2 != 0) pairs[k] = 0;
      return;
    }
    case ActivationForm::int8: linear_kernels(isa).prepare_int8(x, k, reinterpret_cast<ActivationBlock*>(out)); return;
  }
}

}  // namespace kvasir
