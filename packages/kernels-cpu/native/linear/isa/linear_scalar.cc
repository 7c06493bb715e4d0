// Flags: -O3 -ffp-contract=off
//
// The portable path: plain C++, any architecture. It states what the vector paths compute.
#include <math.h>
#include <string.h>

#include "../encoding.h"
#include "../kernels.h"

namespace kvasir {
namespace {

constexpr int kPanel = 16;
constexpr int kSteps = 8;

float load_f16(const uint8_t* bytes) { return f16_to_f32(load_u16(bytes)); }

// Codes of one (group, panel) as [step][output][4], and its scales.
struct Group {
  uint8_t codes[kSteps * 64];
  float scale[2][kPanel];  // two halves; equal but for Q6_K
  float minimum[kPanel];
};

struct Location {
  const uint8_t* header;
  const uint8_t* codes;
  const uint8_t* high;
  const uint8_t* scales;
};

void unpack_codes(const CodecTraits& t, const Location& from, uint8_t* codes) {
  if (t.bits == 8) {
    memcpy(codes, from.codes, 512);
    return;
  }
  for (int i = 0; i < kSteps / 2; ++i) {
    for (int b = 0; b < 64; ++b) {
      codes[128 * i + b] = from.codes[64 * i + b] & 15;
      codes[128 * i + 64 + b] = from.codes[64 * i + b] >> 4;
    }
  }
  if (t.bits == 5) {
    for (int b = 0; b < 512; ++b) codes[b] |= static_cast<uint8_t>(((from.high[b / 8] >> (b % 8)) & 1) << 4);
  }
  if (t.bits == 6) {
    for (int s = 0; s < kSteps; ++s) {
      for (int b = 0; b < 64; ++b) codes[64 * s + b] |= static_cast<uint8_t>(((from.high[64 * (s / 4) + b] >> (2 * (s % 4))) & 3) << 4);
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

// Sum of codes * q over steps [begin, end).
void dot_steps(const uint8_t* codes, const int8_t* q, int begin, int end, int32_t dot[kPanel]) {
  for (int s = begin; s < end; ++s) {
    for (int n = 0; n < kPanel; ++n) {
      const uint8_t* u = codes + 64 * s + 4 * n;
      const int8_t* a = q + 4 * s;
      dot[n] += u[0] * a[0] + u[1] * a[1] + u[2] * a[2] + u[3] * a[3];
    }
  }
}

template <Codec C>
void accumulate(const Group& group, const ActivationBlock& a, float sum[kPanel]) {
  constexpr CodecTraits t = traits(C);
  if constexpr (C == Codec::u6_super) {
    const int32_t half_sum[2] = {a.low_sum, a.sum - a.low_sum};
    for (int half = 0; half < 2; ++half) {
      int32_t dot[kPanel] = {};
      dot_steps(group.codes, a.q, 4 * half, 4 * half + 4, dot);
      for (int n = 0; n < kPanel; ++n) {
        sum[n] = fmaf(static_cast<float>(dot[n] - t.zero * half_sum[half]), group.scale[half][n] * a.scale, sum[n]);
      }
    }
  } else {
    int32_t dot[kPanel] = {};
    dot_steps(group.codes, a.q, 0, kSteps, dot);
    for (int n = 0; n < kPanel; ++n) {
      sum[n] = fmaf(static_cast<float>(dot[n] - t.zero * a.sum), group.scale[0][n] * a.scale, sum[n]);
      if constexpr (t.has_minimum) sum[n] = fmaf(group.minimum[n], a.scaled_sum, sum[n]);
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
          unpack_codes(t, from, group.codes);
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
        for (int n = 0; n < kPanel; ++n) sum[n] = fmaf(w[n], x[k], sum[n]);
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
