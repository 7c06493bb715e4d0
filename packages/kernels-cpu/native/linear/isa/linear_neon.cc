// Flags: -O3 -ffp-contract=off -fno-schedule-insns -fno-strict-aliasing
//
// NEON of every AArch64: products widen to int16. A lane of a chunk sums one product a step (four k), which must stay below 2^15
// for signed codes and |q| <= 127:
//   4 bits: 8 steps * 15 * 127 = 15240      5 bits: 8 * 31 * 127 = 31496      6 bits: 4 (half a group) * 32 * 127 = 16256
//   8 bits: 2 * 128 * 127 = 32512
#if defined(__aarch64__)
#include "neon_kernels.h"

namespace kvasir {
namespace {

// int16 sums of outputs 0, 1 and 2, 3, four lanes each.
struct Partial {
  int16x8_t low, high;
};

struct Widening {
  static constexpr bool kShifted = false;
  static constexpr int tile_quarters(Codec codec, int rows) {
    if (rows == 1) return traits(codec).bits == 6 || codec == Codec::u5_super ? 4 : 8;
    return rows == 8 || (rows == 4 && traits(codec).bits == 6) ? 1 : 2;
  }

  static KVASIR_INLINE int8x16_t four_values(const int8_t* q) {
    return vreinterpretq_s8_s32(vld1q_dup_s32(reinterpret_cast<const int32_t*>(q)));
  }

  static KVASIR_INLINE void multiply(int8x16_t w, int8x16_t q, bool is_first, Partial& sum) {
    if (is_first) {
      sum.low = vmull_s8(vget_low_s8(w), vget_low_s8(q));
      sum.high = vmull_high_s8(w, q);
    } else {
      sum.low = vmlal_s8(sum.low, vget_low_s8(w), vget_low_s8(q));
      sum.high = vmlal_high_s8(sum.high, w, q);
    }
  }

  static KVASIR_INLINE int32x4_t fold(const Partial& sum) { return vpaddq_s32(vpaddlq_s16(sum.low), vpaddlq_s16(sum.high)); }

  // Calls f(row, quarter, codes, activations) for pair I of every output; the smaller side stays in registers.
  template <Codec C, int I, int R, int Q, class F>
  static KVASIR_INLINE void for_pairs(const Codes& from, const Rows<R>& rows, F&& f) {
    if constexpr (R < Q) {
      StepPair q[R];
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) q[r] = {four_values(rows.block[r]->q + 8 * I), four_values(rows.block[r]->q + 8 * I + 4)};
#pragma GCC unroll 16
      for (int h = 0; h < Q; ++h) {
        const StepPair w = unpack<C, I, kShifted>(from, h);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) f(r, h, w, q[r]);
      }
    } else {
      StepPair w[Q];
#pragma GCC unroll 16
      for (int h = 0; h < Q; ++h) w[h] = unpack<C, I, kShifted>(from, h);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const StepPair q = {four_values(rows.block[r]->q + 8 * I), four_values(rows.block[r]->q + 8 * I + 4)};
#pragma GCC unroll 16
        for (int h = 0; h < Q; ++h) f(r, h, w[h], q);
      }
    }
  }

  template <Codec C, int I, int R, int Q>
  static KVASIR_INLINE void pair(const Codes& from, const Rows<R>& rows, bool is_first, Partial (&sums)[R][Q]) {
    for_pairs<C, I, R, Q>(from, rows, [&](int r, int h, const StepPair& w, const StepPair& q) __attribute__((always_inline)) {
      multiply(w.even, q.even, is_first, sums[r][h]);
      multiply(w.odd, q.odd, false, sums[r][h]);
    });
  }

  // One pair is as far as int16 goes with 8-bit codes.
  template <Codec C, int I, int R, int Q>
  static KVASIR_INLINE void folded_pair(const Codes& from, const Rows<R>& rows, int32x4_t (&dot)[R][Q]) {
    for_pairs<C, I, R, Q>(from, rows, [&](int r, int h, const StepPair& w, const StepPair& q) __attribute__((always_inline)) {
      Partial sum;
      multiply(w.even, q.even, true, sum);
      multiply(w.odd, q.odd, false, sum);
      dot[r][h] = I == 0 ? fold(sum) : vaddq_s32(dot[r][h], fold(sum));
      asm("" : "+w"(dot[r][h]));  // or GCC makes a tree of the sum and spills its leaves
    });
  }

  template <Codec C, int R, int Q>
  static KVASIR_INLINE void dot(const Codes& from, const Rows<R>& rows, int part, int32x4_t (&dot)[R][Q]) {
    if constexpr (traits(C).bits == 8) {
      folded_pair<C, 0>(from, rows, dot);
      folded_pair<C, 1>(from, rows, dot);
      folded_pair<C, 2>(from, rows, dot);
      folded_pair<C, 3>(from, rows, dot);
    } else {
      constexpr bool kHalves = C == Codec::u6_super;
      Partial sums[R][Q];
      if (!kHalves || part == 0) {
        pair<C, 0>(from, rows, true, sums);
        pair<C, 1>(from, rows, false, sums);
      }
      if (!kHalves || part == 1) {
        pair<C, 2>(from, rows, kHalves, sums);
        pair<C, 3>(from, rows, false, sums);
      }
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
        for (int h = 0; h < Q; ++h) dot[r][h] = fold(sums[r][h]);
      }
    }
  }
};

}  // namespace

extern const LinearKernels kNeonLinear;
const LinearKernels kNeonLinear = neon_kernels<Widening>("neon");

}  // namespace kvasir
#endif
