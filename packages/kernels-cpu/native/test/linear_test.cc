// Linear kernels against double, and against themselves: the same bits for a row whatever shares its call, its panels or its path.
#include "../linear/linear.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "../linear/kernels.h"
#include "check.h"
#include "kvasir/check.h"
#include "kvasir/fp_state.h"
#include "linear_oracle.h"
#include "live_paths.h"

namespace kvasir::test {
namespace {

// A buffer whose end is the end of an allocation, so that AddressSanitizer sees any overrun.
struct Aligned {
  explicit Aligned(size_t bytes) : data(static_cast<uint8_t*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64))) { std::memset(data, 0xa5, bytes); }
  ~Aligned() { std::free(data); }
  Aligned(const Aligned&) = delete;
  uint8_t* data;
};

// Encoded weights, rows at a stride, the first at any byte.
struct Weights {
  Weights(Random& random, WeightEncoding e, int64_t n, int64_t k) : shape{n, k, e} {
    const int64_t row = encoded_row_bytes(e, k);
    const int64_t misalignment = integer(random, 0, 3);
    source.row_bytes = row + integer(random, 0, 1) * 3;
    bytes.resize(static_cast<size_t>(misalignment + source.row_bytes * (n - 1) + row));
    source.bytes = bytes.data() + misalignment;
    for (int64_t i = 0; i < n; ++i) random_row(random, e, k, bytes.data() + misalignment + i * source.row_bytes);
  }
  const uint8_t* row(int64_t n) const { return source.bytes + source.stored_row(n) * source.row_bytes; }
  LinearShape shape;
  std::vector<uint8_t> bytes;
  SourceRows source;
};

std::vector<float> random_inputs(Random& random, int64_t rows, int64_t k) {
  std::vector<float> x(static_cast<size_t>(rows * k));
  for (int64_t i = 0; i < rows * k; ++i) {
    // A few outliers, a few zero groups.
    const double size = integer(random, 0, 99) == 0 ? 40 : 1;
    x[static_cast<size_t>(i)] = i / 32 % 17 == 3 ? 0.0f : static_cast<float>(uniform(random, -size, size));
  }
  return x;
}

struct Packed {
  Packed(const Weights& weights, NumericMode mode, const Path& path, int64_t split = -1)
      : linear(PackedLinear::plan(weights.shape, mode, path.isa, path.bf16)), storage(linear->packed_bytes()) {
    linear->attach(storage.data);
    const int64_t panels = linear->num_panels();
    const int64_t middle = split < 0 ? panels : std::min(split, panels);
    linear->pack(weights.source, middle, panels);
    linear->pack(weights.source, 0, middle);
  }
  std::unique_ptr<PackedLinear> linear;
  Aligned storage;
};

struct Prepared {
  Prepared(ActivationForm form, Isa isa, const float* x, int64_t rows, int64_t k)
      : row_bytes(activation_row_bytes(form, k)), storage(row_bytes * static_cast<size_t>(std::max<int64_t>(rows, 1))) {
    for (int64_t m = 0; m < rows; ++m) prepare_activation(form, isa, x + m * k, k, row(m));
  }
  uint8_t* row(int64_t m) const { return storage.data + static_cast<size_t>(m) * row_bytes; }
  size_t row_bytes;
  Aligned storage;
};

#if defined(KVASIR_EMULATED)
constexpr int64_t kMostRows = 21;
#else
constexpr int64_t kMostRows = 70;
#endif

constexpr float kCanary = 12345.5f;

// Outputs [rows, n] at stride n + 3 with canaries between the rows.
std::vector<float> forward(const PackedLinear& linear, const Prepared& input, int64_t first, int64_t rows, int64_t split = -1) {
  const int64_t n = linear.shape().n;
  const int64_t stride = n + 3;
  std::vector<float> out(static_cast<size_t>(stride * rows), kCanary);
  const int64_t panels = linear.num_panels();
  const int64_t middle = split < 0 ? panels : std::min(split, panels);
  linear.forward(input.row(first), rows, out.data(), stride, 0, middle);
  linear.forward(input.row(first), rows, out.data(), stride, middle, panels);
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t i = n; i < stride; ++i) {
      CHECK_THAT(out[static_cast<size_t>(m * stride + i)] == kCanary, "row %ld: wrote past output %ld", static_cast<long>(m), static_cast<long>(n));
    }
  }
  return out;
}

