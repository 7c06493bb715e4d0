// Flags: -O3 -ffp-contract=off -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mfma -mf16c
//
// Tiles of R rows by P panels keep their integer and float accumulators in registers; weights are unpacked on the way.
// Dot products and broadcasts are inline assembly: GCC 12 moves accumulators between registers and stack around the intrinsics.
#include <immintrin.h>

#include "../kernels.h"

namespace kvasir {
namespace {

constexpr int64_t kFloatPrefetchBytes = 4096;
// How far ahead a tile of full width fetches: measured, like every distance here, against the bandwidth of a plain read loop.
constexpr int64_t kRowPrefetchBytes = 8192;
constexpr int64_t kTilePrefetchBytes = 16384;

inline __attribute__((always_inline)) void dot4(__m512i& sum, __m512i codes, __m512i q) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(q));
}

inline __attribute__((always_inline)) __m512i broadcast_i32(const void* p) {
  typedef int32_t __attribute__((may_alias, aligned(1))) word;
  __m512i x;
  asm("vpbroadcastd %1, %0" : "=v"(x) : "m"(*static_cast<const word*>(p)));
  return x;
}

inline __attribute__((always_inline)) __m512 broadcast_f32(const float* p) {
  __m512 x;
  asm("vbroadcastss %1, %0" : "=v"(x) : "m"(*p));
  return x;
}

inline __attribute__((always_inline)) __m512 load_f16x16(const uint8_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

inline __attribute__((always_inline)) __m512i load(const uint8_t* p) { return _mm512_loadu_si512(p); }

inline __attribute__((always_inline)) __mmask64 load_mask(const uint8_t* p) {
  __mmask64 mask;
  __builtin_memcpy(&mask, p, 8);
  return mask;
}

// Two steps of four k of one panel.
struct CodePair {
  __m512i even, odd;
};

template <Codec C>
inline __attribute__((always_inline)) CodePair unpack(const uint8_t* codes, const uint8_t* high, int i) {
  constexpr int kBits = traits(C).bits;
  if constexpr (kBits == 8) {
    return {load(codes + 128 * i), load(codes + 128 * i + 64)};
  } else {
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i raw = load(codes + 64 * i);
    __m512i even = _mm512_and_si512(raw, nibble);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi16(raw, 4), nibble);
    if constexpr (kBits == 5) {
      const __m512i sixteen = _mm512_set1_epi8(16);
      even = _mm512_mask_add_epi8(even, load_mask(high + 16 * i), even, sixteen);
      odd = _mm512_mask_add_epi8(odd, load_mask(high + 16 * i + 8), odd, sixteen);
    }
    if constexpr (kBits == 6) {
      const __m512i top = _mm512_set1_epi8(0x30);
      const __m512i pairs = load(high + 64 * (i / 2));
      const __m512i first = i % 2 == 0 ? _mm512_slli_epi16(pairs, 4) : pairs;
      const __m512i second = i % 2 == 0 ? _mm512_slli_epi16(pairs, 2) : _mm512_srli_epi16(pairs, 2);
      constexpr int kAndOr = 0xea;  // (a & b) | c
      even = _mm512_ternarylogic_epi32(first, top, even, kAndOr);
      odd = _mm512_ternarylogic_epi32(second, top, odd, kAndOr);
    }
    return {even, odd};
  }
}

// Scales and minimums of the eight groups of a Q4_K or Q5_K super-block.
template <int P>
struct SuperScales {
  __m512 scale[8][P];
  __m512 minimum[8][P];
};

