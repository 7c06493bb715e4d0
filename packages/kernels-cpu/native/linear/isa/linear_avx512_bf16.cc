// Flags: -O3 -ffp-contract=off -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16
//
// Pairs of bf16 into float32. vdpbf16ps flushes subnormals and rounds to nearest whatever MXCSR says; it is the only bf16 path, and every
// tile feeds an output its pairs in the same order, so bits do not depend on the rows that share a call.
#include <immintrin.h>

#include "../kernels.h"

namespace kvasir {
namespace {

constexpr int64_t kPrefetchBytes = 4096;

inline __attribute__((always_inline)) void dot2(__m512& sum, __m512i weights, __m512i pair) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(weights), "v"(pair));
}

inline __attribute__((always_inline)) __m512i broadcast_pair(const uint8_t* p) {
  typedef int32_t __attribute__((may_alias)) word;
  __m512i x;
  asm("vpbroadcastd %1, %0" : "=v"(x) : "m"(*reinterpret_cast<const word*>(p)));
  return x;
}

template <int R, int P>
void tile(const StripCall& c, int panel, int64_t row) {
  const size_t stride = c.activation_stride;
  const uint8_t* x = c.activations + static_cast<size_t>(row) * stride;
  const uint8_t* w = c.strip + 64 * (c.first_panel + panel);
  const int64_t width = 64 * c.strip_panels;
  __m512 sums[R][P];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) sums[r][p] = _mm512_setzero_ps();
  }
  for (int64_t pair = 0; pair < c.depth; ++pair, w += width, x += 4) {
    __m512i weights[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      weights[p] = _mm512_loadu_si512(w + 64 * p);
      if constexpr (R <= 4) _mm_prefetch(w + 64 * p + kPrefetchBytes, _MM_HINT_T0);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m512i value = broadcast_pair(x + static_cast<size_t>(r) * stride);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) dot2(sums[r][p], weights[p], value);
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    const int64_t left = c.columns - 16 * (panel + p);
    const __mmask16 mask = left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) _mm512_mask_storeu_ps(c.out + (row + r) * c.out_stride + 16 * (panel + p), mask, sums[r][p]);
  }
}

template <int R>
void rows_tile(const StripCall& c, int64_t row) {
  switch (c.num_panels) {
    case 4: return tile<R, 4>(c, 0, row);
    case 3: tile<R, 2>(c, 0, row); return tile<R, 1>(c, 2, row);
    case 2: return tile<R, 2>(c, 0, row);
    default: return tile<R, 1>(c, 0, row);
  }
}

}  // namespace

void linear_bf16_avx512(const StripCall& c) {
  constexpr int64_t kMaxRows = 6;
  int64_t tiles = (c.rows + kMaxRows - 1) / kMaxRows;
  for (int64_t row = 0; tiles > 0; --tiles) {
    const int64_t rows = (c.rows - row + tiles - 1) / tiles;
    switch (rows) {
      case 1: rows_tile<1>(c, row); break;
      case 2: rows_tile<2>(c, row); break;
      case 3: rows_tile<3>(c, row); break;
      case 4: rows_tile<4>(c, row); break;
      case 5: rows_tile<5>(c, row); break;
      default: rows_tile<6>(c, row); break;
    }
    row += rows;
  }
}

}  // namespace kvasir
