// 16 float or integer lanes in plain C++: the meaning that the other two layers must reproduce bit for bit.
#pragma once
#include <cstdint>

namespace kvasir::KVASIR_OPS_NAMESPACE {

// Register budget of the attention kernels: query lines, key tiles and value vectors that are held at once.
constexpr int kMaxLines = 4;
constexpr int kMaxTiles = 2;
constexpr int kMaxValueVectors = 2;

struct F32x16 { float v[16]; };
struct I32x16 { uint32_t v[16]; };
struct Mask16 { uint32_t bits; };

#define KVASIR_LANES for (int i = 0; i < 16; i++)

static inline float float_of(uint32_t bits) { float x; __builtin_memcpy(&x, &bits, 4); return x; }
static inline uint32_t bits_of(float x) { uint32_t bits; __builtin_memcpy(&bits, &x, 4); return bits; }

// a * b + c, rounded once. The product is exact in double; the sum is rounded to odd there, so that the second rounding is the only one.
static inline float fma1(float a, float b, float c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return __builtin_fmaf(a, b, c);
#else
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double addend = c;
  const double sum = product + addend;
  const double part = sum - product;
  const double error = (product - (sum - part)) + (addend - part);
  uint64_t bits;
  __builtin_memcpy(&bits, &sum, 8);
  const uint64_t inexact = (error < 0) | (error > 0);  // false for a NaN error: the sum is not finite
  const uint64_t toward_zero = (error < 0) != (sum < 0);
  bits += inexact & ~bits & 1 & ~toward_zero;
  bits -= (inexact & ~bits & 1 & toward_zero);
  double odd;
  __builtin_memcpy(&odd, &bits, 8);
  return static_cast<float>(odd);
#endif
}

static inline F32x16 set1(float x) { F32x16 r; KVASIR_LANES r.v[i] = x; return r; }
static inline F32x16 zero() { return set1(0.0f); }
static inline F32x16 load(const float* p) { F32x16 r; __builtin_memcpy(&r, p, 64); return r; }
static inline void store(float* p, F32x16 a) { __builtin_memcpy(p, &a, 64); }
static inline F32x16 load_first(const float* p, int n) { F32x16 r = zero(); for (int i = 0; i < n; i++) r.v[i] = p[i]; return r; }
static inline void store_first(float* p, F32x16 a, int n) { for (int i = 0; i < n; i++) p[i] = a.v[i]; }
static inline float first_lane(F32x16 a) { return a.v[0]; }

static inline F32x16 add(F32x16 a, F32x16 b) { F32x16 r; KVASIR_LANES r.v[i] = a.v[i] + b.v[i]; return r; }
static inline F32x16 sub(F32x16 a, F32x16 b) { F32x16 r; KVASIR_LANES r.v[i] = a.v[i] - b.v[i]; return r; }
static inline F32x16 mul(F32x16 a, F32x16 b) { F32x16 r; KVASIR_LANES r.v[i] = a.v[i] * b.v[i]; return r; }
static inline F32x16 div(F32x16 a, F32x16 b) { F32x16 r; KVASIR_LANES r.v[i] = a.v[i] / b.v[i]; return r; }
static inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  F32x16 r;
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  KVASIR_LANES r.v[i] = __builtin_fmaf(a.v[i], b.v[i], c.v[i]);
#else
  // Rounding twice is only wrong when the double lies halfway between two floats or the float is subnormal: then lane by lane.
  double sum[16];
  uint64_t bits[16];
  KVASIR_LANES sum[i] = static_cast<double>(a.v[i]) * static_cast<double>(b.v[i]) + static_cast<double>(c.v[i]);
  __builtin_memcpy(bits, sum, sizeof bits);
  uint32_t rare = 0;
  KVASIR_LANES {
    const uint32_t high = static_cast<uint32_t>(bits[i] >> 32) & 0x7fffffff, low = static_cast<uint32_t>(bits[i]);
    rare |= static_cast<uint32_t>((low & 0x1fffffff) == 0x10000000) | (static_cast<uint32_t>(high < 0x38100000) & static_cast<uint32_t>((high | low) != 0));
  }
  if (__builtin_expect(rare == 0, 1)) {
    KVASIR_LANES r.v[i] = static_cast<float>(sum[i]);
  } else {
    KVASIR_LANES r.v[i] = fma1(a.v[i], b.v[i], c.v[i]);
  }
#endif
  return r;
}
static inline F32x16 fnma(F32x16 a, F32x16 b, F32x16 c) {
  KVASIR_LANES a.v[i] = -a.v[i];
  return fma(a, b, c);
}
// As on x86: the second operand when either is NaN or both are zero.
static inline F32x16 max(F32x16 a, F32x16 b) { F32x16 r; KVASIR_LANES r.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i]; return r; }
static inline F32x16 sqrt(F32x16 a) { F32x16 r; KVASIR_LANES r.v[i] = __builtin_sqrtf(a.v[i]); return r; }

