// 16 lanes in four NEON registers. Meaning: scalar.h.
#pragma once
#include <arm_neon.h>
#include <cstdint>

namespace kvasir::KVASIR_OPS_NAMESPACE {

constexpr int kMaxLines = 4;
constexpr int kMaxTiles = 1;
constexpr int kMaxValueVectors = 1;

struct F32x16 { float32x4_t a, b, c, d; };
struct I32x16 { uint32x4_t a, b, c, d; };
struct Mask16 { uint32x4_t a, b, c, d; };

static inline F32x16 set1(float x) { const float32x4_t v = vdupq_n_f32(x); return {v, v, v, v}; }
static inline F32x16 zero() { return set1(0.0f); }
static inline F32x16 load(const float* p) { return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}; }
static inline void store(float* p, F32x16 x) {
  vst1q_f32(p, x.a);
  vst1q_f32(p + 4, x.b);
  vst1q_f32(p + 8, x.c);
  vst1q_f32(p + 12, x.d);
}

// Four lanes of which `n` exist: none when it is negative, all when it is 4 or more. NEON has no masked access.
static inline float32x4_t load_quarter(const float* p, int n) {
  if (n >= 4) return vld1q_f32(p);
  float32x4_t x = vdupq_n_f32(0.0f);
  if (n > 0) x = vld1q_lane_f32(p, x, 0);
  if (n > 1) x = vld1q_lane_f32(p + 1, x, 1);
  if (n > 2) x = vld1q_lane_f32(p + 2, x, 2);
  return x;
}
static inline void store_quarter(float* p, float32x4_t x, int n) {
  if (n >= 4) return vst1q_f32(p, x);
  if (n > 0) vst1q_lane_f32(p, x, 0);
  if (n > 1) vst1q_lane_f32(p + 1, x, 1);
  if (n > 2) vst1q_lane_f32(p + 2, x, 2);
}
static inline F32x16 load_first(const float* p, int n) {
  return {load_quarter(p, n), load_quarter(p + 4, n - 4), load_quarter(p + 8, n - 8), load_quarter(p + 12, n - 12)};
}
static inline void store_first(float* p, F32x16 x, int n) {
  store_quarter(p, x.a, n);
  store_quarter(p + 4, x.b, n - 4);
  store_quarter(p + 8, x.c, n - 8);
  store_quarter(p + 12, x.d, n - 12);
}
static inline float first_lane(F32x16 x) { return vgetq_lane_f32(x.a, 0); }

static inline F32x16 add(F32x16 x, F32x16 y) { return {vaddq_f32(x.a, y.a), vaddq_f32(x.b, y.b), vaddq_f32(x.c, y.c), vaddq_f32(x.d, y.d)}; }
static inline F32x16 sub(F32x16 x, F32x16 y) { return {vsubq_f32(x.a, y.a), vsubq_f32(x.b, y.b), vsubq_f32(x.c, y.c), vsubq_f32(x.d, y.d)}; }
static inline F32x16 mul(F32x16 x, F32x16 y) { return {vmulq_f32(x.a, y.a), vmulq_f32(x.b, y.b), vmulq_f32(x.c, y.c), vmulq_f32(x.d, y.d)}; }
static inline F32x16 div(F32x16 x, F32x16 y) { return {vdivq_f32(x.a, y.a), vdivq_f32(x.b, y.b), vdivq_f32(x.c, y.c), vdivq_f32(x.d, y.d)}; }
static inline F32x16 fma(F32x16 x, F32x16 y, F32x16 z) {
  return {vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b), vfmaq_f32(z.c, x.c, y.c), vfmaq_f32(z.d, x.d, y.d)};
}
static inline F32x16 fnma(F32x16 x, F32x16 y, F32x16 z) {
  return {vfmsq_f32(z.a, x.a, y.a), vfmsq_f32(z.b, x.b, y.b), vfmsq_f32(z.c, x.c, y.c), vfmsq_f32(z.d, x.d, y.d)};
}
// FMAX orders NaN and zeros in its own way.
static inline float32x4_t larger(float32x4_t x, float32x4_t y) { return vbslq_f32(vcgtq_f32(x, y), x, y); }
static inline F32x16 max(F32x16 x, F32x16 y) { return {larger(x.a, y.a), larger(x.b, y.b), larger(x.c, y.c), larger(x.d, y.d)}; }
static inline F32x16 sqrt(F32x16 x) { return {vsqrtq_f32(x.a), vsqrtq_f32(x.b), vsqrtq_f32(x.c), vsqrtq_f32(x.d)}; }

