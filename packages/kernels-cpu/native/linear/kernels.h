// The linear kernels of one path. Included by units built for higher instruction sets: nothing inline, no std.
#pragma once
#include <cstddef>
#include <cstdint>

#include "layout.h"

namespace kvasir {

enum class Isa : int32_t;

// Outputs of `num_panels` neighbouring panels of one strip, for all rows.
struct StripCall {
  const uint8_t* strip;      // first byte of the strip
  int32_t strip_panels;      // panels in the strip, 1..4
  int32_t first_panel;       // first panel to compute
  int32_t num_panels;
  int64_t strip_bytes;
  const uint8_t* next;       // what is read after this strip, to be fetched on the way; or null
  int64_t depth;             // blocks (integer codecs), k (f32) or pairs of k (bf16)
  const uint8_t* activations;
  size_t activation_stride;  // bytes
  int64_t rows;
  float* out;                // row 0, first output of first_panel
  int64_t out_stride;        // floats
  int64_t columns;           // outputs to write, at most 16 * num_panels
};

using StripKernel = void (*)(const StripCall&);

struct LinearKernels {
  const char* name;
  StripKernel integer[kNumCodecs];
  StripKernel f32;
  StripKernel bf16;  // null where the path has none
  void (*prepare_int8)(const float* x, int64_t k, ActivationBlock* out);
};

// Table of a path; throws ERR_UNSUPPORTED_ISA when this build has no such path. The caller knows that the CPU has it.
const LinearKernels& linear_kernels(Isa isa);

extern const LinearKernels kScalarLinear;
#if defined(__x86_64__)
extern const LinearKernels kAvx2Linear;
extern const LinearKernels kAvx512Linear;
// kAvx512Linear's bf16 kernel lives in its own unit: it needs AVX512-BF16.
void linear_bf16_avx512(const StripCall& call);
#elif defined(__aarch64__)
extern const LinearKernels kNeonLinear;
extern const LinearKernels kNeonDotprodLinear;
#endif

}  // namespace kvasir