bool same_row(const std::vector<float>& a, int64_t row_a, const std::vector<float>& b, int64_t row_b, int64_t n) {
  return std::memcmp(a.data() + row_a * (n + 3), b.data() + row_b * (n + 3), static_cast<size_t>(n) * 4) == 0;
}

void test_decode(Random& random) {
  for (const WeightEncoding e : kAllEncodings) {
    for (const int64_t blocks : {1, 2, 5}) {
      const int64_t k = blocks * block_elements(e);
      const Weights weights(random, e, 1, k);
      std::vector<float> decoded(static_cast<size_t>(k));
      decode_row(e, weights.row(0), k, decoded.data());
      for (int64_t i = 0; i < k; ++i) {
        const auto expected = static_cast<float>(element(e, weights.row(0), i));
        CHECK_THAT(decoded[static_cast<size_t>(i)] == expected, "%s element %ld: %.9g, expected %.9g", name_of(e), static_cast<long>(i),
                   static_cast<double>(decoded[static_cast<size_t>(i)]), static_cast<double>(expected));
      }
    }
  }
  // Every f16.
  for (int bits = 0; bits < 0x10000; ++bits) {
    const uint8_t bytes[2] = {static_cast<uint8_t>(bits), static_cast<uint8_t>(bits >> 8)};
    float value;
    decode_row(WeightEncoding::f16, bytes, 1, &value);
    if ((bits >> 10 & 31) == 31) {
      const bool is_nan = (bits & 1023) != 0;
      CHECK_THAT(is_nan ? std::isnan(value) : std::isinf(value) && std::signbit(value) == (bits >> 15 != 0), "f16 %04x", static_cast<unsigned>(bits));
      continue;
    }
    CHECK_THAT(value == half_value(bytes) && std::signbit(value) == (bits >> 15 != 0), "f16 %04x: %.9g", static_cast<unsigned>(bits),
               static_cast<double>(value));
  }
}

// The definition of layout.h in double. Division and product are single float32 operations, so only q may differ, and only next to a tie.
void check_activation_block(const float* x, int64_t count, const ActivationBlock& block) {
  float absmax = 0;
  for (int64_t i = 0; i < count; ++i) absmax = std::max(absmax, std::fabs(x[i]));
  int sum = 0, low = 0;
  for (int i = 0; i < 32; ++i) {
    const double value = i < count ? static_cast<double>(x[i]) : 0;
    const double exact = absmax < 0x1p-100f ? 0 : value * 127 / static_cast<double>(absmax);
    CHECK_THAT(std::fabs(block.q[i] - exact) <= 0.5 + 127 * 0x1p-22 && std::abs(block.q[i]) <= 127, "q %d, exact %.9g", block.q[i], exact);
    if (absmax == 127.0f) CHECK_THAT(block.q[i] == std::nearbyint(value), "q %d of %.9g: ties go to even", block.q[i], value);
    sum += block.q[i];
    if (i < 16) low += block.q[i];
  }
  const float scale = absmax < 0x1p-100f ? 0 : absmax / 127.0f;
  CHECK_THAT(block.scale == scale, "scale %.9g, expected %.9g", static_cast<double>(block.scale), static_cast<double>(scale));
  CHECK_THAT(block.sum == sum && block.low_sum == low, "sums %d, %d, expected %d, %d", block.sum, block.low_sum, sum, low);
  CHECK_THAT(block.scaled_sum == scale * static_cast<float>(sum), "scaled sum");
}

