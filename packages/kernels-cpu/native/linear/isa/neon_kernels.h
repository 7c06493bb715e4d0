// The linear kernels of the NEON paths, in quarter panels of 4 outputs: 16 bytes of a vector of codes are 4 outputs x 4 values of k.
// Included once by each unit, which defines how codes are multiplied before it:
//
//   struct Products {
//     static constexpr bool kShifted;  // takes codes times 2^fraction(codec): some unpack with fewer instructions that way
//     static constexpr int tile_quarters(Codec codec, int rows);  // width of a tile of 1, 2, 3, 4 or 8 rows: all of it in registers
//     // dot[r][h] = exact sum of signed codes times a.q over the group, or over its half `part` for Q6_K
//     template <Codec C, int R, int Q> static void dot(const Codes& from, const Rows<R>& rows, int part, int32x4_t (&dot)[R][Q]);
//   };
//
// Codes become signed numbers, code - zero, on unpacking: one instruction or none for all rows of a tile.
#pragma once
#include <arm_neon.h>

#include "../kernels.h"

namespace kvasir {
namespace {

#define KVASIR_INLINE inline __attribute__((always_inline))

// First codes of a group (and their high bits) in the first panel of a tile, and the quarter of that panel that the tile begins with.
struct Codes {
  const uint8_t* codes;
  const uint8_t* high;
  int quarter;
};

// Steps 2i and 2i + 1 (four k each) of four outputs.
struct StepPair {
  int8x16_t even, odd;
};

// log2 of what shifted codes are multiplied by. Below 2^24 in any sum, so that dividing the float by it is exact.
constexpr int fraction(Codec codec) { return codec == Codec::u4_zero ? 4 : codec == Codec::u6_super ? 2 : 0; }

KVASIR_INLINE uint8x16_t fifth_bits(const uint8_t* high) {
  // Byte b of the result is bit b of the 16: two bytes spread over eight each.
  const uint8x16_t spread = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
  return vqtbl1q_u8(vreinterpretq_u8_u16(vld1q_dup_u16(reinterpret_cast<const uint16_t*>(high))), spread);
}

// Pair I of quarter `h` of the tile.
template <Codec C, int I, bool Shifted>
KVASIR_INLINE StepPair unpack(const Codes& from, int h) {
  constexpr CodecTraits T = traits(C);
  const int panel = (from.quarter + h) / 4, quarter = (from.quarter + h) % 4;
  const uint8_t* codes = from.codes + panel * T.code_bytes + 16 * quarter;
  const uint8_t* high = from.high + panel * T.high_bytes;
  if constexpr (T.bits == 8) {
    const uint8x16_t sign = vdupq_n_u8(0x80);
    return {vreinterpretq_s8_u8(veorq_u8(vld1q_u8(codes + 128 * I), sign)), vreinterpretq_s8_u8(veorq_u8(vld1q_u8(codes + 128 * I + 64), sign))};
  } else {
    const uint8x16_t raw = vld1q_u8(codes + 64 * I);
    if constexpr (C == Codec::u4_zero) {
      // Flipping the top bit of a nibble makes it the two's complement of code - 8.
      const uint8x16_t flipped = veorq_u8(raw, vdupq_n_u8(0x88));
      const auto even = vreinterpretq_s8_u8(vshlq_n_u8(flipped, 4));
      if constexpr (Shifted) return {even, vreinterpretq_s8_u8(vandq_u8(flipped, vdupq_n_u8(0xf0)))};
      return {vshrq_n_s8(even, 4), vshrq_n_s8(vreinterpretq_s8_u8(flipped), 4)};
    } else if constexpr (T.bits == 4) {
      return {vreinterpretq_s8_u8(vandq_u8(raw, vdupq_n_u8(15))), vreinterpretq_s8_u8(vshrq_n_u8(raw, 4))};
    } else if constexpr (T.bits == 5) {
      const uint8x16_t bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
      const uint8x16_t even = fifth_bits(high + 16 * I + 2 * quarter), odd = fifth_bits(high + 16 * I + 8 + 2 * quarter);
      if constexpr (C == Codec::u5_zero) {
        // code - 16 is the nibble below sixteens' complement: all ones where the fifth bit is clear.
        const uint8x16_t even_clear = vceqzq_u8(vandq_u8(even, bit)), odd_clear = vceqzq_u8(vandq_u8(odd, bit));
        return {vreinterpretq_s8_u8(vsliq_n_u8(raw, even_clear, 4)), vreinterpretq_s8_u8(vsliq_n_u8(vshrq_n_u8(raw, 4), odd_clear, 4))};
      } else {
        const uint8x16_t even_set = vshrq_n_u8(vtstq_u8(even, bit), 7), odd_set = vshrq_n_u8(vtstq_u8(odd, bit), 7);
        return {vreinterpretq_s8_u8(vsliq_n_u8(raw, even_set, 4)), vreinterpretq_s8_u8(vsliq_n_u8(vshrq_n_u8(raw, 4), odd_set, 4))};
      }
    } else {
      // Flipping the top bit of a pair makes the six the two's complement of code - 32; they go to the top of a byte.
      const uint8x16_t pairs = veorq_u8(vld1q_u8(high + 64 * (I / 2) + 16 * quarter), vdupq_n_u8(0xaa));
      const uint8x16_t even_top = I % 2 == 0 ? vshlq_n_u8(pairs, 6) : vshlq_n_u8(pairs, 2), odd_top = I % 2 == 0 ? vshlq_n_u8(pairs, 4) : pairs;
      const auto even = vreinterpretq_s8_u8(vsriq_n_u8(even_top, vshlq_n_u8(raw, 4), 2));
      const auto odd = vreinterpretq_s8_u8(vsriq_n_u8(odd_top, vandq_u8(raw, vdupq_n_u8(0xf0)), 2));
      if constexpr (Shifted) return {even, odd};
      return {vshrq_n_s8(even, 2), vshrq_n_s8(odd, 2)};
    }
  }
}

// Keeps a pointer in its register: GCC would otherwise keep an address for each use, or what can be read through it, and spill them.
template <class T>
KVASIR_INLINE void pin(const T*& pointer) { asm("" : "+r"(pointer)); }

// The current block of each row of a tile.
template <int R>
struct Rows {
  const ActivationBlock* block[R];

