// Flags: -O3 -ffp-contract=off -mavx2 -mfma -mf16c
//
// AVX2 without VNNI. Half panels of 8 outputs. vpmaddubsw adds pairs of products in int16, which must not saturate:
// a chunk is the number of steps (four k each) whose sums stay below 2^15 for these codes and |q| <= 127:
//   4 bits: 8 steps * 2 * 15 * 127 = 30480      5 bits: 4 * 2 * 31 * 127 = 31496      6 bits: 2 * 2 * 63 * 127 = 32004
//   8 bits: |w| * sign(q, w), w = code - 128, one step: 2 * 128 * 127 = 32512
#include <immintrin.h>

#include "../kernels.h"

namespace kvasir {
namespace {

#define KVASIR_INLINE inline __attribute__((always_inline))

KVASIR_INLINE __m256i load(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }

KVASIR_INLINE __m256 load_f16x8(const uint8_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }

KVASIR_INLINE __m256i broadcast_i32(const void* p) {
  int32_t value;
  __builtin_memcpy(&value, p, 4);
  return _mm256_set1_epi32(value);
}

// Keeps GCC from turning a chain of additions into a tree, whose leaves it would spill.
KVASIR_INLINE void pin(__m256i& x) { asm("" : "+x"(x)); }

constexpr int chunk_steps(int bits) { return bits == 4 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1; }

// Codes of step s (0..7) for 8 outputs.
template <Codec C>
KVASIR_INLINE __m256i unpack(const uint8_t* codes, const uint8_t* high, int half, int s) {
  constexpr int kBits = traits(C).bits;
  if constexpr (kBits == 8) {
    return _mm256_xor_si256(load(codes + 64 * s + 32 * half), _mm256_set1_epi8(-128));
  } else {
    const __m256i raw = load(codes + 64 * (s / 2) + 32 * half);
    __m256i value = _mm256_and_si256(s % 2 == 0 ? raw : _mm256_srli_epi16(raw, 4), _mm256_set1_epi8(15));
    if constexpr (kBits == 5) {
      // Byte b of the result tests bit b of the 32: spread the four bytes, then isolate bit b % 8.
      const __m256i spread = _mm256_setr_epi64x(0x0000000000000000, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
      const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201ull));
      const __m256i bytes = _mm256_shuffle_epi8(broadcast_i32(high + 8 * s + 4 * half), spread);
      const __m256i is_set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
      value = _mm256_or_si256(value, _mm256_and_si256(is_set, _mm256_set1_epi8(16)));
    }
    if constexpr (kBits == 6) {
      const __m256i pairs = load(high + 64 * (s / 4) + 32 * half);
      const int i = s % 4;
      const __m256i moved = i == 0 ? _mm256_slli_epi16(pairs, 4) : i == 1 ? _mm256_slli_epi16(pairs, 2) : i == 2 ? pairs : _mm256_srli_epi16(pairs, 2);
      value = _mm256_or_si256(value, _mm256_and_si256(moved, _mm256_set1_epi8(0x30)));
    }
    return value;
  }
}

template <Codec C>
KVASIR_INLINE __m256i products(__m256i codes, __m256i q) {
  if constexpr (traits(C).bits == 8) return _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(q, codes));
  return _mm256_maddubs_epi16(codes, q);
}

KVASIR_INLINE const ActivationBlock& activation(const uint8_t* a, size_t stride, int r) {
  return *reinterpret_cast<const ActivationBlock*>(a + static_cast<size_t>(r) * stride);
}

// Half panels [0, H) from `half` on: panel (half + h) / 2, its half (half + h) % 2.
template <Codec C, int R, int H>
KVASIR_INLINE void dot_steps(const uint8_t* codes, const uint8_t* high, int half, const uint8_t* a, size_t stride, int begin, int end, __m256i (&dot)[R][H]) {
  constexpr CodecTraits T = traits(C);
  constexpr int kChunk = chunk_steps(T.bits);
  const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 8
  for (int chunk = begin; chunk < end; chunk += kChunk) {
    __m256i partial[R][H];
#pragma GCC unroll 8
    for (int s = chunk; s < chunk + kChunk; ++s) {
      __m256i w[H];
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h) {
        const int panel = (half + h) / 2;
        w[h] = unpack<C>(codes + panel * T.code_bytes, high + panel * T.high_bytes, (half + h) % 2, s);
      }
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const __m256i q = broadcast_i32(activation(a, stride, r).q + 4 * s);
#pragma GCC unroll 4
        for (int h = 0; h < H; ++h) {
          const __m256i product = products<C>(w[h], q);
          partial[r][h] = s == chunk ? product : _mm256_add_epi16(partial[r][h], product);
          pin(partial[r][h]);
        }
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int h = 0; h < H; ++h) {
        dot[r][h] = _mm256_add_epi32(dot[r][h], _mm256_madd_epi16(partial[r][h], ones));
        pin(dot[r][h]);
      }
    }
  }
}