static inline Mask16 less(F32x16 x, F32x16 y) { return {vcltq_f32(x.a, y.a), vcltq_f32(x.b, y.b), vcltq_f32(x.c, y.c), vcltq_f32(x.d, y.d)}; }
static inline Mask16 greater(F32x16 x, F32x16 y) { return {vcgtq_f32(x.a, y.a), vcgtq_f32(x.b, y.b), vcgtq_f32(x.c, y.c), vcgtq_f32(x.d, y.d)}; }
static inline Mask16 greater_equal(F32x16 x, F32x16 y) { return {vcgeq_f32(x.a, y.a), vcgeq_f32(x.b, y.b), vcgeq_f32(x.c, y.c), vcgeq_f32(x.d, y.d)}; }
static inline Mask16 equal(F32x16 x, F32x16 y) { return {vceqq_f32(x.a, y.a), vceqq_f32(x.b, y.b), vceqq_f32(x.c, y.c), vceqq_f32(x.d, y.d)}; }
static inline Mask16 mask_of(uint32_t bits) {
  const uint32x4_t all = vdupq_n_u32(bits), lane = {1, 2, 4, 8};
  return {vtstq_u32(all, lane), vtstq_u32(all, vshlq_n_u32(lane, 4)), vtstq_u32(all, vshlq_n_u32(lane, 8)), vtstq_u32(all, vshlq_n_u32(lane, 12))};
}
static inline uint32_t bits_of(Mask16 m) {
  const uint16x8_t low = vcombine_u16(vmovn_u32(m.a), vmovn_u32(m.b)), high = vcombine_u16(vmovn_u32(m.c), vmovn_u32(m.d));
  const uint8x8_t lane = {1, 2, 4, 8, 16, 32, 64, 128};
  return static_cast<uint32_t>(vaddv_u8(vand_u8(vmovn_u16(low), lane))) | static_cast<uint32_t>(vaddv_u8(vand_u8(vmovn_u16(high), lane))) << 8;
}
static inline F32x16 select(Mask16 m, F32x16 yes, F32x16 no) {
  return {vbslq_f32(m.a, yes.a, no.a), vbslq_f32(m.b, yes.b, no.b), vbslq_f32(m.c, yes.c, no.c), vbslq_f32(m.d, yes.d, no.d)};
}
static inline I32x16 select(Mask16 m, I32x16 yes, I32x16 no) {
  return {vbslq_u32(m.a, yes.a, no.a), vbslq_u32(m.b, yes.b, no.b), vbslq_u32(m.c, yes.c, no.c), vbslq_u32(m.d, yes.d, no.d)};
}