  KVASIR_INLINE Rows(const StripCall& c, int64_t row) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) block[r] = reinterpret_cast<const ActivationBlock*>(c.activations + static_cast<size_t>(row + r) * c.activation_stride);
  }
  KVASIR_INLINE void advance() {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) pin(++block[r]);
  }
};

KVASIR_INLINE float32x4_t load_f16x4(const uint8_t* p) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(reinterpret_cast<const uint16_t*>(p))));
}

// Scales and minimums of a tile's outputs in the eight groups of a Q4_K or Q5_K block.
template <int Q>
struct SuperScales {
  float scale[8][4 * Q];
  float minimum[8][4 * Q];
};

KVASIR_INLINE uint32x4_t header_word(const uint8_t* words, int index) { return vld1q_u32(reinterpret_cast<const uint32_t*>(words + 64 * index)); }

// From the file's 12 bytes an output, kept as three words; `output`: first of the four within the panel.
template <int Q>
KVASIR_INLINE void read_super_scales(const uint8_t* header, int output, int h, SuperScales<Q>* out) {
  const float32x4_t d = load_f16x4(header + 192 + 2 * output), negative = vnegq_f32(load_f16x4(header + 224 + 2 * output));
  const uint8_t* words = header + 4 * output;
  uint32x4_t scales = header_word(words, 0), minimums = header_word(words, 1), low = header_word(words, 2);
  for (int j = 0; j < 4; ++j) {
    const uint32x4_t six = vdupq_n_u32(63), four = vdupq_n_u32(15), top = vdupq_n_u32(48);
    vst1q_f32(out->scale[j] + 4 * h, vmulq_f32(d, vcvtq_f32_u32(vandq_u32(scales, six))));
    vst1q_f32(out->minimum[j] + 4 * h, vmulq_f32(negative, vcvtq_f32_u32(vandq_u32(minimums, six))));
    const uint32x4_t scale = vorrq_u32(vandq_u32(low, four), vandq_u32(vshrq_n_u32(scales, 2), top));
    const uint32x4_t minimum = vorrq_u32(vandq_u32(vshrq_n_u32(low, 4), four), vandq_u32(vshrq_n_u32(minimums, 2), top));
    vst1q_f32(out->scale[j + 4] + 4 * h, vmulq_f32(d, vcvtq_f32_u32(scale)));
    vst1q_f32(out->minimum[j + 4] + 4 * h, vmulq_f32(negative, vcvtq_f32_u32(minimum)));
    scales = vshrq_n_u32(scales, 8);
    minimums = vshrq_n_u32(minimums, 8);
    low = vshrq_n_u32(low, 8);
  }
}

