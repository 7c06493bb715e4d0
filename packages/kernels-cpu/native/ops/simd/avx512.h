// 16 lanes in one AVX-512 register. Meaning: scalar.h.
#pragma once
#include <immintrin.h>
#include <cstdint>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC's own headers start unmasked results from undefined registers
#endif

namespace kvasir::KVASIR_OPS_NAMESPACE {

constexpr int kMaxLines = 4;
constexpr int kMaxTiles = 4;
constexpr int kMaxValueVectors = 4;

struct F32x16 { __m512 v; };
struct I32x16 { __m512i v; };
struct Mask16 { __mmask16 m; };

static inline __mmask16 first_mask(int n) { return static_cast<__mmask16>((1u << n) - 1); }

static inline F32x16 set1(float x) { return {_mm512_set1_ps(x)}; }
static inline F32x16 zero() { return {_mm512_setzero_ps()}; }
static inline F32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
static inline void store(float* p, F32x16 a) { _mm512_storeu_ps(p, a.v); }
static inline F32x16 load_first(const float* p, int n) { return {_mm512_maskz_loadu_ps(first_mask(n), p)}; }
static inline void store_first(float* p, F32x16 a, int n) { _mm512_mask_storeu_ps(p, first_mask(n), a.v); }
static inline float first_lane(F32x16 a) { return _mm512_cvtss_f32(a.v); }

static inline F32x16 add(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
static inline F32x16 sub(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
static inline F32x16 mul(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
static inline F32x16 div(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
static inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
static inline F32x16 fnma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
static inline F32x16 max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
static inline F32x16 sqrt(F32x16 a) { return {_mm512_sqrt_ps(a.v)}; }

static inline Mask16 less(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
static inline Mask16 greater(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
static inline Mask16 greater_equal(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
static inline Mask16 equal(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
static inline Mask16 mask_of(uint32_t bits) { return {static_cast<__mmask16>(bits)}; }
static inline uint32_t bits_of(Mask16 m) { return m.m; }
static inline F32x16 select(Mask16 m, F32x16 yes, F32x16 no) { return {_mm512_mask_blend_ps(m.m, no.v, yes.v)}; }
static inline I32x16 select(Mask16 m, I32x16 yes, I32x16 no) { return {_mm512_mask_blend_epi32(m.m, no.v, yes.v)}; }

static inline I32x16 set1_i32(uint32_t x) { return {_mm512_set1_epi32(static_cast<int>(x))}; }
static inline I32x16 lane_index() { return {_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)}; }
static inline I32x16 load_i32(const void* p) { return {_mm512_loadu_si512(p)}; }
static inline void store_i32(void* p, I32x16 a) { _mm512_storeu_si512(p, a.v); }
static inline I32x16 as_i32(F32x16 a) { return {_mm512_castps_si512(a.v)}; }
static inline F32x16 as_f32(I32x16 a) { return {_mm512_castsi512_ps(a.v)}; }
static inline I32x16 add(I32x16 a, I32x16 b) { return {_mm512_add_epi32(a.v, b.v)}; }
static inline I32x16 add_where(Mask16 m, I32x16 sum, I32x16 a) { return {_mm512_mask_add_epi32(sum.v, m.m, sum.v, a.v)}; }
static inline I32x16 sub(I32x16 a, I32x16 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
static inline I32x16 bit_and(I32x16 a, I32x16 b) { return {_mm512_and_si512(a.v, b.v)}; }
static inline I32x16 bit_xor(I32x16 a, I32x16 b) { return {_mm512_xor_si512(a.v, b.v)}; }
template <int K> static inline I32x16 shift_left(I32x16 a) { return {_mm512_slli_epi32(a.v, K)}; }
template <int K> static inline I32x16 shift_right(I32x16 a) { return {_mm512_srli_epi32(a.v, K)}; }
static inline Mask16 equal(I32x16 a, I32x16 b) { return {_mm512_cmpeq_epi32_mask(a.v, b.v)}; }
static inline Mask16 greater(I32x16 a, I32x16 b) { return {_mm512_cmpgt_epi32_mask(a.v, b.v)}; }
static inline F32x16 to_f32(I32x16 a) { return {_mm512_cvtepi32_ps(a.v)}; }
static inline I32x16 to_i32(F32x16 a) { return {_mm512_cvttps_epi32(a.v)}; }

static inline void multiply_wide(I32x16 a, uint32_t b, I32x16& high, I32x16& low) {
  const __m512i factor = _mm512_set1_epi32(static_cast<int>(b));
  const __m512i even = _mm512_mul_epu32(a.v, factor);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a.v, 32), factor);
  high.v = _mm512_mask_mov_epi32(_mm512_srli_epi64(even, 32), 0xaaaa, odd);
  low.v = _mm512_mask_mov_epi32(even, 0xaaaa, _mm512_slli_epi64(odd, 32));
}

static inline void transpose_quarters(I32x16 (&x)[4]) {
  const __m512i a = _mm512_unpacklo_epi32(x[0].v, x[1].v), b = _mm512_unpackhi_epi32(x[0].v, x[1].v);
  const __m512i c = _mm512_unpacklo_epi32(x[2].v, x[3].v), d = _mm512_unpackhi_epi32(x[2].v, x[3].v);
  x[0].v = _mm512_unpacklo_epi64(a, c);
  x[1].v = _mm512_unpackhi_epi64(a, c);
  x[2].v = _mm512_unpacklo_epi64(b, d);
  x[3].v = _mm512_unpackhi_epi64(b, d);
}

static inline float reduce_add(F32x16 a) {
  const __m256 x = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 z = _mm_add_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_add_ss(z, _mm_movehdup_ps(z)));
}
static inline float reduce_max(F32x16 a) {
  const __m256 x = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 z = _mm_max_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_max_ss(z, _mm_movehdup_ps(z)));
}

static inline F32x16 load_f16(const uint16_t* p) { return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))}; }
static inline void store_f16(uint16_t* p, F32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline F32x16 load_i8(const int8_t* p) { return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))}; }
static inline F32x16 load_bf16(const uint16_t* p) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
}
static inline void store_u16(uint16_t* p, I32x16 a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(a.v)); }

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