static inline Mask16 less(F32x16 a, F32x16 b) { Mask16 m{0}; KVASIR_LANES m.bits |= static_cast<uint32_t>(a.v[i] < b.v[i]) << i; return m; }
static inline Mask16 greater(F32x16 a, F32x16 b) { return less(b, a); }
static inline Mask16 greater_equal(F32x16 a, F32x16 b) { Mask16 m{0}; KVASIR_LANES m.bits |= static_cast<uint32_t>(a.v[i] >= b.v[i]) << i; return m; }
static inline Mask16 equal(F32x16 a, F32x16 b) { Mask16 m{0}; KVASIR_LANES m.bits |= static_cast<uint32_t>(a.v[i] == b.v[i]) << i; return m; }
static inline Mask16 mask_of(uint32_t bits) { return {bits & 0xffff}; }
static inline uint32_t bits_of(Mask16 m) { return m.bits; }
static inline F32x16 select(Mask16 m, F32x16 yes, F32x16 no) { F32x16 r; KVASIR_LANES r.v[i] = (m.bits >> i & 1) ? yes.v[i] : no.v[i]; return r; }
static inline I32x16 select(Mask16 m, I32x16 yes, I32x16 no) { I32x16 r; KVASIR_LANES r.v[i] = (m.bits >> i & 1) ? yes.v[i] : no.v[i]; return r; }

static inline I32x16 set1_i32(uint32_t x) { I32x16 r; KVASIR_LANES r.v[i] = x; return r; }
static inline I32x16 lane_index() { I32x16 r; KVASIR_LANES r.v[i] = static_cast<uint32_t>(i); return r; }
static inline I32x16 load_i32(const void* p) { I32x16 r; __builtin_memcpy(&r, p, 64); return r; }
static inline void store_i32(void* p, I32x16 a) { __builtin_memcpy(p, &a, 64); }
static inline I32x16 as_i32(F32x16 a) { I32x16 r; __builtin_memcpy(&r, &a, 64); return r; }
static inline F32x16 as_f32(I32x16 a) { F32x16 r; __builtin_memcpy(&r, &a, 64); return r; }
static inline I32x16 add(I32x16 a, I32x16 b) { I32x16 r; KVASIR_LANES r.v[i] = a.v[i] + b.v[i]; return r; }
static inline I32x16 add_where(Mask16 m, I32x16 sum, I32x16 a) { KVASIR_LANES sum.v[i] += (m.bits >> i & 1) ? a.v[i] : 0; return sum; }
static inline I32x16 sub(I32x16 a, I32x16 b) { I32x16 r; KVASIR_LANES r.v[i] = a.v[i] - b.v[i]; return r; }
static inline I32x16 bit_and(I32x16 a, I32x16 b) { I32x16 r; KVASIR_LANES r.v[i] = a.v[i] & b.v[i]; return r; }
static inline I32x16 bit_xor(I32x16 a, I32x16 b) { I32x16 r; KVASIR_LANES r.v[i] = a.v[i] ^ b.v[i]; return r; }
template <int K> static inline I32x16 shift_left(I32x16 a) { I32x16 r; KVASIR_LANES r.v[i] = a.v[i] << K; return r; }
template <int K> static inline I32x16 shift_right(I32x16 a) { I32x16 r; KVASIR_LANES r.v[i] = a.v[i] >> K; return r; }
static inline Mask16 equal(I32x16 a, I32x16 b) { Mask16 m{0}; KVASIR_LANES m.bits |= static_cast<uint32_t>(a.v[i] == b.v[i]) << i; return m; }
// Signed.
static inline Mask16 greater(I32x16 a, I32x16 b) {
  Mask16 m{0};
  KVASIR_LANES m.bits |= static_cast<uint32_t>(static_cast<int32_t>(a.v[i]) > static_cast<int32_t>(b.v[i])) << i;
  return m;
}
// Of signed integers below 2^24 in magnitude, so exact.
static inline F32x16 to_f32(I32x16 a) { F32x16 r; KVASIR_LANES r.v[i] = static_cast<float>(static_cast<int32_t>(a.v[i])); return r; }
// Truncates; of numbers in [0, 2^31) only.
static inline I32x16 to_i32(F32x16 a) { I32x16 r; KVASIR_LANES r.v[i] = static_cast<uint32_t>(static_cast<int32_t>(a.v[i])); return r; }