template <int P>
inline __attribute__((always_inline)) void expand_super_scales(const uint8_t* header, SuperScales<P>& out) {
  // Byte j of each word, zero-extended.
  const __m512i first = _mm512_broadcast_i32x4(_mm_setr_epi32(-0x7f7f8000, -0x7f7f7ffc, -0x7f7f7ff8, -0x7f7f7ff4));  // 0x80808000 + 0, 4, 8, 12
  const __m512i six = _mm512_set1_epi8(63);
  const __m512i four = _mm512_set1_epi8(15);
  const __m512i top = _mm512_set1_epi8(0x30);
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p, header += 256) {
    const __m512i a = load(header), b = load(header + 64), c = load(header + 128);
    const __m512 d = load_f16x16(header + 192);
    const __m512 dmin = _mm512_sub_ps(_mm512_set1_ps(-0.0f), load_f16x16(header + 224));
    // Bytes j of a word: sub-block j or 4 + j.
    const __m512i scales[2] = {_mm512_and_si512(a, six),
                               _mm512_ternarylogic_epi32(_mm512_srli_epi16(a, 2), top, _mm512_and_si512(c, four), 0xea)};
    const __m512i minimums[2] = {
        _mm512_and_si512(b, six),
        _mm512_ternarylogic_epi32(_mm512_srli_epi16(b, 2), top, _mm512_and_si512(_mm512_srli_epi16(c, 4), four), 0xea)};
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const __m512i byte = _mm512_add_epi32(first, _mm512_set1_epi32(j));
        const __m512i s = _mm512_shuffle_epi8(scales[half], byte);
        const __m512i m = _mm512_shuffle_epi8(minimums[half], byte);
        out.scale[4 * half + j][p] = _mm512_mul_ps(d, _mm512_cvtepi32_ps(s));
        out.minimum[4 * half + j][p] = _mm512_mul_ps(dmin, _mm512_cvtepi32_ps(m));
      }
    }
  }
}

template <int R, int P>
struct Sums {
  __m512 value[R][P];
};

inline __attribute__((always_inline)) const ActivationBlock& activation(const uint8_t* a, size_t stride, int r) {
  return *reinterpret_cast<const ActivationBlock*>(a + static_cast<size_t>(r) * stride);
}

// Adds the step pairs [begin, end) of a group to the dots: all four, or for Q6_K one half.
template <Codec C, int R, int P>
inline __attribute__((always_inline)) void dot_group(const uint8_t* codes, const uint8_t* high, const uint8_t* a, size_t stride, int begin, int end,
                                                     __m512i (&dot)[R][P]) {
  constexpr CodecTraits T = traits(C);
#pragma GCC unroll 4
  for (int i = begin; i < end; ++i) {
    CodePair w[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) w[p] = unpack<C>(codes + p * T.code_bytes, high + p * T.high_bytes, i);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m512i q = broadcast_i32(activation(a, stride, r).q + 8 * i);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) dot4(dot[r][p], w[p].even, q);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m512i q = broadcast_i32(activation(a, stride, r).q + 8 * i + 4);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) dot4(dot[r][p], w[p].odd, q);
    }
  }
}

template <int R, int P>
inline __attribute__((always_inline)) void add_scaled(Sums<R, P>& sums, const __m512i (&dot)[R][P], const __m512 (&scale)[P], const uint8_t* a,
                                                      size_t stride) {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const __m512 activation_scale = broadcast_f32(&activation(a, stride, r).scale);
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      sums.value[r][p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r][p]), _mm512_mul_ps(scale[p], activation_scale), sums.value[r][p]);
    }
  }
}

template <int R, int P>
inline __attribute__((always_inline)) void add_minimum(Sums<R, P>& sums, const __m512 (&minimum)[P], const uint8_t* a, size_t stride) {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const __m512 scaled_sum = broadcast_f32(&activation(a, stride, r).scaled_sum);
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) sums.value[r][p] = _mm512_fmadd_ps(minimum[p], scaled_sum, sums.value[r][p]);
  }
}

// dot = -zero * (sum of q), or 0: the codes are unsigned.
template <Codec C, int R, int P>
inline __attribute__((always_inline)) void start(__m512i (&dot)[R][P], const uint8_t* a, size_t stride, bool upper_half) {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    __m512i first = _mm512_setzero_si512();
    if constexpr (traits(C).zero != 0) {
      const ActivationBlock& block = activation(a, stride, r);
      __m512i sum = broadcast_i32(&block.sum);
      if constexpr (C == Codec::u6_super) {
        const __m512i low = broadcast_i32(&block.low_sum);
        sum = upper_half ? _mm512_sub_epi32(sum, low) : low;
      }
      first = _mm512_sub_epi32(first, _mm512_slli_epi32(sum, __builtin_ctz(traits(C).zero)));
    }
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) dot[r][p] = first;
  }
}