// -zero * (sum of q), or 0. Signed codes (8 bits here) need none.
template <Codec C>
KVASIR_INLINE __m256i start(const ActivationBlock& a, int part) {
  constexpr CodecTraits T = traits(C);
  if constexpr (T.zero == 0 || T.bits == 8) return _mm256_setzero_si256();
  int32_t sum = a.sum;
  if constexpr (C == Codec::u6_super) sum = part == 0 ? a.low_sum : a.sum - a.low_sum;
  return _mm256_set1_epi32(-T.zero * sum);
}

// Sub-scale (or minimum) j of eight outputs from the file's 12 bytes, kept as three words an output.
KVASIR_INLINE __m256 super_scale(const uint8_t* header, int j, bool minimum) {
  const int first = minimum ? 64 : 0;
  __m256i value;
  if (j < 4) {
    value = _mm256_and_si256(_mm256_srl_epi32(load(header + first), _mm_cvtsi32_si128(8 * j)), _mm256_set1_epi32(63));
  } else {
    const __m256i low = _mm256_srl_epi32(load(header + 128), _mm_cvtsi32_si128(8 * (j - 4) + (minimum ? 4 : 0)));
    const __m256i top = _mm256_srl_epi32(load(header + first), _mm_cvtsi32_si128(8 * (j - 4) + 6));
    value = _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi32(15)), _mm256_slli_epi32(_mm256_and_si256(top, _mm256_set1_epi32(3)), 4));
  }
  return _mm256_cvtepi32_ps(value);
}

struct Scales {
  __m256 scale;
  __m256 minimum;
};

// `part` 1 is the upper half of a Q6_K group. `offset` = 8 * half: first output within the panel.
template <Codec C>
KVASIR_INLINE Scales read_scales(const uint8_t* header, const uint8_t* scales, int j, int part, int offset) {
  if constexpr (traits(C).header_bytes == 256) {
    const __m256 negative = _mm256_xor_ps(load_f16x8(header + 224 + 2 * offset), _mm256_set1_ps(-0.0f));
    const uint8_t* words = header + 4 * offset;
    return {_mm256_mul_ps(load_f16x8(header + 192 + 2 * offset), super_scale(words, j, false)), _mm256_mul_ps(negative, super_scale(words, j, true))};
  } else if constexpr (C == Codec::u6_super) {
    const __m128i packed = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(scales + 16 * part + offset));
    return {_mm256_mul_ps(load_f16x8(header + 2 * offset), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(packed))), _mm256_setzero_ps()};
  } else {
    const __m256 minimum = traits(C).has_minimum ? load_f16x8(scales + 32 + 2 * offset) : _mm256_setzero_ps();
    return {load_f16x8(scales + 2 * offset), minimum};
  }
}

// Writes 8 outputs, or fewer in the last panel.
KVASIR_INLINE void store(float* out, int64_t left, __m256 value) {
  if (left >= 8) return _mm256_storeu_ps(out, value);
  if (left <= 0) return;
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  _mm256_maskstore_ps(out, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(left)), lane), value);
}

// Fetches what the half panels [0, H) from `half` on of a group have `distance` bytes further on; the even half does a panel's work.
template <Codec C, int H>
KVASIR_INLINE void prefetch_group(const uint8_t* codes, const uint8_t* high, const uint8_t* scales, int half, int64_t distance) {
  constexpr CodecTraits T = traits(C);
#pragma GCC unroll 4
  for (int h = 0; h < H; ++h) {
    if ((half + h) % 2 != 0) continue;
    const int panel = (half + h) / 2;
#pragma GCC unroll 8
    for (int line = 0; line < T.code_bytes; line += 64) {
      _mm_prefetch(reinterpret_cast<const char*>(codes + panel * T.code_bytes + distance + line), _MM_HINT_T0);
    }
#pragma GCC unroll 2
    for (int line = 0; line < T.high_bytes; line += 64) {
      _mm_prefetch(reinterpret_cast<const char*>(high + panel * T.high_bytes + distance + line), _MM_HINT_T0);
    }
    if (T.scale_bytes > 0) _mm_prefetch(reinterpret_cast<const char*>(scales + panel * T.scale_bytes + distance), _MM_HINT_T0);
  }
}

