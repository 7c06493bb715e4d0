// Norms, rotary embedding, activations, softcap and KV writes against double precision, and bit for bit across paths.
#include "ops_check.h"

#define KVASIR_OPS_NAMESPACE ops_scalar_under_test
#include "../ops/simd/scalar.h"

namespace kvasir::test {
namespace {

// The fused multiply-add of the scalar layer against the library's, on numbers made to fall halfway between two floats.
void fused_multiply_add() {
  namespace layer = kvasir::ops_scalar_under_test;
  Random random(6);
  const auto draw = [&] {
    const int bits = static_cast<int>(random.between(1, 24));
    const double mantissa = static_cast<double>(random.between(1, int64_t{1} << bits));
    return static_cast<float>((random.unit() < 0.5 ? -1 : 1) * std::ldexp(mantissa, static_cast<int>(random.between(-40, 20)) - bits));
  };
  const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, 3e38f, 1e-38f, 2e-20f, -1e-20f, 1.0f};
  for (int round = 0; round < (kEmulated ? 6000 : 60000); round++) {
    layer::F32x16 a, b, c;
    for (int i = 0; i < 16; i++) {
      const double unit = random.unit();
      a.v[i] = unit < 0.02 ? special[random.between(0, 8)] : draw();
      b.v[i] = unit < 0.03 ? special[random.between(0, 8)] : draw();
      // A third of the addends are small next to the last place of the product, where rounding twice shows.
      c.v[i] = unit < 0.04 ? special[random.between(0, 8)] : unit < 0.4 ? std::ldexp(a.v[i] * b.v[i], static_cast<int>(random.between(-60, 26))) : draw();
    }
    const layer::F32x16 r = layer::fma(a, b, c), n = layer::fnma(a, b, c);
    for (int i = 0; i < 16; i++) {
      const float exact = std::fma(a.v[i], b.v[i], c.v[i]), negated = std::fma(-a.v[i], b.v[i], c.v[i]);
      CHECK(same_bits(&exact, &r.v[i], 1) || (std::isnan(exact) && std::isnan(r.v[i])), "fma(%a, %a, %a) = %a, expected %a", static_cast<double>(a.v[i]), static_cast<double>(b.v[i]), static_cast<double>(c.v[i]), static_cast<double>(r.v[i]), static_cast<double>(exact));
      CHECK(same_bits(&negated, &n.v[i], 1) || (std::isnan(negated) && std::isnan(n.v[i])), "fnma");
    }
  }
}

const int64_t kWidths[] = {1, 2, 7, 15, 16, 17, 31, 33, 48, 64, 100, 255, 576, 640, 1536};

void norms() {
  Random random(1);
  for (int64_t width : kWidths)
    for (int64_t groups : {1, 3})
      for (float offset : {0.0f, 1.0f}) {
        const auto x = random.normals(width * groups, 3), weight = random.normals(width);
        const float eps = 1e-5f;
        std::vector<float> first;
        for (const OpKernels* path : paths()) {
          std::vector<float> out(x.size() + 1, 7.0f);
          path->rms_norm(x.data(), weight.data(), offset, eps, width, groups, out.data());
          CHECK(out.back() == 7.0f, "%s wrote past the end", path->name);
          for (int64_t g = 0; g < groups; g++) {
            double squares = 0;
            for (int64_t i = 0; i < width; i++) squares += static_cast<double>(x[g * width + i]) * x[g * width + i];
            const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + eps);
            for (int64_t i = 0; i < width; i++) {
              const double exact = x[g * width + i] * scale * (static_cast<double>(weight[i]) + offset);
              CHECK(std::fabs(out[g * width + i] - exact) <= 1e-6 * (std::fabs(x[g * width + i] * scale) * (1 + std::fabs(weight[i]))),
                    "%s width %lld: %g, expected %g", path->name, static_cast<long long>(width), static_cast<double>(out[g * width + i]), exact);
            }
          }
          if (first.empty()) first = out;
          CHECK(same_bits(first, out), "%s differs, width %lld", path->name, static_cast<long long>(width));
          auto in_place = x;
          path->rms_norm(in_place.data(), weight.data(), offset, eps, width, groups, in_place.data());
          CHECK(same_bits(in_place.data(), out.data(), x.size()), "%s in place, width %lld", path->name, static_cast<long long>(width));
        }
      }
  for (const OpKernels* path : paths()) {
    float untouched = 3;
    path->rms_norm(nullptr, nullptr, 0, 1e-5f, 16, 0, &untouched);
    CHECK(untouched == 3, "no groups");
  }
}

