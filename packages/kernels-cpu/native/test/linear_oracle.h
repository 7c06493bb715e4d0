// What the linear tests compare with: file formats read one element at a time in double, and sums with error bounds.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "../linear/layout.h"
#include "../linear/linear.h"

namespace kvasir::test {

using Random = std::mt19937_64;

inline double uniform(Random& random, double low, double high) { return std::uniform_real_distribution<double>(low, high)(random); }
inline int64_t integer(Random& random, int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random); }

inline constexpr WeightEncoding kAllEncodings[] = {
    WeightEncoding::f32,  WeightEncoding::f16,  WeightEncoding::bf16, WeightEncoding::q4_0, WeightEncoding::q4_1, WeightEncoding::q5_0,
    WeightEncoding::q5_1, WeightEncoding::q8_0, WeightEncoding::q4_k, WeightEncoding::q5_k, WeightEncoding::q6_k};

inline const char* name_of(WeightEncoding e) {
  static const char* const names[] = {"f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q4_k", "q5_k", "q6_k"};
  return names[static_cast<int>(e)];
}

inline int64_t block_elements(WeightEncoding e) {
  return e <= WeightEncoding::bf16 ? 1 : e >= WeightEncoding::q4_k ? 256 : 32;
}

inline double half_value(const uint8_t* p) {
  const int bits = p[0] | p[1] << 8;
  const int exponent = bits >> 10 & 31;
  const int mantissa = bits & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

inline bool has_minimum(WeightEncoding e) {
  return e == WeightEncoding::q4_1 || e == WeightEncoding::q5_1 || e == WeightEncoding::q4_k || e == WeightEncoding::q5_k;
}

struct ScalePair {
  int scale, minimum;
};

inline ScalePair six_bit_scales(const uint8_t* s, int j) {
  if (j < 4) return {s[j] & 63, s[j + 4] & 63};
  return {(s[j + 4] & 15) | (s[j - 4] >> 6) << 4, (s[j + 4] >> 4) | (s[j] >> 6) << 4};
}

// Element k of an encoded row, as the exact real number.
inline double element(WeightEncoding e, const uint8_t* row, int64_t k) {
  const auto in32 = static_cast<int>(k % 32);
  const auto nibble = [&](const uint8_t* qs) { return in32 < 16 ? qs[in32] & 15 : qs[in32 - 16] >> 4; };
  const auto fifth = [&](const uint8_t* qh) { return (qh[in32 / 8] >> (in32 % 8) & 1) << 4; };
  switch (e) {
    case WeightEncoding::f32: {
      float value;
      std::memcpy(&value, row + 4 * k, 4);
      return value;
    }
    case WeightEncoding::f16: return half_value(row + 2 * k);
    case WeightEncoding::bf16: {
      const uint32_t bits = static_cast<uint32_t>(row[2 * k] | row[2 * k + 1] << 8) << 16;
      float value;
      std::memcpy(&value, &bits, 4);
      return value;
    }
    case WeightEncoding::q4_0: {
      const uint8_t* b = row + k / 32 * 18;
      return half_value(b) * (nibble(b + 2) - 8);
    }
    case WeightEncoding::q4_1: {
      const uint8_t* b = row + k / 32 * 20;
      return half_value(b) * nibble(b + 4) + half_value(b + 2);
    }
    case WeightEncoding::q5_0: {
      const uint8_t* b = row + k / 32 * 22;
      return half_value(b) * ((nibble(b + 6) | fifth(b + 2)) - 16);
    }
    case WeightEncoding::q5_1: {
      const uint8_t* b = row + k / 32 * 24;
      return half_value(b) * (nibble(b + 8) | fifth(b + 4)) + half_value(b + 2);
    }
    case WeightEncoding::q8_0: {
      const uint8_t* b = row + k / 32 * 34;
      return half_value(b) * static_cast<int8_t>(b[2 + in32]);
    }
    case WeightEncoding::q4_k: {
      const uint8_t* b = row + k / 256 * 144;
      const auto j = static_cast<int>(k % 256 / 32);
      const uint8_t byte = b[16 + j / 2 * 32 + in32];
      const ScalePair s = six_bit_scales(b + 4, j);
      return half_value(b) * s.scale * (j % 2 ? byte >> 4 : byte & 15) - half_value(b + 2) * s.minimum;
    }
    case WeightEncoding::q5_k: {
      const uint8_t* b = row + k / 256 * 176;
      const auto j = static_cast<int>(k % 256 / 32);
      const uint8_t byte = b[48 + j / 2 * 32 + in32];
      const int q = (j % 2 ? byte >> 4 : byte & 15) + (b[16 + in32] >> j & 1 ? 16 : 0);
      const ScalePair s = six_bit_scales(b + 4, j);
      return half_value(b) * s.scale * q - half_value(b + 2) * s.minimum;
    }
    case WeightEncoding::q6_k: {
      const uint8_t* b = row + k / 256 * 210;
      const auto at = static_cast<int>(k % 256);
      const int n = at / 128, part = at % 128 / 32;
      const uint8_t ql = b[n * 64 + in32 + (part % 2) * 32];
      const uint8_t qh = b[128 + n * 32 + in32];
      const int q = ((part < 2 ? ql & 15 : ql >> 4) | (qh >> (2 * part) & 3) << 4) - 32;
      return half_value(b + 208) * static_cast<int8_t>(b[192 + n * 8 + part * 2 + in32 / 16]) * q;
    }
  }
  return 0;
}

inline void put_half(Random& random, uint8_t* p) {
  // Finite, mostly ordinary sizes, sometimes subnormal or zero, either sign.
  const int64_t kind = integer(random, 0, 31);
  const int exponent = static_cast<int>(kind == 0 ? 0 : integer(random, 4, 16));
  const int mantissa = static_cast<int>(kind == 1 ? 0 : integer(random, 0, 1023));
  const int bits = static_cast<int>(integer(random, 0, 1)) << 15 | exponent << 10 | mantissa;
  p[0] = static_cast<uint8_t>(bits);
  p[1] = static_cast<uint8_t>(bits >> 8);
}

// Bytes of a random row: any code, finite scales.
inline void random_row(Random& random, WeightEncoding e, int64_t k, uint8_t* row) {
  const int64_t bytes = encoded_row_bytes(e, k);
  if (e <= WeightEncoding::bf16) {
    for (int64_t i = 0; i < k; ++i) {
      const auto value = static_cast<float>(uniform(random, -1, 1) * std::exp2(static_cast<double>(integer(random, -8, 2))));
      if (e == WeightEncoding::f32) std::memcpy(row + 4 * i, &value, 4);
      if (e == WeightEncoding::bf16) std::memcpy(row + 2 * i, reinterpret_cast<const uint8_t*>(&value) + 2, 2);
      if (e == WeightEncoding::f16) put_half(random, row + 2 * i);
    }
    return;
  }
  for (int64_t i = 0; i < bytes; ++i) row[i] = static_cast<uint8_t>(random());
  const int64_t block = bytes / (k / block_elements(e));
  for (uint8_t* b = row; b < row + bytes; b += block) {
    put_half(random, e == WeightEncoding::q6_k ? b + 208 : b);
    if (has_minimum(e)) put_half(random, b + 2);
  }
}

// A sum in double with a bound on the error of the float32 evaluation.
struct Bounded {
  double value = 0;
  double bound = 0;
};

inline constexpr double kUnit = 0x1p-24;

// Integer form: the prepared activation is taken as given, so only the float32 epilogue rounds. Per group (half group for Q6_K):
// s * a.scale rounds (relative kUnit), the fma rounds its result; with a minimum also a.scaled_sum and a second fma.
inline Bounded integer_dot(WeightEncoding e, const double* weights, double group_minimum(WeightEncoding, const uint8_t*, int64_t), const uint8_t* row,
                           const ActivationBlock* a, int64_t k) {
  Bounded sum;
  const int64_t step = e == WeightEncoding::q6_k ? 16 : 32;
  for (int64_t i = 0; i < k; i += step) {
    const ActivationBlock& block = a[i / 32];
    const double scale = block.scale;
    const double minimum = group_minimum(e, row, i);
    double product = 0, q_sum = 0;
    for (int64_t l = i; l < i + step; ++l) {
      product += (weights[l] - minimum) * block.q[l % 32];
      q_sum += block.q[l % 32];
    }
    sum.value += product * scale;
    sum.bound += kUnit * (std::fabs(product * scale) + std::fabs(sum.value));
    if (minimum != 0) {
      sum.value += minimum * scale * q_sum;
      sum.bound += kUnit * (std::fabs(minimum * scale * q_sum) + std::fabs(sum.value));
    }
  }
  sum.bound = sum.bound * 1.001 + 1e-37;
  return sum;
}

// What is added to scale * code in the group of element k.
inline double minimum_of(WeightEncoding e, const uint8_t* row, int64_t k) {
  switch (e) {
    case WeightEncoding::q4_1: return half_value(row + k / 32 * 20 + 2);
    case WeightEncoding::q5_1: return half_value(row + k / 32 * 24 + 2);
    case WeightEncoding::q4_k:
    case WeightEncoding::q5_k: {
      const uint8_t* b = row + k / 256 * (e == WeightEncoding::q4_k ? 144 : 176);
      return -half_value(b + 2) * six_bit_scales(b + 4, static_cast<int>(k % 256 / 32)).minimum;
    }
    default: return 0;
  }
}

// One fma a step of k (f32), or two a pair (bf16; products of bf16 are exact): each rounds its result.
inline Bounded float_dot(const float* weights, const float* x, int64_t k, double roundings) {
  Bounded sum;
  for (int64_t i = 0; i < k; ++i) {
    sum.value += static_cast<double>(weights[i]) * static_cast<double>(x[i]);
    sum.bound += roundings * kUnit * std::fabs(sum.value);
  }
  sum.bound = sum.bound * 1.001 + 1e-37;
  return sum;
}

}  // namespace kvasir::test