// What a tile fetches ahead. One of full width reads a stream: `near` bytes ahead, and from `turn` on the beginning of what comes next. Tiles
// that share a strip share the work of fetching the next one: each takes every `period`-th group, from its own `phase` on.
struct Pace {
  int64_t near;
  const uint8_t* turn;
  int64_t far;
  int64_t phase;   // 1..period: groups until the first prefetch
  int64_t period;
  int64_t ahead(const uint8_t* at) const { return at < turn ? near : far; }
};

constexpr int64_t kNever = int64_t{1} << 62;

inline Pace stream_pace(const StripCall& c, int64_t distance) {
  const uint8_t* end = c.strip + c.strip_bytes;
  return {distance, end - distance, c.next == nullptr ? 0 : distance + (c.next - end), 1, 1};
}

inline Pace shared_pace(const StripCall& c, int64_t tile, int64_t tiles) {
  if (c.next == nullptr) return {0, nullptr, 0, kNever, kNever};
  const int64_t distance = c.next - c.strip;
  return {distance, nullptr, distance, tile + 1, tiles};
}

template <Codec C, int P>
inline __attribute__((always_inline)) void prefetch_group(const uint8_t* codes, const uint8_t* high, const uint8_t* scales, int64_t distance) {
  constexpr CodecTraits T = traits(C);
#pragma GCC unroll 32
  for (int line = 0; line < P * T.code_bytes; line += 64) _mm_prefetch(codes + distance + line, _MM_HINT_T0);
#pragma GCC unroll 32
  for (int line = 0; line < P * T.high_bytes; line += 64) _mm_prefetch(high + distance + line, _MM_HINT_T0);
#pragma GCC unroll 32
  for (int line = 0; line < P * T.scale_bytes; line += 64) _mm_prefetch(scales + distance + line, _MM_HINT_T0);
}

template <Codec C, int R, int P>
__attribute__((noinline)) void integer_tile(const StripCall& c, int panel, int64_t row, const Pace& pace) {
  constexpr CodecTraits T = traits(C);
  const int64_t width = c.strip_panels;
  const size_t stride = c.activation_stride;
  const uint8_t* a = c.activations + static_cast<size_t>(row) * stride;
  const uint8_t* w = c.strip;
  const int at = c.first_panel + panel;

  Sums<R, P> sums;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) sums.value[r][p] = _mm512_setzero_ps();
  }
  int64_t until_prefetch = pace.phase;
  for (int64_t block = 0; block < c.depth; ++block) {
    const uint8_t* header = w + at * T.header_bytes;
    [[maybe_unused]] SuperScales<P> super;
    if constexpr (T.header_bytes > 0) {
      const int64_t ahead = pace.ahead(header);
#pragma GCC unroll 16
      for (int line = 0; line < P * T.header_bytes; line += 64) _mm_prefetch(header + ahead + line, _MM_HINT_T0);
    }
    if constexpr (T.header_bytes == 256) expand_super_scales<P>(header, super);
    w += width * T.header_bytes;
    for (int j = 0; j < T.groups_per_block; ++j) {
      const uint8_t* codes = w + at * T.code_bytes;
      const uint8_t* high = w + width * T.code_bytes + at * T.high_bytes;
      const uint8_t* scales = w + width * (T.code_bytes + T.high_bytes) + at * T.scale_bytes;
      if (--until_prefetch == 0) {
        until_prefetch = pace.period;
        prefetch_group<C, P>(codes, high, scales, pace.ahead(codes));
      }
      __m512i dot[R][P];
      __m512 scale[P];
      if constexpr (C == Codec::u6_super) {
        const auto add_half = [&](int half) __attribute__((always_inline)) {
          start<C, R, P>(dot, a, stride, half == 1);
          dot_group<C, R, P>(codes, high, a, stride, 2 * half, 2 * half + 2, dot);
#pragma GCC unroll 8
          for (int p = 0; p < P; ++p) {
            const __m128i s = _mm_loadu_si128(reinterpret_cast<const __m128i*>(scales + p * T.scale_bytes + 16 * half));
            scale[p] = _mm512_mul_ps(load_f16x16(header + p * T.header_bytes), _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(s)));
          }
          add_scaled<R, P>(sums, dot, scale, a, stride);
        };
        // Both halves in a row let narrow tiles of many rows overlap them; wide ones have enough to do, and fewer instructions to fetch.
        if constexpr (P < 4) {
          add_half(0);
          add_half(1);
        } else {
          for (int half = 0; half < 2; ++half) add_half(half);
        }
      } else {
        start<C, R, P>(dot, a, stride, false);
        dot_group<C, R, P>(codes, high, a, stride, 0, 4, dot);
        [[maybe_unused]] __m512 minimum[P];
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) {
          if constexpr (T.header_bytes == 256) {
            scale[p] = super.scale[j][p];
            minimum[p] = super.minimum[j][p];
          } else {
            scale[p] = load_f16x16(scales + p * T.scale_bytes);
            if constexpr (T.has_minimum) minimum[p] = load_f16x16(scales + p * T.scale_bytes + 32);
          }
        }
        add_scaled<R, P>(sums, dot, scale, a, stride);
        if constexpr (T.has_minimum) add_minimum<R, P>(sums, minimum, a, stride);
      }
      w += width * group_bytes(C);
      a += sizeof(ActivationBlock);
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    const int64_t left = c.columns - 16 * (panel + p);
    const __mmask16 mask = left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) _mm512_mask_storeu_ps(c.out + (row + r) * c.out_stride + 16 * (panel + p), mask, sums.value[r][p]);
  }
}