void ropes() {
  Random random(2);
  struct Shape { int64_t heads, dim, half; };
  for (const Shape& s : {Shape{1, 2, 1}, {3, 8, 4}, {2, 20, 10}, {9, 64, 32}, {4, 256, 128}, {2, 80, 40}, {2, 96, 16}}) {
    const auto x = random.normals(s.heads * s.dim);
    std::vector<float> cosines, sines, first;
    for (int64_t i = 0; i < s.half; i++) {
      const double angle = random.unit() * 100;
      cosines.push_back(static_cast<float>(std::cos(angle)));
      sines.push_back(static_cast<float>(std::sin(angle)));
    }
    for (const OpKernels* path : paths()) {
      auto y = x;
      path->rope(y.data(), cosines.data(), sines.data(), s.heads, s.dim, s.half);
      for (int64_t h = 0; h < s.heads; h++)
        for (int64_t i = 0; i < s.dim; i++) {
          const float* head = x.data() + h * s.dim;
          double exact = head[i];
          const int64_t j = i % s.half;
          if (i < s.half) exact = static_cast<double>(head[i]) * cosines[j] - static_cast<double>(head[i + s.half]) * sines[j];
          else if (i < 2 * s.half) exact = static_cast<double>(head[i]) * cosines[j] + static_cast<double>(head[i - s.half]) * sines[j];
          CHECK(std::fabs(y[h * s.dim + i] - exact) <= 1e-6, "%s dim %lld", path->name, static_cast<long long>(s.dim));
        }
      if (first.empty()) first = y;
      CHECK(same_bits(first, y), "%s differs, dim %lld", path->name, static_cast<long long>(s.dim));
    }
  }
}

double exact_activation(Activation kind, double x) {
  switch (kind) {
    case Activation::silu: return x / (1 + std::exp(-x));
    case Activation::gelu_tanh: return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    default: return x * 0.5 * std::erfc(-x * 0.7071067811865476);
  }
}

void activations() {
  Random random(3);
  // Absolute error is bounded in units of the result, plus a floor where the result itself is next to nothing.
  const struct { Activation kind; double relative, floor; } bounds[] = {
      {Activation::silu, 4e-7, 1e-30}, {Activation::gelu_tanh, 4e-7, 3e-7}, {Activation::gelu, 8e-7, 1e-12}};
  for (const auto& bound : bounds) {
    std::vector<float> gate{0.0f, -0.0f, 1e-30f, -1e-30f, 88.0f, -88.0f, 1000.0f, -1000.0f, 3e38f, -3e38f};
    for (double x = -30; x < 30; x += 0.0037) gate.push_back(static_cast<float>(x));
    for (int i = 0; i < 2000; i++) gate.push_back(random.normal(std::pow(10, random.unit() * 8 - 4)));
    const std::vector<float> ones(gate.size(), 1.0f);
    std::vector<float> first;
    for (const OpKernels* path : paths()) {
      std::vector<float> out(gate.size());
      path->gated_activation(bound.kind, gate.data(), ones.data(), static_cast<int64_t>(gate.size()), out.data());
      for (size_t i = 0; i < gate.size(); i++) {
        const double exact = exact_activation(bound.kind, gate[i]);
        CHECK(std::fabs(out[i] - exact) <= bound.relative * std::fabs(exact) + bound.floor * std::min(1.0, std::fabs(static_cast<double>(gate[i]))) + 2e-38,
              "%s kind %d x %g: %g, expected %g", path->name, static_cast<int>(bound.kind), static_cast<double>(gate[i]), static_cast<double>(out[i]), exact);
      }
      if (first.empty()) first = out;
      CHECK(same_bits(first, out), "%s differs, kind %d", path->name, static_cast<int>(bound.kind));
    }
    for (int64_t n : {int64_t{0}, int64_t{1}, int64_t{15}, int64_t{17}, int64_t{40}}) {
      const auto g = random.normals(n), up = random.normals(n);
      for (const OpKernels* path : paths()) {
        std::vector<float> out(static_cast<size_t>(n) + 1, 7.0f);
        path->gated_activation(bound.kind, g.data(), up.data(), n, out.data());
        CHECK(out.back() == 7.0f, "%s wrote past the end", path->name);
        for (int64_t i = 0; i < n; i++) {
          float alone;
          path->gated_activation(bound.kind, &g[i], &up[i], 1, &alone);
          CHECK(same_bits(&alone, &out[i], 1), "%s: element %lld of %lld depends on its place", path->name, static_cast<long long>(i), static_cast<long long>(n));
        }
      }
    }
  }
}

void softcaps_and_adds() {
  Random random(4);
  std::vector<float> x{0.0f, -0.0f, 1e-20f, 1e30f, -1e30f};
  for (int i = 0; i < 20000; i++) x.push_back(random.normal(std::pow(10, random.unit() * 6 - 3)));
  for (float cap : {1.0f, 30.0f, 50.0f}) {
    std::vector<float> first;
    double worst = 0;
    for (const OpKernels* path : paths()) {
      auto y = x;
      path->softcap(y.data(), static_cast<int64_t>(y.size()), cap);
      for (size_t i = 0; i < x.size(); i++) {
        const double exact = cap * std::tanh(static_cast<double>(x[i]) / cap);
        worst = std::max(worst, ulps(y[i], exact));
        CHECK(ulps(y[i], exact) <= 4, "%s cap %g x %g: %g, expected %g", path->name, static_cast<double>(cap), static_cast<double>(x[i]), static_cast<double>(y[i]), exact);
      }
      if (first.empty()) first = y;
      CHECK(same_bits(first, y), "%s differs", path->name);
    }
  }
  for (int64_t n : {0, 1, 16, 33}) {
    const auto a = random.normals(n), b = random.normals(n);
    for (const OpKernels* path : paths()) {
      std::vector<float> sum(static_cast<size_t>(n) + 1, 7.0f);
      path->add(a.data(), b.data(), n, sum.data());
      CHECK(sum.back() == 7.0f, "%s wrote past the end", path->name);
      for (int64_t i = 0; i < n; i++) CHECK(sum[i] == a[i] + b[i], "%s", path->name);
    }
  }
}