struct Scales {
  float32x4_t scale;
  float32x4_t minimum;
};

// `part` 1 is the upper half of a Q6_K group. `output`: first of the four within the panel.
template <Codec C>
KVASIR_INLINE Scales read_scales(const uint8_t* header, const uint8_t* scales, int part, int output) {
  if constexpr (C == Codec::u6_super) {
    const int8x8_t packed = vreinterpret_s8_s32(vld1_dup_s32(reinterpret_cast<const int32_t*>(scales + 16 * part + output)));
    const int32x4_t integers = vmovl_s16(vget_low_s16(vmovl_s8(packed)));
    return {vmulq_f32(load_f16x4(header + 2 * output), vcvtq_f32_s32(integers)), vdupq_n_f32(0)};
  } else {
    return {load_f16x4(scales + 2 * output), traits(C).has_minimum ? load_f16x4(scales + 32 + 2 * output) : vdupq_n_f32(0)};
  }
}

// Writes 4 outputs, or those that are left of the last panel.
KVASIR_INLINE void store(float* out, int64_t left, float32x4_t value) {
  if (left >= 4) return vst1q_f32(out, value);
  if (left > 0) vst1q_lane_f32(out, value, 0);
  if (left > 1) vst1q_lane_f32(out + 1, value, 1);
  if (left > 2) vst1q_lane_f32(out + 2, value, 2);
}

template <int R, int Q>
KVASIR_INLINE void store_tile(const StripCall& c, int quarter, int64_t row, const float32x4_t (&sums)[R][Q]) {
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int h = 0; h < Q; ++h) {
      const int64_t column = 4 * (quarter + h);
      store(c.out + (row + r) * c.out_stride + column, c.columns - column, sums[r][h]);
    }
  }
}

template <class Products, Codec C, int R, int Q>
__attribute__((noinline)) void integer_tile(const StripCall& c, int quarter, int64_t row) {
  constexpr CodecTraits T = traits(C);
  constexpr int kParts = C == Codec::u6_super ? 2 : 1;
  constexpr int kFraction = Products::kShifted ? fraction(C) : 0;
  constexpr bool kHasTable = T.header_bytes == 256;
  const int64_t width = c.strip_panels;
  const int at = c.first_panel + quarter / 4;
  const int first = Q % 4 == 0 ? 0 : quarter % 4;
  const uint8_t* header = c.strip + at * T.header_bytes;
  const uint8_t* codes = c.strip + width * T.header_bytes + at * T.code_bytes;
  const int64_t high_offset = width * T.code_bytes + at * (T.high_bytes - T.code_bytes);
  const int64_t scales_offset = width * (T.code_bytes + T.high_bytes) + at * (T.scale_bytes - T.code_bytes);
  Rows<R> rows(c, row);
  SuperScales<kHasTable ? Q : 1> table;

  float32x4_t sums[R][Q];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int h = 0; h < Q; ++h) sums[r][h] = vdupq_n_f32(0);
  }
  for (int64_t block = 0; block < c.depth; ++block) {
    if constexpr (kHasTable) {
      for (int h = 0; h < Q; ++h) read_super_scales<Q>(header + (first + h) / 4 * T.header_bytes, 4 * ((first + h) % 4), h, &table);
    }
    for (int j = 0; j < T.groups_per_block; ++j) {
      const Codes from = {codes, codes + high_offset, first};
      const uint8_t* scales = codes + scales_offset;
#pragma GCC unroll 2
      for (int part = 0; part < kParts; ++part) {
        int32x4_t dot[R][Q];
        Products::template dot<C, R, Q>(from, rows, part, dot);
        pin(header);
#pragma GCC unroll 16
        for (int h = 0; h < Q; ++h) {
          Scales s;
          if constexpr (kHasTable) {
            s = {vld1q_f32(table.scale[j] + 4 * h), vld1q_f32(table.minimum[j] + 4 * h)};
          } else {
            const int panel = (first + h) / 4, output = 4 * ((first + h) % 4);
            s = read_scales<C>(header + panel * T.header_bytes, scales + panel * T.scale_bytes, part, output);
          }
#pragma GCC unroll 16
          for (int r = 0; r < R; ++r) {
            const float32x2_t factors = vld1_f32(&rows.block[r]->scale);  // scale, scaled_sum
            float32x4_t value;
            if constexpr (kFraction == 0) {
              value = vcvtq_f32_s32(dot[r][h]);
            } else {
              value = vcvtq_n_f32_s32(dot[r][h], kFraction);
            }
            sums[r][h] = vfmaq_f32(sums[r][h], value, vmulq_lane_f32(s.scale, factors, 0));
            if constexpr (T.has_minimum) sums[r][h] = vfmaq_lane_f32(sums[r][h], s.minimum, factors, 1);
          }
        }
      }
      codes += width * group_bytes(C);
      rows.advance();
    }
    codes += width * T.header_bytes;
    header += width * block_bytes(C);
  }
  store_tile<R, Q>(c, quarter, row, sums);
}

