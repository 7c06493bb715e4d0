#include "rope_cache.h"

#include <cmath>

namespace kvasir {

RopeCache::RopeCache(const RopeSpec& spec) : spec_(spec), half_(static_cast<int64_t>(spec.inverse_frequencies.size())) {}

void RopeCache::grow(int32_t count) {
  while (static_cast<int64_t>(chunks_.size()) * kChunk < count) {
    const auto first = static_cast<double>(chunks_.size()) * kChunk;
    auto chunk = std::make_unique<float[]>(static_cast<size_t>(kChunk * 2 * half_));
    for (int32_t i = 0; i < kChunk; i++) {
      float* row = chunk.get() + i * 2 * half_;
      for (int64_t k = 0; k < half_; k++) {
        const double angle = (first + i) * spec_.inverse_frequencies[static_cast<size_t>(k)];
        row[k] = static_cast<float>(std::cos(angle) * spec_.attention_factor);
        row[half_ + k] = static_cast<float>(std::sin(angle) * spec_.attention_factor);
      }
    }
    chunks_.push_back(std::move(chunk));
  }
}

int64_t RopeCache::bytes(const RopeSpec& spec, int32_t max_positions) {
  const int64_t chunks = (static_cast<int64_t>(max_positions) + kChunk - 1) / kChunk;
  return chunks * kChunk * 2 * static_cast<int64_t>(spec.inverse_frequencies.size()) * 4;
}

}  // namespace kvasir
