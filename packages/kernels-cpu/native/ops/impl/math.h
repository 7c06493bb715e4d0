// exp, log, tanh and the normal tail on 16 lanes. Polynomials are minimax fits (Remez, relative error); no libm, no denormals needed.
// Bounds are against correctly rounded results and are tested over their whole range.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

constexpr float kNegativeInfinity = -__builtin_inff();

template <int N>
static inline F32x16 polynomial(F32x16 x, const float (&c)[N]) {
  F32x16 y = set1(c[N - 1]);
  for (int i = N - 2; i >= 0; i--) y = fma(y, x, set1(c[i]));
  return y;
}

static inline F32x16 absolute(F32x16 x) { return as_f32(bit_and(as_i32(x), set1_i32(0x7fffffff))); }
// |x| with the sign of y, for x >= 0.
static inline F32x16 with_sign(F32x16 x, F32x16 y) { return as_f32(bit_xor(as_i32(x), bit_and(as_i32(y), set1_i32(0x80000000)))); }

// e^x for x <= 0 (or NaN), at most 1 ulp off; 0 below -87, where the result would near the denormals.
static inline F32x16 exp_nonpositive(F32x16 x) {
  static constexpr float c[] = {0.49999994f, 0.166665196f, 0.0416684002f, 0.00836885069f, 0.00138143171f};
  const F32x16 shifter = set1(12582912.0f);  // 1.5 * 2^23: the sum holds round(x / ln 2) in its low bits
  const F32x16 shifted = fma(x, set1(1.44269504f), shifter);
  const F32x16 n = sub(shifted, shifter);
  F32x16 r = fma(n, set1(-0.693145752f), x);
  r = fma(n, set1(-1.42860677e-6f), r);
  const F32x16 p = add(fma(mul(r, r), polynomial(r, c), r), set1(1.0f));
  const F32x16 power = as_f32(add(shift_left<23>(as_i32(shifted)), set1_i32(0x3f800000)));
  return select(less(x, set1(-87.0f)), zero(), mul(p, power));
}

// log(1 + f) + e ln 2 for f in [sqrt(1/2) - 1, sqrt(2) - 1].
static inline F32x16 log_reduced(F32x16 f, F32x16 e) {
  static constexpr float c[] = {0.333333135f, -0.250000089f, 0.200021237f, -0.166680053f, 0.142194539f,
                                -0.124053463f, 0.118886948f, -0.116774783f, 0.0674768835f};
  const F32x16 square = mul(f, f);
  F32x16 y = mul(mul(polynomial(f, c), f), square);
  y = fma(e, set1(-2.12194440e-4f), y);
  y = fma(square, set1(-0.5f), y);
  return fma(e, set1(0.693359375f), add(f, y));
}

// log(x) of positive normal finite x, at most 2 ulp off.
static inline F32x16 log_positive(F32x16 x) {
  const I32x16 biased = add(as_i32(x), set1_i32(0x3f800000 - 0x3f3504f3));
  const F32x16 e = to_f32(sub(shift_right<23>(biased), set1_i32(127)));
  const F32x16 m = as_f32(add(bit_and(biased, set1_i32(0x007fffff)), set1_i32(0x3f3504f3)));
  return log_reduced(sub(m, set1(1.0f)), e);
}

// 1 / (1 + e^-x).
static inline F32x16 sigmoid(F32x16 x) {
  const F32x16 e = exp_nonpositive(sub(zero(), absolute(x)));
  const F32x16 numerator = select(less(x, zero()), e, set1(1.0f));
  return div(numerator, add(set1(1.0f), e));
}

// At most 2 ulp off.
static inline F32x16 tanh(F32x16 x) {
  static constexpr float c[] = {-0.333332837f, 0.133314908f, -0.0537433848f, 0.0206502005f, -0.00571659207f};
  const F32x16 magnitude = absolute(x);
  const F32x16 square = mul(x, x);
  const F32x16 small = fma(mul(polynomial(square, c), square), x, x);
  const F32x16 e = exp_nonpositive(mul(magnitude, set1(-2.0f)));
  const F32x16 large = div(sub(set1(1.0f), e), add(set1(1.0f), e));
  return select(less(magnitude, set1(0.625f)), small, with_sign(large, x));
}

// Share of the normal distribution beyond x, for x >= 0: erfc(z) / 2 with z = x / sqrt(2), at most 6 ulp off.
// e^(-z^2) times a polynomial in (2 - z) / (2 + z); z^2 comes from x, and its rounding error is put back.
static inline F32x16 normal_tail(F32x16 x) {
  static constexpr float c[] = {0.255395681f,    0.427185863f,     0.24165827f,    0.0789781585f,  0.00373167824f,   -0.00699365605f,
                                -0.000840551103f, 0.000966032676f, 3.11283329e-05f, -0.000141416313f, 2.88188949e-05f};
  const F32x16 near = select(less(x, set1(14.0f)), x, set1(14.0f));
  const F32x16 half = mul(near, set1(0.5f));
  const F32x16 square = mul(half, near);
  const F32x16 lost = fma(half, near, sub(zero(), square));
  const F32x16 e = exp_nonpositive(sub(zero(), square));
  const F32x16 z = mul(near, set1(0.707106781f));
  const F32x16 t = div(sub(set1(2.0f), z), add(set1(2.0f), z));
  return mul(mul(fnma(lost, e, e), polynomial(t, c)), set1(0.5f));
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
