// 16 lanes in two AVX2 registers. Meaning: scalar.h.
#pragma once
#include <immintrin.h>
#include <cstdint>

namespace kvasir::KVASIR_OPS_NAMESPACE {

constexpr int kMaxLines = 4;
constexpr int kMaxTiles = 1;
constexpr int kMaxValueVectors = 1;

struct F32x16 { __m256 a, b; };
struct I32x16 { __m256i a, b; };
struct Mask16 { __m256 a, b; };

static inline __m256i lanes_low() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
static inline __m256i lanes_high() { return _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15); }

static inline F32x16 set1(float x) { const __m256 v = _mm256_set1_ps(x); return {v, v}; }
static inline F32x16 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
static inline F32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
static inline void store(float* p, F32x16 x) { _mm256_storeu_ps(p, x.a); _mm256_storeu_ps(p + 8, x.b); }
static inline F32x16 load_first(const float* p, int n) {
  const __m256i count = _mm256_set1_epi32(n);
  F32x16 r = zero();
  r.a = _mm256_maskload_ps(p, _mm256_cmpgt_epi32(count, lanes_low()));
  if (n > 8) r.b = _mm256_maskload_ps(p + 8, _mm256_cmpgt_epi32(count, lanes_high()));
  return r;
}
static inline void store_first(float* p, F32x16 x, int n) {
  const __m256i count = _mm256_set1_epi32(n);
  _mm256_maskstore_ps(p, _mm256_cmpgt_epi32(count, lanes_low()), x.a);
  if (n > 8) _mm256_maskstore_ps(p + 8, _mm256_cmpgt_epi32(count, lanes_high()), x.b);
}
static inline float first_lane(F32x16 x) { return _mm256_cvtss_f32(x.a); }

static inline F32x16 add(F32x16 x, F32x16 y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
static inline F32x16 sub(F32x16 x, F32x16 y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
static inline F32x16 mul(F32x16 x, F32x16 y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
static inline F32x16 div(F32x16 x, F32x16 y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
static inline F32x16 fma(F32x16 x, F32x16 y, F32x16 z) { return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
static inline F32x16 fnma(F32x16 x, F32x16 y, F32x16 z) { return {_mm256_fnmadd_ps(x.a, y.a, z.a), _mm256_fnmadd_ps(x.b, y.b, z.b)}; }
static inline F32x16 max(F32x16 x, F32x16 y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
static inline F32x16 sqrt(F32x16 x) { return {_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)}; }

static inline Mask16 less(F32x16 x, F32x16 y) { return {_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ)}; }
static inline Mask16 greater(F32x16 x, F32x16 y) { return {_mm256_cmp_ps(x.a, y.a, _CMP_GT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_GT_OQ)}; }
static inline Mask16 greater_equal(F32x16 x, F32x16 y) { return {_mm256_cmp_ps(x.a, y.a, _CMP_GE_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_GE_OQ)}; }
static inline Mask16 equal(F32x16 x, F32x16 y) { return {_mm256_cmp_ps(x.a, y.a, _CMP_EQ_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_EQ_OQ)}; }
static inline Mask16 mask_of(uint32_t bits) {
  const __m256i all = _mm256_set1_epi32(static_cast<int>(bits));
  const __m256i low = _mm256_sllv_epi32(_mm256_set1_epi32(1), lanes_low());
  const __m256i high = _mm256_slli_epi32(low, 8);
  return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(all, low), low)),
          _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(all, high), high))};
}
static inline uint32_t bits_of(Mask16 m) {
  return static_cast<uint32_t>(_mm256_movemask_ps(m.a)) | static_cast<uint32_t>(_mm256_movemask_ps(m.b)) << 8;
}
static inline F32x16 select(Mask16 m, F32x16 yes, F32x16 no) { return {_mm256_blendv_ps(no.a, yes.a, m.a), _mm256_blendv_ps(no.b, yes.b, m.b)}; }