void test_activations(Random& random, const std::vector<Path>& paths) {
  for (const int64_t k : {1, 15, 16, 17, 31, 32, 33, 63, 576, 640, 1000}) {
    for (int round = 0; round < 12; ++round) {
      std::vector<float> x = random_inputs(random, 1, k);
      if (round == 1) std::fill(x.begin(), x.end(), 0.0f);
      if (round == 2) std::fill(x.begin(), x.end(), -0.0f);
      if (round == 3) for (float& v : x) v *= 0x1p-103f;
      if (round == 4) for (float& v : x) v *= 0x1p-140f;
      if (round == 5) for (float& v : x) v *= 0x1p120f;
      if (round == 6) {  // scale 1 and many ties
        for (float& v : x) v = static_cast<float>(integer(random, -254, 254)) / 2;
        for (int64_t i = 0; i < k; i += 32) x[static_cast<size_t>(i)] = 127;
      }
      const Prepared scalar(ActivationForm::int8, Isa::scalar, x.data(), 1, k);
      const auto* blocks = reinterpret_cast<const ActivationBlock*>(scalar.row(0));
      const int64_t groups = (k + 31) / 32;
      for (int64_t g = 0; g < groups; ++g) check_activation_block(x.data() + 32 * g, std::min<int64_t>(32, k - 32 * g), blocks[g]);
      for (const Path& path : paths) {
        const Prepared other(ActivationForm::int8, path.isa, x.data(), 1, k);
        CHECK_THAT(std::memcmp(scalar.row(0), other.row(0), static_cast<size_t>(groups) * sizeof(ActivationBlock)) == 0, "int8 row of %ld differs on %s",
                   static_cast<long>(k), path.name);
        const Prepared bf16(ActivationForm::bf16, path.isa, x.data(), 1, k);
        const auto* halves = reinterpret_cast<const uint16_t*>(bf16.row(0));
        for (int64_t i = 0; i < k; ++i) {
          const uint32_t bits = static_cast<uint32_t>(halves[i]) << 16;
          float value;
          std::memcpy(&value, &bits, 4);
          const auto xi = static_cast<double>(x[static_cast<size_t>(i)]);
          CHECK_THAT(std::fabs(static_cast<double>(value) - xi) <= std::fabs(xi) * 0x1p-8 + 0x1p-134, "bf16 of %.9g is %.9g", xi, static_cast<double>(value));
        }
        if (k % 2 != 0) CHECK_THAT(halves[k] == 0, "bf16 row of %ld is not padded with zero", static_cast<long>(k));
      }
    }
  }
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    std::vector<float> x = random_inputs(random, 1, 96);
    x[40] = bad;
    for (const Path& path : paths) {
      const Prepared row(ActivationForm::int8, path.isa, x.data(), 1, 96);
      const auto* blocks = reinterpret_cast<const ActivationBlock*>(row.row(0));
      CHECK_THAT(!std::isnan(blocks[0].scale) && std::isnan(blocks[1].scale) && std::isnan(blocks[1].scaled_sum) && !std::isnan(blocks[2].scale),
                 "a group with %g must have scale NaN on %s", static_cast<double>(bad), path.name);
      const Weights weights(random, WeightEncoding::q8_0, 5, 96);
      const Packed packed(weights, NumericMode::automatic, path);
      CHECK_THAT(std::isnan(forward(*packed.linear, row, 0, 1)[4]), "NaN must reach the output on %s", path.name);
    }
  }
}

// The float32 kernel on two values of k is one multiply-add: exact ties, cancellation and far exponents against the library's fma.
void test_multiply_add(Random& random, const std::vector<Path>& paths) {
  constexpr int64_t n = 64;
  for (int round = 0; round < 200; ++round) {
    std::vector<float> weights(2 * n);
    const int64_t spread = round % 4 == 0 ? 60 : round % 4 * 13;
    const auto any = [&] { return static_cast<float>(std::ldexp(uniform(random, -2, 2), static_cast<int>(integer(random, -spread, spread)))); };
    const float b = any();
    const float c = round % 8 == 7 ? INFINITY : any();
    for (int64_t i = 0; i < n; ++i) {
      weights[static_cast<size_t>(2 * i)] = 1;
      // Half of them nearly cancel c.
      weights[static_cast<size_t>(2 * i + 1)] = i % 2 == 0 || std::isinf(c) ? any() : -c / b * static_cast<float>(1 + std::ldexp(integer(random, -4, 4), -24));
    }
    const float x[2] = {c, b};
    for (const Path& path : paths) {
      const auto linear = PackedLinear::plan({n, 2, WeightEncoding::f32}, NumericMode::float32, path.isa, path.bf16);
      Aligned storage(linear->packed_bytes());
      linear->attach(storage.data);
      linear->pack({reinterpret_cast<const uint8_t*>(weights.data()), 8, 0}, 0, linear->num_panels());
      float out[n];
      linear->forward(reinterpret_cast<const uint8_t*>(x), 1, out, n, 0, linear->num_panels());
      for (int64_t i = 0; i < n; ++i) {
        const float a = weights[static_cast<size_t>(2 * i + 1)];
        const float expected = std::fma(a, b, c);
        CHECK_THAT(std::memcmp(&out[i], &expected, 4) == 0, "%s: fma(%a, %a, %a) is %a, expected %a", path.name, static_cast<double>(a),
                   static_cast<double>(b), static_cast<double>(c), static_cast<double>(out[i]), static_cast<double>(expected));
      }
    }
  }
}

