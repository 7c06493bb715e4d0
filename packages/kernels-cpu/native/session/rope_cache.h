// Sines and cosines of one rope table, computed in double precision and kept for every position that was asked for.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "program.h"

namespace kvasir {

class RopeCache {
 public:
  explicit RopeCache(const RopeSpec& spec);

  // Makes positions [0, count) available. Not while another thread reads.
  void grow(int32_t count);
  int64_t half() const { return half_; }
  const float* cosines(int32_t position) const { return row(position); }
  const float* sines(int32_t position) const { return row(position) + half_; }
  static int64_t bytes(const RopeSpec& spec, int32_t max_positions);

 private:
  static constexpr int32_t kChunk = 256;  // positions that are computed together
  const float* row(int32_t position) const { return chunks_[static_cast<size_t>(position / kChunk)].get() + position % kChunk * 2 * half_; }

  const RopeSpec& spec_;
  int64_t half_;
  std::vector<std::unique_ptr<float[]>> chunks_;
};

}  // namespace kvasir