// Rounds to a type with `bits` of significand and exponents from `lowest`, half to even, in exact arithmetic.
double rounded(double x, int bits, int lowest, double largest) {
  if (x == 0 || !std::isfinite(x)) return x;
  int exponent;
  std::frexp(x, &exponent);
  const double unit = std::ldexp(1.0, std::max(exponent - bits, lowest));
  const double y = std::nearbyint(x / unit) * unit;
  return std::fabs(y) > largest ? std::copysign(std::numeric_limits<double>::infinity(), x) : y;
}

double decoded(KvDtype dtype, const uint8_t* bytes) {
  uint16_t half;
  float single;
  std::memcpy(&half, bytes, 2);
  switch (dtype) {
    case KvDtype::f32: std::memcpy(&single, bytes, 4); return single;
    case KvDtype::bf16: {
      const uint32_t wide = static_cast<uint32_t>(half) << 16;
      std::memcpy(&single, &wide, 4);
      return single;
    }
    default: {
      const int exponent = half >> 10 & 31, mantissa = half & 1023;
      const double sign = half >> 15 ? -1 : 1;
      if (exponent == 31) return mantissa ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
      return sign * (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24));
    }
  }
}

void kv_writes() {
  Random random(5);
  for (KvDtype dtype : {KvDtype::f32, KvDtype::f16, KvDtype::bf16})
    for (int32_t dim : {1, 8, 16, 20, 64, 80})
      for (int32_t block_size : {16, 32}) {
        KvLayout layout{dtype, 2, dim, block_size, 192, 0};
        layout.block_bytes = layout.layer_offset + layout.layer_bytes() + 64;
        const int element = dtype == KvDtype::f32 ? 4 : 2;
        std::vector<std::vector<uint8_t>> blocks(paths().size(), std::vector<uint8_t>(static_cast<size_t>(layout.block_bytes), 0xee));
        for (int32_t slot = 0; slot < block_size; slot++) {
          std::vector<float> key, value;
          for (int i = 0; i < 2 * dim; i++) {
            key.push_back(random.normal(std::pow(10, random.unit() * 14 - 8)));
            value.push_back(random.normal(std::pow(2, random.unit() * 44 - 28)));
          }
          const float special[] = {65519.99f, 65520.0f, -65504.0f, 0.0f, -0.0f, 6.1e-5f, 5.97e-8f, 2.98023224e-8f, 2.9802326e-8f, 1e-10f, INFINITY, -INFINITY, NAN, 1.00048828125f, 1.00146484375f, 3.3e38f};
          for (float& x : key)
            if (random.unit() < 0.2) x = special[random.between(0, 15)];
          size_t p = 0;
          for (const OpKernels* path : paths()) path->kv_write(layout, blocks[p++].data(), slot, key.data(), value.data());
          for (int32_t h = 0; h < 2; h++)
            for (int32_t d = 0; d < dim; d++) {
              const uint8_t* head = blocks[0].data() + layout.layer_offset + h * layout.head_bytes();
              const double k = decoded(dtype, head + ((slot / 16 * dim + d) * 16 + slot % 16) * element);
              const double v = decoded(dtype, head + (dim * block_size + slot * dim + d) * element);
              for (const auto& [stored, source] : {std::pair{k, key[h * dim + d]}, {v, value[h * dim + d]}}) {
                const double exact = dtype == KvDtype::f32 ? source : dtype == KvDtype::f16 ? rounded(source, 11, -24, 65504) : rounded(source, 8, -133, 3.3895313892515355e38);
                CHECK(stored == exact || (std::isnan(stored) && std::isnan(exact)), "dtype %d dim %d: %g stored as %g, expected %g", static_cast<int>(dtype), dim, static_cast<double>(source), stored, exact);
              }
            }
        }
        for (const auto& block : blocks) {
          CHECK(block == blocks[0], "paths differ, dtype %d dim %d", static_cast<int>(dtype), dim);
          for (int i = 0; i < 192; i++) CHECK(block[i] == 0xee, "wrote before the layer");
          for (size_t i = block.size() - 64; i < block.size(); i++) CHECK(block[i] == 0xee, "wrote after the layer");
        }
      }
}

}  // namespace
}  // namespace kvasir::test

int main() {
  using namespace kvasir::test;
  return run_all("ops elementwise", {{"fused multiply-add in plain C++", fused_multiply_add}, {"rms_norm", norms}, {"rope", ropes}, {"gated_activation", activations}, {"softcap and add", softcaps_and_adds}, {"kv_write", kv_writes}});
}