// kFetch: the tile fetches its part of the next strip on the way; the first rows of a call do.
template <Codec C, int R, int H, bool kFetch>
__attribute__((noinline)) void integer_tile(const StripCall& c, int half, int64_t row) {
  constexpr CodecTraits T = traits(C);
  constexpr int kParts = C == Codec::u6_super ? 2 : 1;
  const int64_t width = c.strip_panels;
  const size_t stride = c.activation_stride;
  const uint8_t* a = c.activations + static_cast<size_t>(row) * stride;
  const uint8_t* w = c.strip;
  const int at = c.first_panel + half / 2;
  const int first_half = half % 2;
  [[maybe_unused]] const int64_t distance = c.next - c.strip;

  __m256 sums[R][H];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int h = 0; h < H; ++h) sums[r][h] = _mm256_setzero_ps();
  }
  for (int64_t block = 0; block < c.depth; ++block) {
    const uint8_t* header = w + at * T.header_bytes;
    w += width * T.header_bytes;
    for (int j = 0; j < T.groups_per_block; ++j) {
      const uint8_t* codes = w + at * T.code_bytes;
      const uint8_t* high = w + width * T.code_bytes + at * T.high_bytes;
      const uint8_t* scales = w + width * (T.code_bytes + T.high_bytes) + at * T.scale_bytes;
      if constexpr (kFetch) prefetch_group<C, H>(codes, high, scales, first_half, distance);
      for (int part = 0; part < kParts; ++part) {
        __m256i dot[R][H];
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
          for (int h = 0; h < H; ++h) dot[r][h] = start<C>(activation(a, stride, r), part);
        }
        dot_steps<C, R, H>(codes, high, first_half, a, stride, 8 / kParts * part, 8 / kParts * (part + 1), dot);
#pragma GCC unroll 4
        for (int h = 0; h < H; ++h) {
          const int panel = (first_half + h) / 2;
          const int offset = 8 * ((first_half + h) % 2);
          const Scales s = read_scales<C>(header + panel * T.header_bytes, scales + panel * T.scale_bytes, j, part, offset);
#pragma GCC unroll 4
          for (int r = 0; r < R; ++r) {
            const ActivationBlock& block_of_row = activation(a, stride, r);
            const __m256 scale = _mm256_mul_ps(s.scale, _mm256_broadcast_ss(&block_of_row.scale));
            sums[r][h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[r][h]), scale, sums[r][h]);
            if constexpr (T.has_minimum) sums[r][h] = _mm256_fmadd_ps(s.minimum, _mm256_broadcast_ss(&block_of_row.scaled_sum), sums[r][h]);
          }
        }
      }
      w += width * group_bytes(C);
      a += sizeof(ActivationBlock);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int h = 0; h < H; ++h) {
      const int64_t column = 8 * (half + h);
      store(c.out + (row + r) * c.out_stride + column, c.columns - column, sums[r][h]);
    }
  }
}

template <Codec C, int R, bool kFetch>
void integer_rows(const StripCall& c, int64_t row) {
  // Wider than 16 registers hold for some codecs: their spills cost less than unpacking for fewer rows and outputs at a time.
  constexpr int kWide = R == 1 ? 4 : R == 2 ? 2 : 1;
  const int halves = 2 * c.num_panels;
  int half = 0;
  for (; half + kWide <= halves; half += kWide) integer_tile<C, R, kWide, kFetch>(c, half, row);
  if constexpr (kWide == 4) {
    if (half < halves) integer_tile<C, R, 2, kFetch>(c, half, row);
  }
}

template <Codec C, bool kFetch>
void integer_tail(const StripCall& c, int64_t row) {
  switch (c.rows - row) {
    case 3: return integer_rows<C, 3, kFetch>(c, row);
    case 2: return integer_rows<C, 2, kFetch>(c, row);
    case 1: return integer_rows<C, 1, kFetch>(c, row);
    default: return;
  }
}

template <Codec C>
void integer_kernel(const StripCall& c) {
  if (c.rows < 4) return c.next == nullptr ? integer_tail<C, false>(c, 0) : integer_tail<C, true>(c, 0);
  if (c.next == nullptr) integer_rows<C, 4, false>(c, 0);
  else integer_rows<C, 4, true>(c, 0);
  int64_t row = 4;
  for (; row + 4 <= c.rows; row += 4) integer_rows<C, 4, false>(c, row);
  integer_tail<C, false>(c, row);
}

