// Sampling noise: a Gumbel number for (seed, position, token id). The definition is noise.ts of @kvasir/interfaces.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

constexpr int kPhiloxRounds = 10;
// No Gumbel number is larger: -log(-log(1 - 2^-25)) = 17.3287.
constexpr float kLargestGumbel = 17.35f;

struct Noise {
  uint32_t position;
  uint32_t key0[kPhiloxRounds], key1[kPhiloxRounds];

  Noise(uint64_t seed, int64_t at) : position(static_cast<uint32_t>(at)) {
    uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < kPhiloxRounds; round++) {
      key0[round] = k0;
      key1[round] = k1;
      k0 += 0x9e3779b9u;
      k1 += 0xbb67ae85u;
    }
  }

  // Philox4x32-10 of counters (c, position, 0, 0): words of 16 blocks of four tokens.
  void words(I32x16 c, I32x16 (&out)[4]) const {
    I32x16 c0 = c, c1 = set1_i32(position), c2 = set1_i32(0), c3 = set1_i32(0);
    for (int round = 0; round < kPhiloxRounds; round++) {
      I32x16 high0, low0, high1, low1;
      multiply_wide(c0, 0xd2511f53u, high0, low0);
      multiply_wide(c2, 0xcd9e8d57u, high1, low1);
      c0 = bit_xor(bit_xor(high1, c1), set1_i32(key0[round]));
      c2 = bit_xor(bit_xor(high0, c3), set1_i32(key1[round]));
      c1 = low1;
      c3 = low0;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
  }
};

// -log(-log(u)) with u = ((bits >>> 8) + 1/2) / 2^24. In the upper half it works from 1 - u, which float32 holds exactly where u does not fit.
static inline F32x16 gumbel_of(I32x16 bits) {
  const I32x16 whole = shift_right<8>(bits);
  const Mask16 upper = greater(whole, set1_i32(0x7fffff));
  const I32x16 folded = select(upper, bit_xor(whole, set1_i32(0xffffff)), whole);
  const F32x16 v = mul(add(to_f32(folded), set1(0.5f)), set1(0x1p-24f));  // min(u, 1 - u)

  const I32x16 biased = add(as_i32(v), set1_i32(0x3f800000 - 0x3f3504f3));
  const F32x16 lower_e = to_f32(sub(shift_right<23>(biased), set1_i32(127)));
  const F32x16 lower_f = sub(as_f32(add(bit_and(biased, set1_i32(0x007fffff)), set1_i32(0x3f3504f3))), set1(1.0f));

  const Mask16 near_one = less(v, set1(0.292893f));
  const F32x16 upper_e = select(near_one, zero(), set1(-1.0f));
  const F32x16 upper_f = select(near_one, sub(zero(), v), fma(set1(-2.0f), v, set1(1.0f)));

  const F32x16 minus_log = sub(zero(), log_reduced(select(upper, upper_f, lower_f), select(upper, upper_e, lower_e)));
  return sub(zero(), log_positive(minus_log));
}

// Noise of 16 given tokens.
static inline F32x16 gumbel_of_tokens(const Noise& noise, I32x16 ids) {
  I32x16 w[4];
  noise.words(shift_right<2>(ids), w);
  const I32x16 word = bit_and(ids, set1_i32(3));
  I32x16 bits = w[0];
  for (uint32_t i = 1; i < 4; i++) bits = select(equal(word, set1_i32(i)), w[i], bits);
  return gumbel_of(bits);
}

// Noise bits of the 64 tokens from `first`, a multiple of 64, in token order.
static inline void noise_of_tile(const Noise& noise, uint32_t first, I32x16 (&bits)[4]) {
  // Lane 4q + j draws block 4j + q, so that the transposes leave the tokens in order.
  const I32x16 lane = lane_index();
  const I32x16 block = add(shift_left<2>(bit_and(lane, set1_i32(3))), shift_right<2>(lane));
  noise.words(add(block, set1_i32(first / 4)), bits);
  transpose_quarters(bits);
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
