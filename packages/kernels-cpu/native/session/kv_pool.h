// The blocks of all KV groups: equal in size, zero until written, known by number.
#pragma once
#include <cstdint>

#include "memory.h"

namespace kvasir {

class KvPool {
 public:
  KvPool(int32_t num_blocks, int64_t block_bytes) : num_blocks_(num_blocks), block_bytes_(block_bytes), pages_(num_blocks * block_bytes, "the KV pool") {}

  int32_t num_blocks() const { return num_blocks_; }
  int64_t block_bytes() const { return block_bytes_; }
  uint8_t* data() const { return pages_.data(); }
  uint8_t* block(int32_t id) const { return pages_.data() + id * block_bytes_; }
  int64_t bytes() const { return pages_.bytes(); }

 private:
  int32_t num_blocks_;
  int64_t block_bytes_;
  PageArena pages_;
};

}  // namespace kvasir