Bounded expected_output(const Weights& weights, const PackedLinear& linear, const double* decoded, int64_t n, const uint8_t* activation,
                        const float* x) {
  const int64_t k = weights.shape.k;
  if (linear.activation_form() == ActivationForm::int8) {
    return integer_dot(weights.shape.encoding, decoded, minimum_of, weights.row(n), reinterpret_cast<const ActivationBlock*>(activation), k);
  }
  // The float forms start from weights rounded to float32, the bf16 form rounds those once more.
  std::vector<float> weight(decoded, decoded + k);
  if (linear.activation_form() == ActivationForm::f32) return float_dot(weight.data(), x, k, 1);
  std::vector<uint16_t> halves(activation_row_bytes(ActivationForm::bf16, k) / 2);
  prepare_activation(ActivationForm::bf16, Isa::scalar, weight.data(), k, reinterpret_cast<uint8_t*>(halves.data()));
  std::vector<float> input(static_cast<size_t>(k));
  decode_row(WeightEncoding::bf16, reinterpret_cast<const uint8_t*>(halves.data()), k, weight.data());
  decode_row(WeightEncoding::bf16, activation, k, input.data());
  return float_dot(weight.data(), input.data(), k, 2);
}

// Every encoding, mode and path on one shape against double.
void check_oracle(Random& random, const std::vector<Path>& paths, WeightEncoding e, int64_t n, int64_t k, int64_t rows) {
  const Weights weights(random, e, n, k);
  std::vector<double> decoded(static_cast<size_t>(n * k));
  for (int64_t i = 0; i < n * k; ++i) decoded[static_cast<size_t>(i)] = element(e, weights.row(i / k), i % k);
  const std::vector<float> x = random_inputs(random, rows, k);
  for (const NumericMode mode : {NumericMode::automatic, NumericMode::float32}) {
    for (const Path& path : paths) {
      const Packed packed(weights, mode, path, integer(random, 0, 5));
      const ActivationForm form = packed.linear->activation_form();
      const Prepared input(form, path.isa, x.data(), rows, k);
      const std::vector<float> out = forward(*packed.linear, input, 0, rows, integer(random, 0, 5));
      double worst = 0;
      for (int64_t m = 0; m < rows; ++m) {
        for (int64_t i = 0; i < n; ++i) {
          const Bounded expected = expected_output(weights, *packed.linear, decoded.data() + i * k, i, input.row(m), x.data() + m * k);
          const double error = std::fabs(static_cast<double>(out[static_cast<size_t>(m * (n + 3) + i)]) - expected.value);
          worst = std::max(worst, std::isnan(error) ? INFINITY : error / expected.bound);
        }
      }
      CHECK_THAT(worst <= 1, "%s %s %s N %ld K %ld M %ld: error is %.3g of its bound", name_of(e), packed.linear->layout_name(), path.name,
                 static_cast<long>(n), static_cast<long>(k), static_cast<long>(rows), worst);
    }
  }
}

