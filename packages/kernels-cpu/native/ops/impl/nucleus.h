// Top-p without a sort. Weights are integers, so their sums are exact and do not depend on the order: the weight at or above a
// logit can be found by any pass, a search narrows down where the nucleus ends, and only the tokens in between are put in order.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

constexpr float kWeightOfMax = 1073741824.0f;  // 2^30
// Tokens farther below the maximum, in units of the temperature, weigh nothing: e^-22 * 2^30 < 1/2.
constexpr float kDeepest = 22.5f;
constexpr int kThresholds = 8;
constexpr int64_t kMaxToSort = 4096;
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
  void add_where(Mask16 lanes, I32x16 x_low, I32x16 x_high) {
    low = KVASIR_OPS_NAMESPACE::add_where(lanes, low, x_low);
    high = KVASIR_OPS_NAMESPACE::add_where(lanes, high, x_high);
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

static inline float at_least(float x, float floor) { return x < floor ? floor : x; }

struct Thresholds {
  float logit[kThresholds];      // descending
  uint64_t above[kThresholds];   // weight of all tokens with a logit at or above
};

// Fills `above` from the weights of tokens; tiles whose logits are all below `deepest` add nothing.
template <class WeightsOf>
static inline void sum_above(const Vocabulary& v, Thresholds& t, float deepest, WeightsOf&& weights_of) {
  ExactSum sums[kThresholds];
  for (uint64_t& sum : t.above) sum = 0;
  for (int64_t run = 0; run < v.tiles; run += kExactTiles) {
    for (int64_t tile = run; tile < run + kExactTiles && tile < v.tiles; tile++) {
      if (v.tile_max[tile] < deepest) continue;
      for_tile(v, tile, [&](int64_t at, F32x16 x) {
        const I32x16 w = weights_of(at, x);
        const I32x16 low = bit_and(w, set1_i32(0xffff)), high = shift_right<16>(w);
        for (int i = 0; i < kThresholds; i++) sums[i].add_where(greater_equal(x, set1(t.logit[i])), low, high);
      });
    }
    for (int i = 0; i < kThresholds; i++) t.above[i] += sums[i].drain();
  }
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

// Where the nucleus of the tokens at or above `floor` ends. v.max is finite.
static Cut nucleus_cut(const Vocabulary& v, float temperature, float top_p, float floor, const SampleScratch& scratch) {
  static constexpr float depths[kThresholds] = {0.5f, 1.0f, 2.0f, 4.0f, 6.0f, 9.0f, 14.0f, kDeepest};
  Thresholds t;
  for (int i = 0; i < kThresholds; i++) t.logit[i] = at_least(v.max - depths[i] * temperature, floor);
  const F32x16 scale = set1(temperature), scaled_max = div(set1(v.max), scale);
  sum_above(v, t, t.logit[kThresholds - 1], [&](int64_t at, F32x16 x) {
    const I32x16 w = weight_of(x, scale, scaled_max);
    store_i32(scratch.weights + at, w);
    return w;
  });
  // Every token that weighs anything is at or above the last threshold.
  const double goal = static_cast<double>(top_p) * static_cast<double>(t.above[kThresholds - 1]);

  Range range{0.0f, 0.0f, false};  // where the nucleus ends
  uint64_t before = 0;             // weight above the range
  for (int round = 0;; round++) {
    int i = 0;
    for (; static_cast<double>(t.above[i]) < goal; i++) {
      before = t.above[i];
      range.upper = t.logit[i];
      range.has_upper = true;
    }
    range.lower = t.logit[i];
    const float from = range.has_upper ? range.upper : v.max;
    const float lightest = first_lane(exp_nonpositive(set1((range.lower - v.max) / temperature))) * kWeightOfMax;
    const bool few = static_cast<float>(t.above[i] - before) <= lightest * static_cast<float>(kMaxToSort);
    if (few || round == kMaxRounds || !(range.lower < from)) break;
    for (int j = 0; j < kThresholds - 1; j++) t.logit[j] = from + (range.lower - from) * (static_cast<float>(j + 1) / kThresholds);
    t.logit[kThresholds - 1] = range.lower;
    sum_above(v, t, range.lower, [&](int64_t at, F32x16) { return load_i32(scratch.weights + at); });
  }

  const int64_t count = collect(v, range, scratch.found);
  sort_candidates(scratch.found, scratch.spare, count);
  int64_t last = 0;
  for (uint64_t sum = before; last < count - 1; last++) {
    sum += scratch.weights[id_of(scratch.found[last])];
    if (static_cast<double>(sum) >= goal) break;
  }
  return {logit_of(scratch.found[last]), id_of(scratch.found[last])};
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