static inline I32x16 set1_i32(uint32_t x) { const uint32x4_t v = vdupq_n_u32(x); return {v, v, v, v}; }
static inline I32x16 lane_index() { return {uint32x4_t{0, 1, 2, 3}, uint32x4_t{4, 5, 6, 7}, uint32x4_t{8, 9, 10, 11}, uint32x4_t{12, 13, 14, 15}}; }
static inline I32x16 load_i32(const void* p) {
  const auto* q = static_cast<const uint32_t*>(p);
  return {vld1q_u32(q), vld1q_u32(q + 4), vld1q_u32(q + 8), vld1q_u32(q + 12)};
}
static inline void store_i32(void* p, I32x16 x) {
  auto* q = static_cast<uint32_t*>(p);
  vst1q_u32(q, x.a);
  vst1q_u32(q + 4, x.b);
  vst1q_u32(q + 8, x.c);
  vst1q_u32(q + 12, x.d);
}
static inline I32x16 as_i32(F32x16 x) {
  return {vreinterpretq_u32_f32(x.a), vreinterpretq_u32_f32(x.b), vreinterpretq_u32_f32(x.c), vreinterpretq_u32_f32(x.d)};
}
static inline F32x16 as_f32(I32x16 x) {
  return {vreinterpretq_f32_u32(x.a), vreinterpretq_f32_u32(x.b), vreinterpretq_f32_u32(x.c), vreinterpretq_f32_u32(x.d)};
}
static inline I32x16 add(I32x16 x, I32x16 y) { return {vaddq_u32(x.a, y.a), vaddq_u32(x.b, y.b), vaddq_u32(x.c, y.c), vaddq_u32(x.d, y.d)}; }
static inline I32x16 sub(I32x16 x, I32x16 y) { return {vsubq_u32(x.a, y.a), vsubq_u32(x.b, y.b), vsubq_u32(x.c, y.c), vsubq_u32(x.d, y.d)}; }
static inline I32x16 bit_and(I32x16 x, I32x16 y) { return {vandq_u32(x.a, y.a), vandq_u32(x.b, y.b), vandq_u32(x.c, y.c), vandq_u32(x.d, y.d)}; }
static inline I32x16 bit_xor(I32x16 x, I32x16 y) { return {veorq_u32(x.a, y.a), veorq_u32(x.b, y.b), veorq_u32(x.c, y.c), veorq_u32(x.d, y.d)}; }
static inline I32x16 add_where(Mask16 m, I32x16 sum, I32x16 x) { return add(sum, bit_and({m.a, m.b, m.c, m.d}, x)); }
template <int K> static inline I32x16 shift_left(I32x16 x) { return {vshlq_n_u32(x.a, K), vshlq_n_u32(x.b, K), vshlq_n_u32(x.c, K), vshlq_n_u32(x.d, K)}; }
template <int K> static inline I32x16 shift_right(I32x16 x) { return {vshrq_n_u32(x.a, K), vshrq_n_u32(x.b, K), vshrq_n_u32(x.c, K), vshrq_n_u32(x.d, K)}; }
static inline Mask16 equal(I32x16 x, I32x16 y) { return {vceqq_u32(x.a, y.a), vceqq_u32(x.b, y.b), vceqq_u32(x.c, y.c), vceqq_u32(x.d, y.d)}; }
static inline uint32x4_t greater_signed(uint32x4_t x, uint32x4_t y) { return vcgtq_s32(vreinterpretq_s32_u32(x), vreinterpretq_s32_u32(y)); }
static inline Mask16 greater(I32x16 x, I32x16 y) {
  return {greater_signed(x.a, y.a), greater_signed(x.b, y.b), greater_signed(x.c, y.c), greater_signed(x.d, y.d)};
}
static inline float32x4_t to_f32(uint32x4_t x) { return vcvtq_f32_s32(vreinterpretq_s32_u32(x)); }
static inline F32x16 to_f32(I32x16 x) { return {to_f32(x.a), to_f32(x.b), to_f32(x.c), to_f32(x.d)}; }
static inline uint32x4_t to_i32(float32x4_t x) { return vreinterpretq_u32_s32(vcvtq_s32_f32(x)); }
static inline I32x16 to_i32(F32x16 x) { return {to_i32(x.a), to_i32(x.b), to_i32(x.c), to_i32(x.d)}; }

