// Blocks outside the pool, in memory or in a file: same size, known by numbers of their own from 1.
#pragma once
#include <cstdint>
#include <string>

#include "memory.h"

namespace kvasir {

class HostTier {
 public:
  // `path` empty: anonymous memory.
  HostTier(int32_t num_blocks, int64_t block_bytes, const std::string& path) : block_bytes_(block_bytes) {
    const int64_t bytes = num_blocks * block_bytes;
    if (path.empty()) memory_ = PageArena(bytes, "the host tier");
    else file_ = ScratchFile(path, bytes);
  }

  uint8_t* block(int32_t id) const { return (memory_.data() != nullptr ? memory_.data() : file_.data()) + id * block_bytes_; }

 private:
  int64_t block_bytes_;
  PageArena memory_;
  ScratchFile file_;
};

}  // namespace kvasir