void test_oracle(Random& random, const std::vector<Path>& paths) {
  for (const WeightEncoding e : kAllEncodings) {
    const int64_t block = block_elements(e);
    const std::vector<int64_t> depths = block == 1    ? std::vector<int64_t>{1, 2, 31, 33, 64, 577}
                                        : block == 32 ? std::vector<int64_t>{32, 64, 96, 576, 640, 992}
                                                      : std::vector<int64_t>{256, 512, 768};
    for (const int64_t k : depths) {
      const int64_t n = std::vector<int64_t>{1, 15, 16, 17, 33, 49, 63, 64, 65, 100}[static_cast<size_t>(integer(random, 0, 9))];
      check_oracle(random, paths, e, n, k, integer(random, 1, 9));
    }
    check_oracle(random, paths, e, 192, block == 256 ? 256 : block * 2, 7);
    check_oracle(random, paths, e, 1000, block == 1 ? 3 : block, 2);
  }
}

// All codes at one end and all activations at +127 or -127: the largest sums that the integer kernels meet.
void test_extremes(Random& random, const std::vector<Path>& paths) {
  for (const WeightEncoding e : kAllEncodings) {
    if (e <= WeightEncoding::bf16) continue;
    const int64_t k = std::max<int64_t>(64, block_elements(e)), n = 33, rows = 7;
    for (const int fill : {0x00, 0xff, 0x80, 0x7f, 0x0f, 0xf0}) {
      Weights weights(random, e, n, k);
      std::vector<uint8_t> scales(weights.bytes);
      std::fill(weights.bytes.begin(), weights.bytes.end(), static_cast<uint8_t>(fill));
      const int64_t row_bytes = encoded_row_bytes(e, k), blocks = k / block_elements(e), block = row_bytes / blocks;
      for (int64_t i = 0; i < n * blocks; ++i) {
        // Ordinary scales in the places of d, m, dmin.
        const int64_t at = weights.source.bytes - weights.bytes.data() + i / blocks * weights.source.row_bytes + i % blocks * block;
        const int64_t first = e == WeightEncoding::q6_k ? 208 : 0;
        std::copy_n(scales.begin() + at + first, has_minimum(e) ? 4 : 2, weights.bytes.begin() + at + first);
      }
      std::vector<double> decoded(static_cast<size_t>(n * k));
      for (int64_t i = 0; i < n * k; ++i) decoded[static_cast<size_t>(i)] = element(e, weights.row(i / k), i % k);
      std::vector<float> x(static_cast<size_t>(rows * k));
      for (int64_t i = 0; i < rows * k; ++i) x[static_cast<size_t>(i)] = (i / k % 2 == 0 ? 1.0f : -1.0f) * (i / k >= 4 && i % 2 == 1 ? -1.0f : 1.0f);
      for (const Path& path : paths) {
        const Packed packed(weights, NumericMode::automatic, path);
        const Prepared input(ActivationForm::int8, path.isa, x.data(), rows, k);
        const std::vector<float> out = forward(*packed.linear, input, 0, rows);
        for (int64_t i = 0; i < n * rows; ++i) {
          const int64_t m = i / n, column = i % n;
          const Bounded expected = expected_output(weights, *packed.linear, decoded.data() + column * k, column, input.row(m), x.data() + m * k);
          const double error = std::fabs(static_cast<double>(out[static_cast<size_t>(m * (n + 3) + column)]) - expected.value);
          CHECK_THAT(error <= expected.bound, "%s bytes %02x on %s: row %ld output %ld is off by %.3g of its bound", name_of(e), static_cast<unsigned>(fill),
                     path.name, static_cast<long>(m), static_cast<long>(column), error / expected.bound);
        }
      }
    }
  }
}