template <class Products, Codec C, int R>
KVASIR_INLINE void integer_rows(const StripCall& c, int64_t row) {
  constexpr int Q = Products::tile_quarters(C, R);
  const int quarters = 4 * c.num_panels;
  int quarter = 0;
  for (; quarter + Q <= quarters; quarter += Q) integer_tile<Products, C, R, Q>(c, quarter, row);
  if constexpr (Q == 8) {
    if (quarter < quarters) integer_tile<Products, C, R, 4>(c, quarter, row);
  }
}

template <class Products, Codec C>
void integer_kernel(const StripCall& c) {
  int64_t row = 0;
  for (; row + 8 <= c.rows; row += 8) integer_rows<Products, C, 8>(c, row);
  for (; row + 4 <= c.rows; row += 4) integer_rows<Products, C, 4>(c, row);
  switch (c.rows - row) {
    case 3: return integer_rows<Products, C, 3>(c, row);
    case 2: return integer_rows<Products, C, 2>(c, row);
    case 1: return integer_rows<Products, C, 1>(c, row);
    default: return;
  }
}

template <int R, int Q, int K>
KVASIR_INLINE void f32_step(const float* w, const float32x4_t (&x)[R], float32x4_t (&sums)[R][Q]) {
  float32x4_t weight[Q];
#pragma GCC unroll 16
  for (int h = 0; h < Q; ++h) weight[h] = vld1q_f32(w + 4 * h);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int h = 0; h < Q; ++h) sums[r][h] = vfmaq_laneq_f32(sums[r][h], weight[h], x[r], K);
  }
}

template <int R, int Q>
__attribute__((noinline)) void f32_tile(const StripCall& c, int quarter, int64_t row) {
  const size_t stride = c.activation_stride / 4;
  const float* x = reinterpret_cast<const float*>(c.activations) + static_cast<size_t>(row) * stride;
  const float* w = reinterpret_cast<const float*>(c.strip) + 16 * c.first_panel + 4 * quarter;
  const int64_t width = 16 * c.strip_panels;
  float32x4_t sums[R][Q];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int h = 0; h < Q; ++h) sums[r][h] = vdupq_n_f32(0);
  }
  float32x4_t values[R];
  int64_t k = 0;
  for (; k + 4 <= c.depth; k += 4) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) values[r] = vld1q_f32(x + static_cast<size_t>(r) * stride + k);
    f32_step<R, Q, 0>(w, values, sums);
    f32_step<R, Q, 1>(w + width, values, sums);
    f32_step<R, Q, 2>(w + 2 * width, values, sums);
    f32_step<R, Q, 3>(w + 3 * width, values, sums);
    w += 4 * width;
  }
  for (; k < c.depth; ++k, w += width) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) values[r] = vld1q_dup_f32(x + static_cast<size_t>(r) * stride + k);
    f32_step<R, Q, 0>(w, values, sums);
  }
  store_tile<R, Q>(c, quarter, row, sums);
}