static inline void multiply_wide(uint32x4_t x, uint32_t factor, uint32x4_t& high, uint32x4_t& low) {
  const uint32x4_t first = vreinterpretq_u32_u64(vmull_n_u32(vget_low_u32(x), factor));
  const uint32x4_t last = vreinterpretq_u32_u64(vmull_high_n_u32(x, factor));
  high = vuzp2q_u32(first, last);
  low = vuzp1q_u32(first, last);
}
static inline void multiply_wide(I32x16 x, uint32_t b, I32x16& high, I32x16& low) {
  multiply_wide(x.a, b, high.a, low.a);
  multiply_wide(x.b, b, high.b, low.b);
  multiply_wide(x.c, b, high.c, low.c);
  multiply_wide(x.d, b, high.d, low.d);
}

static inline void transpose_quarters(uint32x4_t& x0, uint32x4_t& x1, uint32x4_t& x2, uint32x4_t& x3) {
  const uint64x2_t a = vreinterpretq_u64_u32(vtrn1q_u32(x0, x1)), b = vreinterpretq_u64_u32(vtrn2q_u32(x0, x1));
  const uint64x2_t c = vreinterpretq_u64_u32(vtrn1q_u32(x2, x3)), d = vreinterpretq_u64_u32(vtrn2q_u32(x2, x3));
  x0 = vreinterpretq_u32_u64(vtrn1q_u64(a, c));
  x1 = vreinterpretq_u32_u64(vtrn1q_u64(b, d));
  x2 = vreinterpretq_u32_u64(vtrn2q_u64(a, c));
  x3 = vreinterpretq_u32_u64(vtrn2q_u64(b, d));
}
static inline void transpose_quarters(I32x16 (&x)[4]) {
  transpose_quarters(x[0].a, x[1].a, x[2].a, x[3].a);
  transpose_quarters(x[0].b, x[1].b, x[2].b, x[3].b);
  transpose_quarters(x[0].c, x[1].c, x[2].c, x[3].c);
  transpose_quarters(x[0].d, x[1].d, x[2].d, x[3].d);
}

static inline F32x16 load_i8(const int8_t* p) {
  const int8x16_t codes = vld1q_s8(p);
  const int16x8_t low = vmovl_s8(vget_low_s8(codes)), high = vmovl_high_s8(codes);
  return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)), vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
          vcvtq_f32_s32(vmovl_high_s16(high))};
}

static inline float reduce_add(F32x16 v) {
  const float32x4_t x = vaddq_f32(vaddq_f32(v.a, v.c), vaddq_f32(v.b, v.d));
  const float32x2_t y = vadd_f32(vget_low_f32(x), vget_high_f32(x));
  return vget_lane_f32(y, 0) + vget_lane_f32(y, 1);
}
static inline float reduce_max(F32x16 v) {
  const float32x4_t x = larger(larger(v.a, v.c), larger(v.b, v.d));
  const float32x4_t y = larger(x, vextq_f32(x, x, 2));
  return vgetq_lane_f32(larger(y, vextq_f32(y, y, 1)), 0);
}

static inline F32x16 load_f16(const uint16_t* p) {
  const float16x8_t low = vreinterpretq_f16_u16(vld1q_u16(p)), high = vreinterpretq_f16_u16(vld1q_u16(p + 8));
  return {vcvt_f32_f16(vget_low_f16(low)), vcvt_high_f32_f16(low), vcvt_f32_f16(vget_low_f16(high)), vcvt_high_f32_f16(high)};
}
static inline void store_f16(uint16_t* p, F32x16 x) {
  vst1q_u16(p, vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(x.a), x.b)));
  vst1q_u16(p + 8, vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(x.c), x.d)));
}
static inline F32x16 load_bf16(const uint16_t* p) {
  const uint16x8_t low = vld1q_u16(p), high = vld1q_u16(p + 8);
  return as_f32({vshll_n_u16(vget_low_u16(low), 16), vshll_high_n_u16(low, 16), vshll_n_u16(vget_low_u16(high), 16), vshll_high_n_u16(high, 16)});
}
static inline void store_u16(uint16_t* p, I32x16 x) {
  vst1q_u16(p, vmovn_high_u32(vmovn_u32(x.a), x.b));
  vst1q_u16(p + 8, vmovn_high_u32(vmovn_u32(x.c), x.d));
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