// One reference (scalar, each row alone) for all paths, row counts, offsets and splits. bf16 has one path: itself, each row alone.
void check_invariance(Random& random, const std::vector<Path>& paths, WeightEncoding e, NumericMode mode, int64_t n, int64_t k, int64_t max_rows) {
  const Weights weights(random, e, n, k);
  const std::vector<float> x = random_inputs(random, max_rows, k);
  std::vector<std::vector<float>> alone[2];
  for (const Path& path : paths) {
    const Packed packed(weights, mode, path, integer(random, 0, 7));
    const ActivationForm form = packed.linear->activation_form();
    const Prepared input(form, path.isa, x.data(), max_rows, k);
    auto& reference = alone[form == ActivationForm::bf16 ? 1 : 0];
    const bool is_first = reference.empty();
    for (int64_t m = 0; m < max_rows; ++m) {
      std::vector<float> row = forward(*packed.linear, input, m, 1, integer(random, 0, 7));
      if (is_first) {
        reference.push_back(std::move(row));
      } else {
        CHECK_THAT(same_row(row, 0, reference[static_cast<size_t>(m)], 0, n), "%s %s row %ld alone differs on %s", name_of(e),
                   packed.linear->layout_name(), static_cast<long>(m), path.name);
      }
    }
    for (int64_t rows = 2; rows <= max_rows; ++rows) {
      const int64_t first = integer(random, 0, max_rows - rows);
      const std::vector<float> batch = forward(*packed.linear, input, first, rows, integer(random, 0, 7));
      for (int64_t m = 0; m < rows; ++m) {
        CHECK_THAT(same_row(batch, m, reference[static_cast<size_t>(first + m)], 0, n), "%s %s N %ld K %ld: row %ld of %ld differs on %s", name_of(e),
                   packed.linear->layout_name(), static_cast<long>(n), static_cast<long>(k), static_cast<long>(m), static_cast<long>(rows), path.name);
      }
    }
  }
}

void test_invariance(Random& random, const std::vector<Path>& paths) {
  for (const WeightEncoding e : kAllEncodings) {
    const int64_t block = block_elements(e);
    const int64_t k = block == 1 ? 77 : block == 32 ? 160 : 512;
    check_invariance(random, paths, e, NumericMode::automatic, integer(random, 65, 130), k, kMostRows);
    check_invariance(random, paths, e, NumericMode::automatic, integer(random, 1, 64), block == 1 ? 8 : block, 20);
    check_invariance(random, paths, e, NumericMode::float32, integer(random, 1, 130), block == 1 ? 45 : block, 20);
  }
}

void test_layout(Random& random, const std::vector<Path>& paths) {
  for (const WeightEncoding e : kAllEncodings) {
    const int64_t k = std::max<int64_t>(block_elements(e), 64) * 2;
    for (const Path& path : paths) {
      const auto linear = PackedLinear::plan({96, k, e}, NumericMode::automatic, path.isa, path.bf16);
      CHECK_THAT(linear->num_panels() == 6, "96 outputs are 6 panels");
      if (e > WeightEncoding::bf16) {
        CHECK_THAT(static_cast<int64_t>(linear->packed_bytes()) == 96 * encoded_row_bytes(e, k), "%s packs to %zu bytes, the file has %ld", name_of(e),
                   linear->packed_bytes(), static_cast<long>(96 * encoded_row_bytes(e, k)));
      }
    }
  }
  // Packing writes every byte, padding too: what was in the storage before must not show.
  for (const WeightEncoding e : kAllEncodings) {
    const Weights weights(random, e, 17 + 16 * integer(random, 0, 4), block_elements(e) == 1 ? 5 : block_elements(e));
    for (const Path& path : paths) {
      const Packed packed(weights, NumericMode::automatic, path);
      const size_t bytes = packed.linear->packed_bytes();
      const std::vector<uint8_t> before(packed.storage.data, packed.storage.data + bytes);
      std::memset(packed.storage.data, 0x5a, bytes);
      packed.linear->pack(weights.source, 0, packed.linear->num_panels());
      const auto used = static_cast<size_t>(packed.linear->num_panels()) * (bytes / static_cast<size_t>(packed.linear->num_panels()) / 32 * 32);
      CHECK_THAT(std::memcmp(before.data(), packed.storage.data, used) == 0, "%s packs differently over old bytes", name_of(e));
    }
  }
  // Rows stored interleaved for rotary embedding: stored row 2i of a head is row i, 2i + 1 is row i + half.
  Weights weights(random, WeightEncoding::q8_0, 48, 64);
  weights.source.interleaved_rope_head_dim = 24;
  CHECK_THAT(weights.source.stored_row(0) == 0 && weights.source.stored_row(1) == 2 && weights.source.stored_row(12) == 1 &&
                 weights.source.stored_row(24 + 13) == 24 + 3, "stored_row");
  const std::vector<float> x = random_inputs(random, 1, 64);
  const Path scalar = paths[0];
  const Packed packed(weights, NumericMode::float32, scalar);
  const Prepared input(ActivationForm::f32, scalar.isa, x.data(), 1, 64);
  const std::vector<float> out = forward(*packed.linear, input, 0, 1);
  weights.source.interleaved_rope_head_dim = 0;
  const Packed plain(weights, NumericMode::float32, scalar);
  const std::vector<float> stored = forward(*plain.linear, input, 0, 1);
  for (int64_t head = 0; head < 2; ++head) {
    for (int64_t i = 0; i < 12; ++i) {
      const int64_t base = head * 24;
      CHECK_THAT(out[static_cast<size_t>(base + i)] == stored[static_cast<size_t>(base + 2 * i)] &&
                     out[static_cast<size_t>(base + i + 12)] == stored[static_cast<size_t>(base + 2 * i + 1)], "rope row order");
    }
  }
  // No rows: nothing is read or written.
  packed.linear->forward(nullptr, 0, nullptr, 0, 0, packed.linear->num_panels());
}