template <int R, int Q>
KVASIR_INLINE void f32_rows(const StripCall& c, int64_t row) {
  const int quarters = 4 * c.num_panels;
  int quarter = 0;
  for (; quarter + Q <= quarters; quarter += Q) f32_tile<R, Q>(c, quarter, row);
  for (; quarter < quarters; quarter += 4) f32_tile<R, 4>(c, quarter, row);
}

void f32_kernel(const StripCall& c) {
  int64_t row = 0;
  for (; row + 4 <= c.rows; row += 4) f32_rows<4, 4>(c, row);
  for (; row + 2 <= c.rows; row += 2) f32_rows<2, 8>(c, row);
  if (row < c.rows) f32_rows<1, 16>(c, row);
}

// See prepare_group of the scalar path for the definition.
void prepare_group(const float* x, ActivationBlock* out) {
  float32x4_t values[8];
  uint32x4_t absmax_lanes = vdupq_n_u32(0);
  for (int i = 0; i < 8; ++i) {
    values[i] = vld1q_f32(x + 4 * i);
    absmax_lanes = vmaxq_u32(absmax_lanes, vandq_u32(vreinterpretq_u32_f32(values[i]), vdupq_n_u32(0x7fffffff)));
  }
  const auto absmax_bits = static_cast<int32_t>(vmaxvq_u32(absmax_lanes));
  if (absmax_bits < kSmallestAbsmaxBits || absmax_bits >= kInfinityBits) {
    vst1q_s8(out->q, vdupq_n_s8(0));
    vst1q_s8(out->q + 16, vdupq_n_s8(0));
    out->scale = out->scaled_sum = absmax_bits >= kInfinityBits ? __builtin_nanf("") : 0.0f;
    out->sum = out->low_sum = 0;
    return;
  }
  float absmax;
  __builtin_memcpy(&absmax, &absmax_bits, 4);
  const float inverse = 127.0f / absmax;
  int32x4_t q[8];
  for (int i = 0; i < 8; ++i) q[i] = vcvtnq_s32_f32(vmulq_n_f32(values[i], inverse));
  for (int i = 0; i < 2; ++i) {
    const int16x8_t low = vcombine_s16(vmovn_s32(q[4 * i]), vmovn_s32(q[4 * i + 1]));
    const int16x8_t high = vcombine_s16(vmovn_s32(q[4 * i + 2]), vmovn_s32(q[4 * i + 3]));
    vst1q_s8(out->q + 16 * i, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
  }
  const int32x4_t first = vaddq_s32(vaddq_s32(q[0], q[1]), vaddq_s32(q[2], q[3]));
  const int32x4_t last = vaddq_s32(vaddq_s32(q[4], q[5]), vaddq_s32(q[6], q[7]));
  out->scale = absmax / 127.0f;
  out->low_sum = vaddvq_s32(first);
  out->sum = vaddvq_s32(vaddq_s32(first, last));
  out->scaled_sum = out->scale * static_cast<float>(out->sum);
}

void prepare_int8(const float* x, int64_t k, ActivationBlock* out) {
  int64_t i = 0;
  for (; i + 32 <= k; i += 32) prepare_group(x + i, out++);
  if (i == k) return;
  float last[32] = {};
  for (int64_t j = i; j < k; ++j) last[j - i] = x[j];
  prepare_group(last, out);
}

template <class Products>
constexpr LinearKernels neon_kernels(const char* name) {
  return {
      name,
      {integer_kernel<Products, Codec::u4_zero>, integer_kernel<Products, Codec::u4_min>, integer_kernel<Products, Codec::u4_super>,
       integer_kernel<Products, Codec::u5_zero>, integer_kernel<Products, Codec::u5_min>, integer_kernel<Products, Codec::u5_super>,
       integer_kernel<Products, Codec::u6_super>, integer_kernel<Products, Codec::u8_zero>},
      f32_kernel,
      nullptr,
      prepare_int8,
  };
}

}  // namespace
}  // namespace kvasir