static inline void multiply_wide(I32x16 a, uint32_t b, I32x16& high, I32x16& low) {
  KVASIR_LANES {
    const uint64_t product = static_cast<uint64_t>(a.v[i]) * b;
    high.v[i] = static_cast<uint32_t>(product >> 32);
    low.v[i] = static_cast<uint32_t>(product);
  }
}

// 4 x 4 transposes inside each quarter: lane 4q + j of out[i] is lane 4q + i of in[j].
static inline void transpose_quarters(I32x16 (&x)[4]) {
  I32x16 r[4];
  for (int i = 0; i < 4; i++)
    for (int q = 0; q < 4; q++)
      for (int j = 0; j < 4; j++) r[i].v[4 * q + j] = x[j].v[4 * q + i];
  for (int i = 0; i < 4; i++) x[i] = r[i];
}

// Fixed tree: lanes 8 apart, then 4, 2, 1.
static inline float reduce_add(F32x16 a) {
  for (int step = 8; step > 0; step /= 2)
    for (int i = 0; i < step; i++) a.v[i] = a.v[i] + a.v[i + step];
  return a.v[0];
}
static inline float reduce_max(F32x16 a) {
  for (int step = 8; step > 0; step /= 2)
    for (int i = 0; i < step; i++) a.v[i] = a.v[i] > a.v[i + step] ? a.v[i] : a.v[i + step];
  return a.v[0];
}

static inline float f32_of_f16(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
  const uint32_t exponent = h >> 10 & 0x1f;
  const uint32_t mantissa = h & 0x3ff;
  if (exponent == 31) return float_of(sign | 0x7f800000 | mantissa << 13 | (mantissa ? 0x400000 : 0));
  if (exponent != 0) return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
  const float magnitude = static_cast<float>(static_cast<int32_t>(mantissa)) * 0x1p-24f;
  return float_of(sign | bits_of(magnitude));
}

// Round to nearest even, in integers: no dependence on the modes of the float unit.
static inline uint16_t f16_of_f32(float x) {
  const uint32_t bits = bits_of(x);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);
  if (magnitude >= 0x38800000) {
    const uint32_t rounded = magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1);
    return static_cast<uint16_t>(sign | rounded >> 13);
  }
  if (magnitude < 0x33000000) return static_cast<uint16_t>(sign);
  const uint32_t shift = 126 - (magnitude >> 23);
  const uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
  const uint32_t kept = mantissa >> shift;
  const uint32_t rest = mantissa & ((1u << shift) - 1);
  const uint32_t half = 1u << (shift - 1);
  return static_cast<uint16_t>(sign | (kept + (rest > half || (rest == half && (kept & 1)))));
}

static inline F32x16 load_f16(const uint16_t* p) { F32x16 r; KVASIR_LANES r.v[i] = f32_of_f16(p[i]); return r; }
static inline void store_f16(uint16_t* p, F32x16 a) { KVASIR_LANES p[i] = f16_of_f32(a.v[i]); }
static inline F32x16 load_i8(const int8_t* p) { F32x16 r; KVASIR_LANES r.v[i] = static_cast<float>(p[i]); return r; }
static inline F32x16 load_bf16(const uint16_t* p) { F32x16 r; KVASIR_LANES r.v[i] = float_of(static_cast<uint32_t>(p[i]) << 16); return r; }
static inline void store_u16(uint16_t* p, I32x16 a) { KVASIR_LANES p[i] = static_cast<uint16_t>(a.v[i]); }

#undef KVASIR_LANES

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