template <int R, int H>
void f32_tile(const StripCall& c, int half, int64_t row) {
  const size_t stride = c.activation_stride / 4;
  const float* x = reinterpret_cast<const float*>(c.activations) + static_cast<size_t>(row) * stride;
  const float* w = reinterpret_cast<const float*>(c.strip) + 16 * c.first_panel + 8 * half;
  const int64_t width = 16 * c.strip_panels;
  __m256 sums[R][H];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int h = 0; h < H; ++h) sums[r][h] = _mm256_setzero_ps();
  }
  for (int64_t k = 0; k < c.depth; ++k, w += width) {
    __m256 weight[H];
#pragma GCC unroll 8
    for (int h = 0; h < H; ++h) weight[h] = _mm256_loadu_ps(w + 8 * h);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m256 value = _mm256_broadcast_ss(x + static_cast<size_t>(r) * stride + k);
#pragma GCC unroll 8
      for (int h = 0; h < H; ++h) sums[r][h] = _mm256_fmadd_ps(weight[h], value, sums[r][h]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int h = 0; h < H; ++h) {
      const int64_t column = 8 * (half + h);
      store(c.out + (row + r) * c.out_stride + column, c.columns - column, sums[r][h]);
    }
  }
}

template <int R, int H>
void f32_rows(const StripCall& c, int64_t row) {
  const int halves = 2 * c.num_panels;
  int half = 0;
  for (; half + H <= halves; half += H) f32_tile<R, H>(c, half, row);
  for (; half < halves; half += 2) f32_tile<R, 2>(c, half, row);
}

void f32_kernel(const StripCall& c) {
  int64_t row = 0;
  for (; row + 6 <= c.rows; row += 6) f32_rows<6, 2>(c, row);
  for (; row + 2 <= c.rows; row += 2) f32_rows<2, 4>(c, row);
  if (row < c.rows) f32_rows<1, 8>(c, row);
}

KVASIR_INLINE int32_t max_lane(__m256i x) {
  __m128i y = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  y = _mm_max_epi32(y, _mm_shuffle_epi32(y, 0x4e));
  return _mm_cvtsi128_si32(_mm_max_epi32(y, _mm_shuffle_epi32(y, 0xb1)));
}

KVASIR_INLINE int32_t add_lanes(__m256i x) {
  __m128i y = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  y = _mm_add_epi32(y, _mm_shuffle_epi32(y, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(y, _mm_shuffle_epi32(y, 0xb1)));
}

// See prepare_group of the scalar path for the definition.
void prepare_group(const float* x, ActivationBlock* out) {
  __m256 values[4];
  __m256i absmax_lanes = _mm256_setzero_si256();
  for (int i = 0; i < 4; ++i) {
    values[i] = _mm256_loadu_ps(x + 8 * i);
    absmax_lanes = _mm256_max_epi32(absmax_lanes, _mm256_and_si256(_mm256_castps_si256(values[i]), _mm256_set1_epi32(0x7fffffff)));
  }
  const int32_t absmax_bits = max_lane(absmax_lanes);
  if (absmax_bits < kSmallestAbsmaxBits || absmax_bits >= kInfinityBits) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out->q), _mm256_setzero_si256());
    out->scale = out->scaled_sum = absmax_bits >= kInfinityBits ? __builtin_nanf("") : 0.0f;
    out->sum = out->low_sum = 0;
    return;
  }
  float absmax;
  __builtin_memcpy(&absmax, &absmax_bits, 4);
  const __m256 inverse = _mm256_set1_ps(127.0f / absmax);
  __m256i q[4];
  for (int i = 0; i < 4; ++i) q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(values[i], inverse));
  // Packing works within 128-bit lanes; the permutation puts the words of four back in order.
  const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out->q), _mm256_permutevar8x32_epi32(bytes, order));
  const __m256i low = _mm256_add_epi32(q[0], q[1]);
  out->scale = absmax / 127.0f;
  out->low_sum = add_lanes(low);
  out->sum = add_lanes(_mm256_add_epi32(low, _mm256_add_epi32(q[2], q[3])));
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

}  // namespace

const LinearKernels kAvx2Linear = {
    "avx2",
    {integer_kernel<Codec::u4_zero>, integer_kernel<Codec::u4_min>, integer_kernel<Codec::u4_super>, integer_kernel<Codec::u5_zero>,
     integer_kernel<Codec::u5_min>, integer_kernel<Codec::u5_super>, integer_kernel<Codec::u6_super>, integer_kernel<Codec::u8_zero>},
    f32_kernel,
    nullptr,
    prepare_int8,
};

}  // namespace kvasir