template <Codec C, int R>
void integer_rows(const StripCall& c, int64_t row, Pace pace) {
  constexpr int kWide = R <= 3 ? 4 : 2;
  int panel = 0;
  // A tile of the full width reads one stream and stays near; the others share the strip and fetch the next one.
  if (kWide == 4 && c.num_panels == 4) pace = stream_pace(c, R == 1 ? kRowPrefetchBytes : kTilePrefetchBytes);
  for (; panel + kWide <= c.num_panels; panel += kWide) integer_tile<C, R, kWide>(c, panel, row, pace);
  if constexpr (kWide == 4) {
    if (panel + 2 <= c.num_panels) {
      integer_tile<C, R, 2>(c, panel, row, pace);
      panel += 2;
    }
  }
  if (panel < c.num_panels) integer_tile<C, R, 1>(c, panel, row, pace);
}

// Splits the rows into as few tiles as possible, of nearly equal size. Where unpacking or reading the codes costs more than sums that do not
// all stay in registers, eight rows are one tile; more rows than that are better off in tiles of six.
template <Codec C>
void integer_kernel(const StripCall& c) {
  constexpr int64_t kMaxRows = 6;
  constexpr int64_t kOneTile = C == Codec::u4_zero || C == Codec::u4_min ? kMaxRows : 8;
  const int64_t tiles = c.rows <= kOneTile ? 1 : (c.rows + kMaxRows - 1) / kMaxRows;
  int64_t row = 0;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const int64_t rows = (c.rows - row + tiles - tile - 1) / (tiles - tile);
    const Pace pace = shared_pace(c, tile, tiles);
    switch (rows) {
      case 1: integer_rows<C, 1>(c, row, pace); break;
      case 2: integer_rows<C, 2>(c, row, pace); break;
      case 3: integer_rows<C, 3>(c, row, pace); break;
      case 4: integer_rows<C, 4>(c, row, pace); break;
      case 5: integer_rows<C, 5>(c, row, pace); break;
      case 6: integer_rows<C, 6>(c, row, pace); break;
      default:
        if constexpr (kOneTile == 8) rows == 7 ? integer_rows<C, 7>(c, row, pace) : integer_rows<C, 8>(c, row, pace);
    }
    row += rows;
  }
}

template <int R, int P>
void f32_tile(const StripCall& c, int panel, int64_t row) {
  const size_t stride = c.activation_stride / 4;
  const float* x = reinterpret_cast<const float*>(c.activations) + static_cast<size_t>(row) * stride;
  const float* w = reinterpret_cast<const float*>(c.strip) + 16 * (c.first_panel + panel);
  const int64_t width = 16 * c.strip_panels;
  Sums<R, P> sums;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) sums.value[r][p] = _mm512_setzero_ps();
  }
  for (int64_t k = 0; k < c.depth; ++k, w += width) {
    __m512 weight[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      weight[p] = _mm512_loadu_ps(w + 16 * p);
      if constexpr (R <= 4) _mm_prefetch(w + 16 * p + kFloatPrefetchBytes / 4, _MM_HINT_T0);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m512 value = broadcast_f32(x + static_cast<size_t>(r) * stride + k);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) sums.value[r][p] = _mm512_fmadd_ps(weight[p], value, sums.value[r][p]);
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    const int64_t left = c.columns - 16 * (panel + p);
    const __mmask16 mask = left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) _mm512_mask_storeu_ps(c.out + (row + r) * c.out_stride + 16 * (panel + p), mask, sums.value[r][p]);
  }
}