template <typename Call>
void expect_error(const char* code, const char* part, Call call) {
  std::string got = "no error";
  try {
    call();
  } catch (const Error& error) {
    got = std::string(error.code()) + ": " + error.what();
  }
  CHECK_THAT(got.find(code) == 0 && got.find(part) != std::string::npos, "expected %s with '%s', got %s", code, part, got.c_str());
}

void test_errors() {
  expect_error("ERR_INVALID_WEIGHT", "multiple of 32", [] { encoded_row_bytes(WeightEncoding::q4_0, 33); });
  expect_error("ERR_INVALID_WEIGHT", "multiple of 256", [] { PackedLinear::plan({16, 576, WeightEncoding::q4_k}, NumericMode::automatic, Isa::scalar, false); });
  expect_error("ERR_INVALID_WEIGHT", "0 outputs", [] { PackedLinear::plan({0, 64, WeightEncoding::f32}, NumericMode::automatic, Isa::scalar, false); });
  expect_error("ERR_INVALID_WEIGHT", "unknown", [] { encoded_row_bytes(static_cast<WeightEncoding>(99), 32); });
  const auto linear = PackedLinear::plan({16, 64, WeightEncoding::f32}, NumericMode::automatic, Isa::scalar, false);
  float out[16];
  expect_error("ERR_INTERNAL", "missing", [&] { linear->forward(nullptr, 1, out, 16, 0, 1); });
  Aligned storage(linear->packed_bytes());
  linear->attach(storage.data);
  expect_error("ERR_INTERNAL", "of 1", [&] { linear->forward(nullptr, 1, out, 16, 0, 2); });
  SourceRows source;
  source.bytes = storage.data;
  source.row_bytes = 255;
  expect_error("ERR_INVALID_WEIGHT", "at least 256", [&] { linear->pack(source, 0, 1); });
  source.row_bytes = 256;
  source.interleaved_rope_head_dim = 12;
  expect_error("ERR_INVALID_WEIGHT", "even divisor", [&] { linear->pack(source, 0, 1); });
}

}  // namespace
}  // namespace kvasir::test

int main() {
  using namespace kvasir::test;
  Random random(run_seed());
  const auto paths = live_paths();
  test_decode(random);
  test_activations(random, paths);
  test_multiply_add(random, paths);
  test_oracle(random, paths);
  test_extremes(random, paths);
  test_invariance(random, paths);
  test_layout(random, paths);
  test_errors();
  // Again as the threads of a session run: subnormals flushed to zero, on both sides.
  kvasir::set_compute_fp_state();
  test_activations(random, paths);
  test_extremes(random, paths);
  test_invariance(random, paths);
  std::string names;
  for (const auto& path : paths) names += std::string(" ") + path.name;
  std::printf("paths:%s\n", names.c_str());
  return finish("linear_test");
}
