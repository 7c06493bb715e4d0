// Drawing a token: banned ids, temperature, top-k, top-p, then the argmax of logit / temperature + Gumbel noise.
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

// Over the whole vocabulary. A tile is skipped when even the largest noise could not lift its best token to the best sum so far.
static int32_t draw_from_all(const Vocabulary& v, float temperature, const Noise& noise) {
  const F32x16 scale = set1(temperature);
  const int32_t top = first_of_max(v);
  float reached = first_lane(add(div(set1(v.max), scale), gumbel_of_tokens(noise, set1_i32(static_cast<uint32_t>(top)))));
  Best best;
  best.offer(reached, top);
  for (int64_t tile = 0; tile < v.tiles; tile++) {
    if (v.tile_max[tile] / temperature + kLargestGumbel < best.score) continue;
    const int64_t first = tile * kVocabularyTile;
    I32x16 bits[4];
    noise_of_tile(noise, static_cast<uint32_t>(first), bits);
    for (int i = 0; i < 4; i++) {
      const int64_t at = first + 16 * i;
      const F32x16 score = add(div(logits_at(v.logits, v.size, at), scale), gumbel_of(bits[i]));
      uint32_t hits = bits_of(greater_equal(score, set1(best.score)));
      if (hits == 0) continue;
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

static void weigh(const Candidate* candidates, int64_t count, float temperature, float max, float* weights) {
  for (int64_t i = 0; i < count; i += 16) {
    float logits[16] = {};
    for (int64_t j = i; j < i + 16; j++) logits[j - i] = j < count ? logit_of(candidates[j]) : max;
    store(weights + i, weight_of(load(logits), temperature, max));
  }
}

// Length of the shortest prefix whose weight, summed in order, reaches `goal`; 0 when none does.
static int64_t nucleus(const float* weights, int64_t count, double goal) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) {
    sum += static_cast<double>(weights[i]);
    if (sum >= goal) return i + 1;
  }
  return 0;
}

// Distance below the maximum, in units of the temperature, at which the nucleus is looked for first.
constexpr float kNucleusDepths[kThresholds] = {0.25f, 0.5f, 1.0f, 2.0f, 4.0f, 6.0f, 9.0f, 14.0f};

// Fills scratch.found with the nucleus of the whole vocabulary and returns its size. Thresholds only say where to look: whether the
// tokens found reach the goal is decided by the sum in order, and the search goes deeper until they do.
static int64_t nucleus_of_all(const Vocabulary& v, float temperature, float top_p, const SampleScratch& scratch) {
  float thresholds[kThresholds], above[kThresholds];
  for (int i = 0; i < kThresholds; i++) thresholds[i] = v.max - kNucleusDepths[i] * temperature;
  const double goal = static_cast<double>(top_p) * total_weight(v, temperature, thresholds, above);
  int depth = 0;
  while (depth < kThresholds && above[depth] < goal * 1.00001) depth++;
  for (;; depth++) {
    const float threshold = depth < kThresholds ? thresholds[depth] : kNegativeInfinity;
    int64_t count = collect(v, threshold, scratch.found);
    sort_candidates(scratch.found, scratch.spare, count);
    weigh(scratch.found, count, temperature, v.max, scratch.weights);
    const int64_t kept = nucleus(scratch.weights, count, goal);
    if (kept > 0) return kept;
    if (depth >= kThresholds) return count;
  }
}

static int64_t without_impossible(const Candidate* candidates, int64_t count) {
  while (count > 0 && logit_of(candidates[count - 1]) == kNegativeInfinity) count--;
  return count;
}

static int32_t lowest_allowed(const SampleParams& params, int64_t vocab) {
  for (int32_t id = 0; id < vocab; id++) {
    bool banned = false;
    for (int32_t i = 0; i < params.num_banned; i++) banned |= params.banned[i] == id;
    if (!banned) return id;
  }
  return 0;
}

static int32_t sample(const float* logits, int64_t vocab, const SampleParams& params, uint8_t* bytes) {
  const SampleScratch scratch(bytes, vocab);
  const Vocabulary v = scan(logits, vocab, params.banned, params.num_banned, scratch);
  if (v.max == kNegativeInfinity) return lowest_allowed(params, vocab);

  const float temperature = params.temperature;
  const float hottest = temperature > 0.0f ? v.max / temperature : __builtin_inff();
  if (!(hottest < __builtin_inff() && hottest > kNegativeInfinity)) return first_of_max(v);

  const Noise noise(params.seed, params.position);
  const bool has_top_k = params.top_k > 0 && params.top_k < vocab;
  const bool has_top_p = params.top_p < 1.0f;
  if (!has_top_k && !has_top_p) return draw_from_all(v, temperature, noise);

  int64_t count;
  if (has_top_k) {
    count = without_impossible(scratch.found, first_candidates(v, params.top_k, scratch));
    if (has_top_p) {
      weigh(scratch.found, count, temperature, v.max, scratch.weights);
      double total = 0;
      for (int64_t i = 0; i < count; i++) total += static_cast<double>(scratch.weights[i]);
      const int64_t kept = nucleus(scratch.weights, count, static_cast<double>(params.top_p) * total);
      if (kept > 0) count = kept;
    }
  } else {
    count = without_impossible(scratch.found, nucleus_of_all(v, temperature, params.top_p, scratch));
  }
  return draw_from(scratch.found, count, temperature, noise);
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
