// Flags: -O3 -ffp-contract=off -fno-schedule-insns -fno-strict-aliasing -march=armv8.2-a+dotprod
//
// NEON with SDOT: four products of bytes and their sum to each int32 lane, activations taken from one lane of a register.
#if defined(__aarch64__)
#include "neon_kernels.h"

namespace kvasir {
namespace {

struct Dotprod {
  static constexpr bool kShifted = true;
  static constexpr int tile_quarters(Codec, int rows) { return rows == 1 ? 8 : rows == 2 ? 4 : rows <= 4 ? 2 : 1; }

  template <Codec C, int R, int Q, int I>
  static KVASIR_INLINE void pair(const Codes& from, const int8x16_t (&q)[R], int32x4_t (&dot)[R][Q]) {
#pragma GCC unroll 16
    for (int h = 0; h < Q; ++h) {
      const StepPair w = unpack<C, I, kShifted>(from, h);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) dot[r][h] = vdotq_laneq_s32(dot[r][h], w.even, q[r], 2 * (I % 2));
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) dot[r][h] = vdotq_laneq_s32(dot[r][h], w.odd, q[r], 2 * (I % 2) + 1);
    }
  }

  template <Codec C, int R, int Q, int Half>
  static KVASIR_INLINE void half(const Codes& from, const Rows<R>& rows, int32x4_t (&dot)[R][Q]) {
    int8x16_t q[R];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) q[r] = vld1q_s8(rows.block[r]->q + 16 * Half);
    pair<C, R, Q, 2 * Half>(from, q, dot);
    pair<C, R, Q, 2 * Half + 1>(from, q, dot);
  }

  template <Codec C, int R, int Q>
  static KVASIR_INLINE void dot(const Codes& from, const Rows<R>& rows, int part, int32x4_t (&dot)[R][Q]) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
      for (int h = 0; h < Q; ++h) dot[r][h] = vdupq_n_s32(0);
    }
    if (C != Codec::u6_super || part == 0) half<C, R, Q, 0>(from, rows, dot);
    if (C != Codec::u6_super || part == 1) half<C, R, Q, 1>(from, rows, dot);
  }
};

}  // namespace

extern const LinearKernels kNeonDotprodLinear;
const LinearKernels kNeonDotprodLinear = neon_kernels<Dotprod>("neon-dotprod");

}  // namespace kvasir
#endif
