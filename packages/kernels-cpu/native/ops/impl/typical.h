// Locally typical sampling without a sort. The surprise of a token less the entropy is, up to its sign, its scaled logit less the mean of
// the scaled logits: what is kept is an interval around that mean, and a search over integer weights finds how far it reaches.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

// Calls f(first index, logits) for 16 candidates at a time; lanes past the end repeat one.
template <class F>
static inline void for_candidates(const Candidate* candidates, int64_t count, F&& f) {
  for (int64_t i = 0; i < count; i += 16) {
    float logits[16];
    for (int64_t j = 0; j < 16; j++) logits[j] = logit_of(candidates[i + j < count ? i + j : i]);
    f(i, load(logits));
  }
}

// Tokens whose scaled logit is at most `reach` away from the mean. Scaled logits are those of weight_of: (x / temperature) - (max / temperature).
struct Typical {
  bool is_on;
  float temperature;
  float scaled_max;
  float mean;
  float reach;

  F32x16 distance(F32x16 x) const { return absolute(sub(sub(div(x, set1(temperature)), set1(scaled_max)), set1(mean))); }
  uint32_t kept_lanes(F32x16 x) const { return bits_of(greater_equal(set1(reach), distance(x))); }

  // Moves the kept candidates to the front; returns how many.
  int64_t keep(Candidate* candidates, int64_t count) const {
    int64_t kept = 0;
    for_candidates(candidates, count, [&](int64_t i, F32x16 x) {
      const uint32_t lanes = kept_lanes(x);
      for (int64_t j = 0; j < 16 && i + j < count; j++)
        if (lanes >> j & 1u) candidates[kept++] = candidates[i + j];
    });
    return kept;
  }
};

// A token that may be kept, as its distance from the mean (float bits: no sign, so they are in order) and its weight.
struct Weighed {
  uint32_t key;
  uint32_t weight;
};

// The smallest key such that keys up to it weigh `goal` or more: digit by digit from the top, over fewer tokens each time.
static uint32_t key_reaching(Weighed* tokens, int64_t count, double goal) {
  constexpr int kDigits = 3;
  static constexpr int shifts[kDigits] = {21, 10, 0}, sizes[kDigits] = {2048, 2048, 1024};
  uint32_t prefix = 0;
  uint64_t before = 0;
  for (int digit = 0; digit < kDigits; digit++) {
    uint64_t sums[2048] = {};
    const int shift = shifts[digit];
    const auto last = static_cast<uint32_t>(sizes[digit] - 1);
    for (int64_t i = 0; i < count; i++) sums[tokens[i].key >> shift & last] += tokens[i].weight;
    uint32_t value = 0;
    for (; value < last && static_cast<double>(before + sums[value]) < goal; value++) before += sums[value];
    prefix |= value << shift;
    int64_t left = 0;
    for (int64_t i = 0; i < count; i++) {
      tokens[left] = tokens[i];
      left += (tokens[i].key >> shift & last) == value;
    }
    count = left;
  }
  return prefix;
}

// Mean and weight of tokens that are added 16 at a time, in runs that are summed in lanes before they move on to double.
class TypicalSums {
 public:
  void add(F32x16 scaled, Mask16 lanes) {
    // Where e is 0, scaled may be -inf.
    scaled = max(scaled, set1(-128.0f));
    const F32x16 e = select(lanes, exp_nonpositive(scaled), zero());
    share_ = kvasir::KVASIR_OPS_NAMESPACE::add(share_, e);
    sum_ = fma(e, select(lanes, scaled, zero()), sum_);
    if (++vectors_ == 4 * kSumTiles) drain();
  }
  float mean() {
    drain();
    return static_cast<float>(total_sum_ / total_share_);
  }

 private:
  void drain() {
    total_share_ += static_cast<double>(reduce_add(share_));
    total_sum_ += static_cast<double>(reduce_add(sum_));
    share_ = sum_ = zero();
    vectors_ = 0;
  }
  F32x16 share_ = zero(), sum_ = zero();
  double total_share_ = 0, total_sum_ = 0;
  int64_t vectors_ = 0;
};

// What is typical of the tokens that `visit` shows: it calls its argument with 16 logits and the lanes that count, in a fixed order.
template <class Visit>
static Typical typical_of(float max, const SampleParams& params, const SampleScratch& scratch, Visit&& visit) {
  Typical typical{true, params.temperature, max / params.temperature, 0.0f, 0.0f};
  TypicalSums sums;
  visit([&](F32x16 x, Mask16 lanes) { sums.add(sub(div(x, set1(params.temperature)), set1(typical.scaled_max)), lanes); });
  typical.mean = sums.mean();

  auto* tokens = reinterpret_cast<Weighed*>(scratch.spare);
  int64_t count = 0;
  uint64_t total = 0;
  const F32x16 scale = set1(params.temperature), scaled_max = set1(typical.scaled_max);
  visit([&](F32x16 x, Mask16 lanes) {
    uint32_t weights[16], keys[16];
    store_i32(weights, weight_of(x, scale, scaled_max));
    store_i32(keys, as_i32(typical.distance(x)));
    for (uint32_t hits = bits_of(lanes); hits != 0; hits &= hits - 1) {
      const int lane = __builtin_ctz(hits);
      tokens[count++] = {keys[lane], weights[lane]};
      total += weights[lane];
    }
  });
  const uint32_t key = key_reaching(tokens, count, static_cast<double>(params.typical_p) * static_cast<double>(total));
  __builtin_memcpy(&typical.reach, &key, 4);
  return typical;
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
