// One call of each AVX2 kernel, for scripts/kernel-counts.mjs to count instructions of: `LAYOUT ROWS OUTPUTS` a line, in the order of the calls.
#include <cstdio>
#include <memory>
#include <vector>

#include "../linear/linear.h"
#include "linear_oracle.h"

extern "C" __attribute__((noinline)) void counted_call(const kvasir::PackedLinear& linear, const uint8_t* activations, int64_t rows, float* out) {
  linear.forward(activations, rows, out, linear.shape().n, 0, linear.num_panels());
}
// The counts are written out when this is entered.
extern "C" __attribute__((noinline)) void counted_end() { asm volatile("" ::: "memory"); }

int main() {
  using namespace kvasir;
  using namespace kvasir::test;
  constexpr int64_t n = 128, k = 512;
  Random random(1);
  for (const WeightEncoding encoding : kAllEncodings) {
    if (encoding == WeightEncoding::f16 || encoding == WeightEncoding::bf16) continue;  // packed as f32
    const auto linear = PackedLinear::plan({n, k, encoding}, NumericMode::automatic, Isa::avx2, false);
    const int64_t row_bytes = encoded_row_bytes(encoding, k);
    std::vector<uint8_t> weights(static_cast<size_t>(n * row_bytes));
    for (int64_t i = 0; i < n; i++) random_row(random, encoding, k, weights.data() + i * row_bytes);
    auto* storage = static_cast<uint8_t*>(std::aligned_alloc(64, linear->packed_bytes()));
    linear->attach(storage);
    linear->pack({weights.data(), row_bytes, 0}, 0, linear->num_panels());
    const size_t stride = activation_row_bytes(linear->activation_form(), k);
    auto* activations = static_cast<uint8_t*>(std::aligned_alloc(64, stride * 12));
    std::vector<float> x(static_cast<size_t>(k), 0.5f), out(static_cast<size_t>(12 * n));
    for (size_t row = 0; row < 12; row++) prepare_activation(linear->activation_form(), Isa::avx2, x.data(), k, activations + row * stride);
    for (const int64_t rows : {1, 2, 12}) {
      counted_call(*linear, activations, rows, out.data());
      counted_end();
      std::printf("%s %ld %ld\n", linear->layout_name(), static_cast<long>(rows), static_cast<long>(rows * n));
    }
    std::free(activations);
    std::free(storage);
  }
}
