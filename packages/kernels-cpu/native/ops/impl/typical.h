// Locally typical sampling without a sort. The surprise of a token less the entropy is, up to its sign, its scaled logit less the mean of
// the scaled logits: what is kept is an interval around that mean, and a search over integer weights finds how far it reaches.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

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
    for (int64_t i = 0; i < count; i += 16) {
      float logits[16];
      for (int64_t j = 0; j < 16; j++) logits[j] = logit_of(candidates[i + j < count ? i + j : i]);
      const uint32_t lanes = kept_lanes(load(logits));
      for (int64_t j = 0; j < 16 && i + j < count; j++)
        if (lanes >> j & 1u) candidates[kept++] = candidates[i + j];
    }
    return kept;
  }
};

// Candidates up to the cut, in place.
static int64_t up_to(const Cut& cut, Candidate* candidates, int64_t count) {
  const Candidate last = candidate_of(cut.logit + 0.0f, static_cast<uint32_t>(cut.id));
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++)
    if (candidates[i] <= last) candidates[kept++] = candidates[i];
  return kept;
}

// The smallest key such that keys up to it weigh `goal` or more: digit by digit from the top.
static uint32_t key_reaching(const uint32_t* keys, const uint32_t* weights, int64_t count, double goal) {
  constexpr int kDigits = 3;
  static constexpr int shifts[kDigits] = {21, 10, 0}, sizes[kDigits] = {2048, 2048, 1024};
  uint32_t prefix = 0, fixed = 0;
  uint64_t before = 0;
  for (int digit = 0; digit < kDigits; digit++) {
    uint64_t sums[2048] = {};
    const auto last = static_cast<uint32_t>(sizes[digit] - 1);
    for (int64_t i = 0; i < count; i++)
      if ((keys[i] & fixed) == prefix) sums[keys[i] >> shifts[digit] & last] += weights[i];
    uint32_t value = 0;
    for (; value < last && static_cast<double>(before + sums[value]) < goal; value++) before += sums[value];
    prefix |= value << shifts[digit];
    fixed |= last << shifts[digit];
  }
  return prefix;
}

// What is typical of candidates whose weights are in scratch.weights.
static Typical typical_of(const Candidate* candidates, int64_t count, float max, const SampleParams& params, const SampleScratch& scratch) {
  Typical typical{true, params.temperature, max / params.temperature, 0.0f, 0.0f};
  auto* keys = reinterpret_cast<uint32_t*>(scratch.spare);
  const auto each = [&](auto&& f) {
    for (int64_t i = 0; i < count; i += 16) {
      float logits[16];
      for (int64_t j = 0; j < 16; j++) logits[j] = logit_of(candidates[i + j < count ? i + j : i]);
      f(i, load(logits));
    }
  };
  uint64_t total = 0;
  double sum = 0;
  each([&](int64_t first, F32x16 x) {
    float scaled[16];
    store(scaled, typical.distance(x));  // the mean is still 0, and no scaled logit is above it
    for (int64_t i = first; i < first + 16 && i < count; i++) {
      total += scratch.weights[i];
      if (scratch.weights[i] != 0) sum -= static_cast<double>(scratch.weights[i]) * static_cast<double>(scaled[i - first]);
    }
  });
  typical.mean = static_cast<float>(sum / static_cast<double>(total));
  each([&](int64_t first, F32x16 x) { store_i32(keys + first, as_i32(typical.distance(x))); });
  const uint32_t key = key_reaching(keys, scratch.weights, count, static_cast<double>(params.typical_p) * static_cast<double>(total));
  __builtin_memcpy(&typical.reach, &key, 4);
  return typical;
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
