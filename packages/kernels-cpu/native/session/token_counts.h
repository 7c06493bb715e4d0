// How often a history holds each token. Updated token by token, so that no step reads the history again.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace kvasir {

struct TokenCount {
  int32_t id;
  int32_t in_output;  // 0: the prompt alone holds it
};

// Open addressing with linear probing. Entries lie densely in the order of first appearance; nothing is allocated after construction.
//
//   index_    [1.25 N]  entry of a token, -1: free
//   entries_  [N]
class TokenCounts {
 public:
  // Room for histories of `max_length` tokens out of `vocab_size`.
  TokenCounts(int32_t max_length, int32_t vocab_size) {
    const auto distinct = static_cast<size_t>(std::min(max_length, vocab_size));
    entries_.reserve(distinct);
    index_.assign(distinct + distinct / 4 + 1, -1);
  }

  static int64_t bytes(int32_t max_length, int32_t vocab_size) {
    const int64_t distinct = std::min(max_length, vocab_size);
    return distinct * static_cast<int64_t>(sizeof(TokenCount)) + (distinct + distinct / 4 + 1) * 4;
  }

  // `times` is 1 for a token of the output, 0 for one of the prompt.
  void add(int32_t id, int32_t times) {
    int32_t& entry = index_[place_of(id)];
    if (entry < 0) {
      entry = static_cast<int32_t>(entries_.size());
      entries_.push_back({id, 0});
    }
    entries_[static_cast<size_t>(entry)].in_output += times;
  }

  // Times in the output; -1 when neither prompt nor output holds the token.
  int32_t find(int32_t id) const {
    const int32_t entry = index_[place_of(id)];
    return entry < 0 ? -1 : entries_[static_cast<size_t>(entry)].in_output;
  }

  const std::vector<TokenCount>& entries() const { return entries_; }

 private:
  // Where the token is, or where it belongs. There is always a free place.
  size_t place_of(int32_t id) const {
    const uint32_t hash = static_cast<uint32_t>(id) * 0x9e3779b1u;
    auto place = static_cast<size_t>((static_cast<uint64_t>(hash) * index_.size()) >> 32);
    while (index_[place] >= 0 && entries_[static_cast<size_t>(index_[place])].id != id) place = place + 1 == index_.size() ? 0 : place + 1;
    return place;
  }

  std::vector<TokenCount> entries_;
  std::vector<int32_t> index_;
};

}  // namespace kvasir
