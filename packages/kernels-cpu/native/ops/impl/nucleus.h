// Top-p without a sort. Weights are integers, so their sums are exact and do not depend on the order: the weight at or above a
// logit can be found by any pass, a search narrows down where the nucleus ends, and only the tokens in between are put in order.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

constexpr float kWeightOfMax = 1073741824.0f;  // 2^30
// Tokens farther below the maximum, in units of the temperature, weigh nothing: e^-22 * 2^30 + 1/2 < 1.
constexpr float kDeepest = 22.0f;
constexpr int kThresholds = 8;
constexpr int64_t kMaxToSort = 1024;
constexpr int kMaxRounds = 6;
// Tiles that may be summed in 32-bit lanes: each adds four numbers below 2^16 a lane.
constexpr int64_t kExactTiles = 16384;

// Last token of the kept ones in the order of candidates.
struct Cut {
  float logit;
  int32_t id;
};

// e^((x - max) / temperature) in units of 2^-30, rounded.
static inline I32x16 weight_of(F32x16 x, F32x16 temperature, F32x16 scaled_max) {
  const F32x16 weight = exp_nonpositive(sub(div(x, temperature), scaled_max));
  return to_i32(fma(weight, set1(kWeightOfMax), set1(0.5f)));
}

// Exact sum of 32-bit lanes, in halves of 16 bits.
struct ExactSum {
  I32x16 low = set1_i32(0), high = set1_i32(0);
  void add_lanes(I32x16 x) {
    low = add(low, bit_and(x, set1_i32(0xffff)));
    high = add(high, shift_right<16>(x));
  }
  uint64_t drain() {
    uint32_t parts[2][16];
    store_i32(parts[0], low);
    store_i32(parts[1], high);
    uint64_t sum = 0;
    for (int i = 0; i < 16; i++) sum += parts[0][i] + (static_cast<uint64_t>(parts[1][i]) << 16);
    low = high = set1_i32(0);
    return sum;
  }
};

// above[i]: weight of all tokens with logit >= thresholds[i] (descending).
static void weights_above(const Vocabulary& v, float temperature, const float (&thresholds)[kThresholds], uint64_t (&above)[kThresholds]) {
  const F32x16 scale = set1(temperature), scaled_max = div(set1(v.max), scale);
  ExactSum sums[kThresholds];
  for (uint64_t& sum : above) sum = 0;
  for (int64_t run = 0; run < v.tiles; run += kExactTiles) {
    for (int64_t tile = run; tile < run + kExactTiles && tile < v.tiles; tile++) {
      if (v.tile_max[tile] < thresholds[kThresholds - 1]) continue;
      for_tile(v, tile, [&](int64_t, F32x16 x) {
        const I32x16 w = weight_of(x, scale, scaled_max);
        for (int i = 0; i < kThresholds; i++) sums[i].add_lanes(select(greater_equal(x, set1(thresholds[i])), w, set1_i32(0)));
      });
    }
    for (int i = 0; i < kThresholds; i++) above[i] += sums[i].drain();
  }
}

static uint64_t total_weight(const Vocabulary& v, float temperature) {
  const F32x16 scale = set1(temperature), scaled_max = div(set1(v.max), scale);
  ExactSum sum;
  uint64_t total = 0;
  for (int64_t run = 0; run < v.tiles; run += kExactTiles) {
    for (int64_t tile = run; tile < run + kExactTiles && tile < v.tiles; tile++) {
      if (v.tile_max[tile] / temperature - v.max / temperature < -kDeepest) continue;
      for_tile(v, tile, [&](int64_t, F32x16 x) { sum.add_lanes(weight_of(x, scale, scaled_max)); });
    }
    total += sum.drain();
  }
  return total;
}

static void weigh(const Candidate* candidates, int64_t count, float temperature, float max, uint32_t* weights) {
  const F32x16 scale = set1(temperature), scaled_max = div(set1(max), scale);
  for (int64_t i = 0; i < count; i += 16) {
    float logits[16] = {};
    for (int64_t j = i; j < i + 16; j++) logits[j - i] = j < count ? logit_of(candidates[j]) : max;
    store_i32(weights + i, weight_of(load(logits), scale, scaled_max));
  }
}

// Length of the shortest prefix that, with the weight `before` it, reaches `goal`; `count` when none does.
static int64_t prefix_reaching(const uint32_t* weights, int64_t count, uint64_t before, double goal) {
  for (int64_t i = 0; i < count; i++) {
    before += weights[i];
    if (static_cast<double>(before) >= goal) return i + 1;
  }
  return count;
}

// Where the nucleus of the whole vocabulary ends. v.max is finite.
static Cut nucleus_cut(const Vocabulary& v, float temperature, float top_p, const SampleScratch& scratch) {
  static constexpr float depths[kThresholds] = {0.5f, 1.0f, 2.0f, 4.0f, 6.0f, 9.0f, 14.0f, kDeepest};
  const double goal = static_cast<double>(top_p) * static_cast<double>(total_weight(v, temperature));
  float thresholds[kThresholds];
  for (int i = 0; i < kThresholds; i++) thresholds[i] = v.max - depths[i] * temperature;

  Range range{kNegativeInfinity, 0.0f, false};  // where the nucleus ends
  uint64_t before = 0;                          // weight above the range
  for (int round = 0; round < kMaxRounds; round++) {
    uint64_t above[kThresholds];
    weights_above(v, temperature, thresholds, above);
    uint64_t inside = 0;
    for (int i = 0; i < kThresholds; i++) {
      if (static_cast<double>(above[i]) >= goal) {
        inside = above[i] - before;
        range.lower = thresholds[i];
        break;
      }
      before = above[i];
      range.upper = thresholds[i];
      range.has_upper = true;
    }
    if (range.lower == kNegativeInfinity) break;  // rounding at the deepest threshold
    const float from = range.has_upper ? range.upper : v.max;
    const float lightest = first_lane(exp_nonpositive(set1((range.lower - v.max) / temperature))) * kWeightOfMax;
    if (static_cast<float>(inside) <= lightest * static_cast<float>(kMaxToSort) || !(range.lower < from)) break;
    for (int i = 0; i < kThresholds - 1; i++) thresholds[i] = from + (range.lower - from) * (static_cast<float>(i + 1) / kThresholds);
    thresholds[kThresholds - 1] = range.lower;
  }

  const int64_t count = collect(v, range, scratch.found);
  sort_candidates(scratch.found, scratch.spare, count);
  weigh(scratch.found, count, temperature, v.max, scratch.weights);
  const Candidate last = scratch.found[prefix_reaching(scratch.weights, count, before, goal) - 1];
  return {logit_of(last), id_of(last)};
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