static inline I32x16 set1_i32(uint32_t x) { const __m256i v = _mm256_set1_epi32(static_cast<int>(x)); return {v, v}; }
static inline I32x16 lane_index() { return {lanes_low(), lanes_high()}; }
static inline I32x16 load_i32(const void* p) {
  const __m256i* q = static_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1)};
}
static inline void store_i32(void* p, I32x16 x) {
  __m256i* q = static_cast<__m256i*>(p);
  _mm256_storeu_si256(q, x.a);
  _mm256_storeu_si256(q + 1, x.b);
}
static inline I32x16 as_i32(F32x16 x) { return {_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)}; }
static inline F32x16 as_f32(I32x16 x) { return {_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)}; }
static inline I32x16 select(Mask16 m, I32x16 yes, I32x16 no) { return as_i32(select(m, as_f32(yes), as_f32(no))); }
static inline I32x16 add(I32x16 x, I32x16 y) { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }
static inline I32x16 add_where(Mask16 m, I32x16 sum, I32x16 x) {
  return add(sum, {_mm256_and_si256(_mm256_castps_si256(m.a), x.a), _mm256_and_si256(_mm256_castps_si256(m.b), x.b)});
}
static inline I32x16 sub(I32x16 x, I32x16 y) { return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)}; }
static inline I32x16 bit_and(I32x16 x, I32x16 y) { return {_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b)}; }
static inline I32x16 bit_xor(I32x16 x, I32x16 y) { return {_mm256_xor_si256(x.a, y.a), _mm256_xor_si256(x.b, y.b)}; }
template <int K> static inline I32x16 shift_left(I32x16 x) { return {_mm256_slli_epi32(x.a, K), _mm256_slli_epi32(x.b, K)}; }
template <int K> static inline I32x16 shift_right(I32x16 x) { return {_mm256_srli_epi32(x.a, K), _mm256_srli_epi32(x.b, K)}; }
static inline Mask16 equal(I32x16 x, I32x16 y) {
  return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(x.a, y.a)), _mm256_castsi256_ps(_mm256_cmpeq_epi32(x.b, y.b))};
}
static inline Mask16 greater(I32x16 x, I32x16 y) {
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(x.a, y.a)), _mm256_castsi256_ps(_mm256_cmpgt_epi32(x.b, y.b))};
}
static inline F32x16 to_f32(I32x16 x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
static inline I32x16 to_i32(F32x16 x) { return {_mm256_cvttps_epi32(x.a), _mm256_cvttps_epi32(x.b)}; }

static inline void multiply_wide(__m256i a, __m256i factor, __m256i& high, __m256i& low) {
  const __m256i even = _mm256_mul_epu32(a, factor);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), factor);
  high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}
static inline void multiply_wide(I32x16 x, uint32_t b, I32x16& high, I32x16& low) {
  const __m256i factor = _mm256_set1_epi32(static_cast<int>(b));
  multiply_wide(x.a, factor, high.a, low.a);
  multiply_wide(x.b, factor, high.b, low.b);
}

static inline void transpose_quarters(__m256i& x0, __m256i& x1, __m256i& x2, __m256i& x3) {
  const __m256i a = _mm256_unpacklo_epi32(x0, x1), b = _mm256_unpackhi_epi32(x0, x1);
  const __m256i c = _mm256_unpacklo_epi32(x2, x3), d = _mm256_unpackhi_epi32(x2, x3);
  x0 = _mm256_unpacklo_epi64(a, c);
  x1 = _mm256_unpackhi_epi64(a, c);
  x2 = _mm256_unpacklo_epi64(b, d);
  x3 = _mm256_unpackhi_epi64(b, d);
}
static inline void transpose_quarters(I32x16 (&x)[4]) {
  transpose_quarters(x[0].a, x[1].a, x[2].a, x[3].a);
  transpose_quarters(x[0].b, x[1].b, x[2].b, x[3].b);
}

static inline float reduce_add(F32x16 v) {
  const __m256 x = _mm256_add_ps(v.a, v.b);
  const __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 z = _mm_add_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_add_ss(z, _mm_movehdup_ps(z)));
}
static inline float reduce_max(F32x16 v) {
  const __m256 x = _mm256_max_ps(v.a, v.b);
  const __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 z = _mm_max_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_max_ss(z, _mm_movehdup_ps(z)));
}

static inline F32x16 load_f16(const uint16_t* p) {
  const __m128i* q = reinterpret_cast<const __m128i*>(p);
  return {_mm256_cvtph_ps(_mm_loadu_si128(q)), _mm256_cvtph_ps(_mm_loadu_si128(q + 1))};
}
static inline void store_f16(uint16_t* p, F32x16 x) {
  __m128i* q = reinterpret_cast<__m128i*>(p);
  _mm_storeu_si128(q, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(q + 1, _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}
static inline F32x16 load_i8(const int8_t* p) {
  const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes)), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(codes, 8)))};
}
static inline F32x16 load_bf16(const uint16_t* p) {
  const __m128i* q = reinterpret_cast<const __m128i*>(p);
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(q)), 16)),
          _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(q + 1)), 16))};
}
static inline void store_u16(uint16_t* p, I32x16 x) {
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(x.a, x.b), 0xd8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), packed);
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
