// Log-probabilities under softmax(logits), ranks and the most likely tokens.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

// 1 + tokens with a larger logit, or the same and a lower id.
static int32_t rank_of(const Vocabulary& v, float logit, int32_t id) {
  int64_t before = 0;
  const F32x16 x0 = set1(logit);
  for (int64_t tile = 0; tile < v.tiles; tile++) {
    if (v.tile_max[tile] < logit) continue;
    for_tile(v, tile, [&](int64_t at, F32x16 x) {
      uint32_t ahead = bits_of(greater(x, x0));
      const int64_t lower = id - at;  // lanes [0, lower) have a lower id
      if (lower > 0) ahead |= bits_of(equal(x, x0)) & (lower >= 16 ? 0xffffu : (1u << lower) - 1);
      before += __builtin_popcount(ahead);
    });
  }
  return static_cast<int32_t>(1 + before);
}

static void logprobs(const LogitRow& row, int32_t target, int32_t top_k, TokenLogprob* chosen, TokenLogprob* top, uint8_t* bytes) {
  const SampleScratch scratch(bytes, row.vocab);
  const Vocabulary v = scan(row, scratch);
  const float log_sum = first_lane(log_positive(set1(static_cast<float>(sum_of_exp(v)))));
  const auto logprob_of = [&](float logit) { return (logit == v.max ? 0.0f : logit - v.max) - log_sum; };

  const float logit = first_lane(clean(set1(row.logits[target])));
  *chosen = {target, logprob_of(logit), rank_of(v, logit, target)};
  if (top_k <= 0) return;
  const int64_t count = first_candidates(v, top_k, scratch);
  for (int32_t i = 0; i < top_k; i++) {
    if (i < count) top[i] = {id_of(scratch.found[i]), logprob_of(logit_of(scratch.found[i])), i + 1};
    else top[i] = {-1, kNegativeInfinity, 0};
  }
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
