// Drawing a token: temperature, min-p, top-k, top-p, typical-p, then the argmax of logit / temperature + Gumbel noise.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

// Best sum so far; equal sums go to the lowest id.
struct Best {
  float score = kNegativeInfinity;
  int32_t id = -1;
  void offer(float other, int32_t other_id) {
    if (id >= 0 && !(other > score) && !(other == score && other_id < id)) return;
    score = other;
    id = other_id;
  }
};

// Lanes that the cut keeps.
static inline uint32_t kept_lanes(F32x16 x, int64_t at, const Cut& cut) {
  uint32_t kept = bits_of(greater(x, set1(cut.logit)));
  const int64_t lanes = cut.id - at + 1;
  if (lanes > 0) kept |= bits_of(equal(x, set1(cut.logit))) & (lanes >= 16 ? 0xffffu : (1u << lanes) - 1);
  return kept;
}

// Over the tokens up to the cut that `typical` keeps. A tile is skipped when even the largest noise could not lift its best token to the
// best sum so far.
static int32_t draw_until(const Vocabulary& v, const Cut& cut, const Typical& typical, float temperature, const Noise& noise) {
  const F32x16 scale = set1(temperature);
  Best best;
  if (!typical.is_on) {
    const int32_t top = first_of_max(v);
    best.offer(first_lane(add(div(set1(v.max), scale), gumbel_of_tokens(noise, set1_i32(static_cast<uint32_t>(top))))), top);
  }
  for (int64_t tile = 0; tile < v.tiles; tile++) {
    if (v.tile_max[tile] < cut.logit || v.tile_max[tile] / temperature + kLargestGumbel < best.score) continue;
    const int64_t first = tile * kVocabularyTile;
    I32x16 bits[4];
    noise_of_tile(noise, static_cast<uint32_t>(first), bits);
    for (int i = 0; i < 4; i++) {
      const int64_t at = first + 16 * i;
      const F32x16 x = logits_at(v.logits, v.size, at);
      const F32x16 score = add(div(x, scale), gumbel_of(bits[i]));
      uint32_t hits = bits_of(greater_equal(score, set1(best.score)));
      if (hits == 0) continue;
      hits &= kept_lanes(x, at, cut);
      if (typical.is_on) hits &= typical.kept_lanes(x);
      float scores[16];
      store(scores, score);
      for (; hits != 0; hits &= hits - 1) {
        const int lane = __builtin_ctz(hits);
        best.offer(scores[lane], static_cast<int32_t>(at + lane));
      }
    }
  }
  return best.id;
}

static int32_t draw_from(const Candidate* candidates, int64_t count, float temperature, const Noise& noise) {
  Best best;
  for (int64_t i = 0; i < count; i += 16) {
    const int lanes = count - i < 16 ? static_cast<int>(count - i) : 16;
    float logits[16] = {};
    int32_t ids[16] = {};
    for (int j = 0; j < lanes; j++) {
      logits[j] = logit_of(candidates[i + j]);
      ids[j] = id_of(candidates[i + j]);
    }
    float scores[16];
    store(scores, add(div(load(logits), set1(temperature)), gumbel_of_tokens(noise, load_i32(ids))));
    for (int j = 0; j < lanes; j++) best.offer(scores[j], ids[j]);
  }
  return best.id;
}

// The lowest logit that min-p keeps: where e^((x - max) / temperature) is min_p. v.max is finite.
static float min_p_floor(const Vocabulary& v, const SampleParams& params) {
  constexpr float kSmallestNormal = 1.17549435e-38f;
  if (params.min_p < kSmallestNormal) return kLowest;
  // The product of two floats is exact in double.
  const double depth = static_cast<double>(params.temperature) * static_cast<double>(first_lane(log_positive(set1(params.min_p))));
  const auto floor = static_cast<float>(static_cast<double>(v.max) + depth);
  return floor > v.max ? v.max : at_least(floor, kLowest);
}

// The top_k first candidates down to `floor`, then the shortest prefix of them that holds top_p of their weight, then what is typical of it.
static int32_t draw_from_top(const Vocabulary& v, const SampleParams& params, float floor, const Noise& noise, const SampleScratch& scratch) {
  int64_t count = first_candidates(v, params.top_k, scratch);
  while (logit_of(scratch.found[count - 1]) < floor) count--;
  if (params.top_p < 1.0f) {
    weigh(scratch.found, count, params.temperature, v.max, scratch.weights);
    uint64_t total = 0;
    for (int64_t i = 0; i < count; i++) total += scratch.weights[i];
    count = prefix_reaching(scratch.weights, count, 0, static_cast<double>(params.top_p) * static_cast<double>(total));
  }
  if (params.typical_p < 1.0f) {
    const auto visit = [&](auto&& f) {
      for_candidates(scratch.found, count, [&](int64_t i, F32x16 x) { f(x, mask_of(count - i >= 16 ? 0xffffu : (1u << (count - i)) - 1)); });
    };
    count = typical_of(v.max, params, scratch, visit).keep(scratch.found, count);
  }
  return draw_from(scratch.found, count, params.temperature, noise);
}

static int32_t sample(const LogitRow& row, const SampleParams& params, uint8_t* bytes) {
  const SampleScratch scratch(bytes, row.vocab);
  const Vocabulary v = scan(row, scratch);
  if (v.max == kNegativeInfinity) return -1;

  const float temperature = params.temperature;
  const float hottest = temperature > 0.0f ? v.max / temperature : __builtin_inff();
  if (!(hottest < __builtin_inff() && hottest > kNegativeInfinity)) return first_of_max(v);

  const Noise noise(params.seed, params.position);
  const float floor = min_p_floor(v, params);
  if (params.top_k > 0 && params.top_k < v.size) return draw_from_top(v, params, floor, noise, scratch);
  Cut cut{floor, 0x7fffffff};
  if (params.top_p < 1.0f) cut = nucleus_cut(v, temperature, params.top_p, floor, scratch);
  Typical typical{};
  if (params.typical_p < 1.0f) {
    // What lies deeper weighs nothing.
    cut.logit = at_least(cut.logit, v.max - kDeepest * temperature);
    typical = typical_of(v.max, params, scratch, [&](auto&& f) {
      for (int64_t tile = 0; tile < v.tiles; tile++) {
        if (v.tile_max[tile] < cut.logit) continue;
        for_tile(v, tile, [&](int64_t at, F32x16 x) {
          const uint32_t lanes = kept_lanes(x, at, cut);
          if (lanes != 0) f(x, mask_of(lanes));
        });
      }
    });
  }
  return draw_until(v, cut, typical, temperature, noise);
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
