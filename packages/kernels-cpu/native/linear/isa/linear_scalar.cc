// Flags: -O3 -ffp-contract=off
//
// The portable path: plain C++, any architecture. It states what the vector paths compute.
#include <string.h>

#include "../encoding.h"
#include "../kernels.h"

namespace kvasir {
namespace {

constexpr int kPanel = 16;
constexpr int kSteps = 8;

float load_f16(const uint8_t* bytes) { return f16_to_f32(load_u16(bytes)); }

// Compilers map these to whatever vectors the target has.
typedef int16_t Short8 __attribute__((vector_size(16)));
typedef uint8_t Byte8 __attribute__((vector_size(8)));

Short8 widen(const uint8_t* bytes) {
  Byte8 narrow;
  memcpy(&narrow, bytes, 8);
  return __builtin_convertvector(narrow, Short8);
}

// Codes of one (group, panel) as [step][output][4], eight vectors a step, and its scales.
struct Group {
  Short8 codes[kSteps * 8];
  float scale[2][kPanel];  // two halves; equal but for Q6_K
  float minimum[kPanel];
};

struct Location {
  const uint8_t* header;
  const uint8_t* codes;
  const uint8_t* high;
  const uint8_t* scales;
};

template <Codec C>
void unpack_codes(const Location& from, Short8* codes) {
  constexpr int kBits = traits(C).bits;
  for (int v = 0; v < kSteps * 8; ++v) {
    const int step = v / 8, part = v % 8;
    if constexpr (kBits == 8) {
      codes[v] = widen(from.codes + 8 * v) - 128;
    } else {
      const Short8 raw = widen(from.codes + 64 * (step / 2) + 8 * part);
      codes[v] = step % 2 == 0 ? raw & 15 : raw >> 4;
      if constexpr (kBits == 5) {
        const Short8 bit = {1, 2, 4, 8, 16, 32, 64, 128};
        codes[v] |= ((bit & from.high[v]) != 0) & 16;
      }
      if constexpr (kBits == 6) codes[v] |= ((widen(from.high + 64 * (step / 4) + 8 * part) >> (2 * (step % 4))) & 3) << 4;
    }
  }
}

template <Codec C>
void unpack_scales(const Location& from, int j, Group* group) {
  for (int n = 0; n < kPanel; ++n) {
    if constexpr (C == Codec::u4_super || C == Codec::u5_super) {
      uint8_t packed[12];
      for (int word = 0; word < 3; ++word) memcpy(packed + 4 * word, from.header + 64 * word + 4 * n, 4);
      int32_t scale, minimum;
      read_super_scale(packed, j, &scale, &minimum);
      group->scale[0][n] = load_f16(from.header + 192 + 2 * n) * static_cast<float>(scale);
      group->minimum[n] = -(load_f16(from.header + 224 + 2 * n) * static_cast<float>(minimum));
    } else if constexpr (C == Codec::u6_super) {
      const float d = load_f16(from.header + 2 * n);
      for (int half = 0; half < 2; ++half) group->scale[half][n] = d * static_cast<float>(static_cast<int8_t>(from.scales[16 * half + n]));
    } else {
      group->scale[0][n] = load_f16(from.scales + 2 * n);
      if constexpr (traits(C).has_minimum) group->minimum[n] = load_f16(from.scales + 32 + 2 * n);
    }
  }
}

// Adds codes * q over steps [begin, end) to dot. A lane sums one product a step in int16, so at most
// 4 bits: 8 * 15 * 127, 5 bits: 8 * 31 * 127, 6 bits: 4 * 63 * 127, 8 bits: 2 * 128 * 127, all below 2^15.
void dot_steps(const Short8* codes, const int8_t* q, int begin, int end, int32_t dot[kPanel]) {
  Short8 sums[8] = {};
  for (int s = begin; s < end; ++s) {
    const int8_t* a = q + 4 * s;
    const Short8 quad = {a[0], a[1], a[2], a[3], a[0], a[1], a[2], a[3]};
    for (int v = 0; v < 8; ++v) sums[v] += codes[8 * s + v] * quad;
  }
  for (int v = 0; v < 8; ++v) {
    dot[2 * v] += sums[v][0] + sums[v][1] + sums[v][2] + sums[v][3];
    dot[2 * v + 1] += sums[v][4] + sums[v][5] + sums[v][6] + sums[v][7];
  }
}

// c[n] = a[n] * b[n] + c[n] with one rounding. Without an instruction for it: the product of two floats is exact in double, and a
// sum rounded to odd at 53 bits rounds to 24 bits as the exact sum would (Boldo and Melquiond, "Emulation of FMA and correctly
// rounded sums: proved algorithms using rounding to odd").
#if defined(__FP_FAST_FMAF)
void fuse(const float* a, const float* b, float* c) {
  for (int n = 0; n < kPanel; ++n) c[n] = __builtin_fmaf(a[n], b[n], c[n]);
}
#else
typedef double Double2 __attribute__((vector_size(16)));
typedef int64_t Long2 __attribute__((vector_size(16)));

Double2 load2(const float* p) { return Double2{p[0], p[1]}; }

void fuse(const float* a, const float* b, float* c) {
  for (int n = 0; n < kPanel; n += 2) {
    const Double2 product = load2(a + n) * load2(b + n);
    const Double2 addend = load2(c + n);
    const Double2 sum = product + addend;
    const Double2 back = sum - product;
    const Double2 error = (product - (sum - back)) + (addend - back);
    const Long2 above = error > 0, below = error < 0;  // neither where the sum is exact, infinite or NaN
    const auto bits = reinterpret_cast<Long2>(sum);
    const Long2 toward_error = (above ^ (sum > 0)) | 1;
    const Long2 is_even_and_inexact = (above | below) & ~bits & 1;
    const auto odd = reinterpret_cast<Double2>(bits + (toward_error & -is_even_and_inexact));
    c[n] = static_cast<float>(odd[0]);
    c[n + 1] = static_cast<float>(odd[1]);
  }
}
#endif

template <Codec C>
void accumulate(const Group& group, const ActivationBlock& a, float sum[kPanel]) {
  constexpr CodecTraits t = traits(C);
  constexpr int kChunk = t.bits == 8 ? 2 : t.bits == 6 ? 4 : 8;
  constexpr int32_t kZero = t.bits == 8 ? 0 : t.zero;  // 8-bit codes were made signed
  constexpr int kParts = C == Codec::u6_super ? 2 : 1;
  for (int part = 0; part < kParts; ++part) {
    const int end = kSteps / kParts * (part + 1);
    const int32_t q_sum = kParts == 1 ? a.sum : part == 0 ? a.low_sum : a.sum - a.low_sum;
    int32_t dot[kPanel] = {};
    for (int s = kSteps / kParts * part; s < end; s += kChunk) dot_steps(group.codes, a.q, s, s + kChunk, dot);
    float value[kPanel], scale[kPanel];
    for (int n = 0; n < kPanel; ++n) {
      value[n] = static_cast<float>(dot[n] - kZero * q_sum);
      scale[n] = group.scale[part][n] * a.scale;
    }
    fuse(value, scale, sum);
    if constexpr (t.has_minimum) {
      for (float& n : value) n = a.scaled_sum;
      fuse(group.minimum, value, sum);
    }
  }
}

int valid_columns(const StripCall& c, int p) {
  const int64_t left = c.columns - p * kPanel;
  return static_cast<int>(left < kPanel ? left : kPanel);
}

template <Codec C>
void integer_kernel(const StripCall& c) {
  constexpr CodecTraits t = traits(C);
  constexpr int kRows = 8;
  for (int p = 0; p < c.num_panels; ++p) {
    const int panel = c.first_panel + p;
    for (int64_t row = 0; row < c.rows; row += kRows) {
      const int rows = static_cast<int>(c.rows - row < kRows ? c.rows - row : kRows);
      float sum[kRows][kPanel] = {};
      const uint8_t* position = c.strip;
      for (int64_t block = 0; block < c.depth; ++block) {
        const uint8_t* header = position + panel * t.header_bytes;
        position += c.strip_panels * t.header_bytes;
        for (int j = 0; j < t.groups_per_block; ++j) {
          const uint8_t* high = position + c.strip_panels * t.code_bytes;
          const uint8_t* scales = high + c.strip_panels * t.high_bytes;
          const Location from = {header, position + panel * t.code_bytes, high + panel * t.high_bytes, scales + panel * t.scale_bytes};
          Group group;
          unpack_codes<C>(from, group.codes);
          unpack_scales<C>(from, j, &group);
          for (int r = 0; r < rows; ++r) {
            const uint8_t* a = c.activations + static_cast<size_t>(row + r) * c.activation_stride;
            accumulate<C>(group, reinterpret_cast<const ActivationBlock*>(a)[block * t.groups_per_block + j], sum[r]);
          }
          position += c.strip_panels * group_bytes(C);
        }
      }
      for (int r = 0; r < rows; ++r) {
        memcpy(c.out + (row + r) * c.out_stride + p * kPanel, sum[r], sizeof(float) * static_cast<size_t>(valid_columns(c, p)));
      }
    }
  }
}

void f32_kernel(const StripCall& c) {
  for (int64_t row = 0; row < c.rows; ++row) {
    const auto* x = reinterpret_cast<const float*>(c.activations + static_cast<size_t>(row) * c.activation_stride);
    for (int p = 0; p < c.num_panels; ++p) {
      const auto* w = reinterpret_cast<const float*>(c.strip) + (c.first_panel + p) * kPanel;
      float sum[kPanel] = {};
      for (int64_t k = 0; k < c.depth; ++k, w += c.strip_panels * kPanel) {
        float value[kPanel];
        for (float& n : value) n = x[k];
        fuse(w, value, sum);
      }
      memcpy(c.out + row * c.out_stride + p * kPanel, sum, sizeof(float) * static_cast<size_t>(valid_columns(c, p)));
    }
  }
}

void prepare_group(const float* x, int64_t count, ActivationBlock* out) {
  int32_t absmax_bits = 0;
  for (int64_t i = 0; i < count; ++i) {
    int32_t bits;
    memcpy(&bits, x + i, 4);
    bits &= 0x7fffffff;
    if (bits > absmax_bits) absmax_bits = bits;
  }
  memset(out, 0, sizeof *out);
  if (absmax_bits < kSmallestAbsmaxBits) return;
  if (absmax_bits >= kInfinityBits) {
    out->scale = out->scaled_sum = __builtin_nanf("");
    return;
  }
  float absmax;
  memcpy(&absmax, &absmax_bits, 4);
  const float inverse = 127.0f / absmax;
  for (int64_t i = 0; i < count; ++i) {
    // Adding 1.5 * 2^23 leaves the nearest integer (ties to even) in the low bits.
    const float shifted = x[i] * inverse + 0x1.8p23f;
    int32_t bits;
    memcpy(&bits, &shifted, 4);
    const int32_t q = bits - 0x4b400000;
    out->q[i] = static_cast<int8_t>(q);
    out->sum += q;
    if (i < 16) out->low_sum += q;
  }
  out->scale = absmax / 127.0f;
  out->scaled_sum = out->scale * static_cast<float>(out->sum);
}

void prepare_int8(const float* x, int64_t k, ActivationBlock* out) {
  for (int64_t i = 0; i < k; i += 32) prepare_group(x + i, k - i < 32 ? k - i : 32, out++);
}

}  // namespace

const LinearKernels kScalarLinear = {
    "scalar",
    {integer_kernel<Codec::u4_zero>, integer_kernel<Codec::u4_min>, integer_kernel<Codec::u4_super>, integer_kernel<Codec::u5_zero>,
     integer_kernel<Codec::u5_min>, integer_kernel<Codec::u5_super>, integer_kernel<Codec::u6_super>, integer_kernel<Codec::u8_zero>},
    f32_kernel,
    nullptr,
    prepare_int8,
};

}  // namespace kvasir
