// The maximum of each tile of 64 logits, as sampling orders them: NaN counts as -inf, -0 as 0.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

static inline float maximum_of(const float* x, int64_t n) {
  F32x16 most = set1(kNegativeInfinity);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) most = max(load(x + i), most);  // a NaN in the first operand gives the second
  if (i < n) {
    const int lanes = static_cast<int>(n - i);
    most = max(select(mask_of((1u << lanes) - 1), load_first(x + i, lanes), most), most);
  }
  return reduce_max(most) + 0.0f;
}

static void tile_maxima(const float* logits, int64_t n, float* maxima) {
  for (int64_t at = 0; at < n; at += kVocabularyTile) *maxima++ = maximum_of(logits + at, n - at < kVocabularyTile ? n - at : kVocabularyTile);
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