template <int R>
void f32_rows(const StripCall& c, int64_t row) {
  switch (c.num_panels) {
    case 4: return f32_tile<R, 4>(c, 0, row);
    case 3: f32_tile<R, 2>(c, 0, row); return f32_tile<R, 1>(c, 2, row);
    case 2: return f32_tile<R, 2>(c, 0, row);
    default: return f32_tile<R, 1>(c, 0, row);
  }
}

void f32_kernel(const StripCall& c) {
  constexpr int64_t kMaxRows = 6;
  int64_t tiles = (c.rows + kMaxRows - 1) / kMaxRows;
  for (int64_t row = 0; tiles > 0; --tiles) {
    const int64_t rows = (c.rows - row + tiles - 1) / tiles;
    switch (rows) {
      case 1: f32_rows<1>(c, row); break;
      case 2: f32_rows<2>(c, row); break;
      case 3: f32_rows<3>(c, row); break;
      case 4: f32_rows<4>(c, row); break;
      case 5: f32_rows<5>(c, row); break;
      default: f32_rows<6>(c, row); break;
    }
    row += rows;
  }
}

// 32 values, the missing ones zero; see prepare_group of the scalar path for the definition.
inline __attribute__((always_inline)) void prepare_group(__m512 low, __m512 high, ActivationBlock* out) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  const __m512i low_bits = _mm512_and_si512(_mm512_castps_si512(low), magnitude);
  const __m512i high_bits = _mm512_and_si512(_mm512_castps_si512(high), magnitude);
  const int32_t absmax_bits = _mm512_reduce_max_epi32(_mm512_max_epi32(low_bits, high_bits));
  if (absmax_bits < kSmallestAbsmaxBits || absmax_bits >= kInfinityBits) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out->q), _mm256_setzero_si256());
    out->scale = out->scaled_sum = absmax_bits >= kInfinityBits ? __builtin_nanf("") : 0.0f;
    out->sum = out->low_sum = 0;
    return;
  }
  float absmax;
  __builtin_memcpy(&absmax, &absmax_bits, 4);
  const __m512 inverse = _mm512_set1_ps(127.0f / absmax);
  const __m512i q_low = _mm512_cvtps_epi32(_mm512_mul_ps(low, inverse));
  const __m512i q_high = _mm512_cvtps_epi32(_mm512_mul_ps(high, inverse));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out->q), _mm512_cvtepi32_epi8(q_low));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out->q + 16), _mm512_cvtepi32_epi8(q_high));
  out->scale = absmax / 127.0f;
  out->low_sum = _mm512_reduce_add_epi32(q_low);
  out->sum = _mm512_reduce_add_epi32(_mm512_add_epi32(q_low, q_high));
  out->scaled_sum = out->scale * static_cast<float>(out->sum);
}

void prepare_int8(const float* x, int64_t k, ActivationBlock* out) {
  int64_t i = 0;
  for (; i + 32 <= k; i += 32) prepare_group(_mm512_loadu_ps(x + i), _mm512_loadu_ps(x + i + 16), out++);
  if (i == k) return;
  const uint32_t mask = (1u << (k - i)) - 1;
  prepare_group(_mm512_maskz_loadu_ps(static_cast<__mmask16>(mask & 0xffff), x + i),
                _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), x + i + 16), out);
}

}  // namespace

const LinearKernels kAvx512Linear = {
    "avx512",
    {integer_kernel<Codec::u4_zero>, integer_kernel<Codec::u4_min>, integer_kernel<Codec::u4_super>, integer_kernel<Codec::u5_zero>,
     integer_kernel<Codec::u5_min>, integer_kernel<Codec::u5_super>, integer_kernel<Codec::u6_super>, integer_kernel<Codec::u8_zero>},
    f32_kernel,
    linear_bf16_avx512,
    prepare_int8,
};

}  // namespace kvasir
