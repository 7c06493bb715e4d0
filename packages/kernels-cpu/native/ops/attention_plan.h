// How the attention of a step is cut into items for the threads. Items of one step run in any order, on any thread.
//
//   whole   a tile of consecutive queries of one row x one KV head, over everything they see
//   split   one query x one KV head x a few partitions of kAttentionPartition tokens, at absolute borders. Results of each lie in a
//           workspace until the last item of the (row, KV head) pair merges them, in order
//
// A decode row is split where an item of it would be more than its share of the step, so that all threads share a long context.
// The plan changes no bit: a whole item merges the same partitions in the same order.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ops.h"

namespace kvasir {

// Queries that share the loops over keys and values of a KV head, and lines (query, head) of an item at most.
constexpr int32_t kQueriesPerItem = 16;
constexpr int32_t kLinesPerItem = 48;

constexpr int32_t queries_per_item(int32_t group) {
  const int32_t fit = kLinesPerItem / group;
  return fit < 1 ? 1 : fit < kQueriesPerItem ? fit : kQueriesPerItem;
}

// First token that a query at `position` sees.
constexpr int32_t first_visible(int32_t position, int32_t window) {
  return window > 0 && position >= window ? position - window + 1 : 0;
}

// What the items depend on besides the rows; layers that agree in it share a plan.
struct AttentionShape {
  int32_t num_heads;
  int32_t num_kv_heads;
  int32_t window;
  bool bidirectional = false;
  bool operator==(const AttentionShape& other) const {
    return num_heads == other.num_heads && num_kv_heads == other.num_kv_heads && window == other.window && bidirectional == other.bidirectional;
  }
};

struct AttentionItem {
  int32_t row;
  int32_t query, num_query;  // of the row
  int32_t kv_head;
  int32_t first_partition, last_partition;
  // Split items only: the pair, its first slot in the workspace and its number of partitions; -1 for a whole item.
  int32_t pair = -1;
  int32_t slot = 0;
  int32_t num_partitions = 0;
};

// Partial results of split items: counters of finished items, one a cache line and pair; then for each slot `group` lines of
// {softmax state, partial[head_dim]}.
class AttentionWorkspace {
 public:
  AttentionWorkspace(const KvLayout& layout, int32_t num_heads, int32_t max_model_len, int32_t num_threads);

  int64_t num_pairs() const { return num_pairs_; }
  int64_t num_slots() const { return num_slots_; }
  // 0 when nothing would be split.
  size_t bytes() const;
  // Counters must be 0 before an op; an op leaves them so unless it was given up.
  size_t counter_bytes() const { return static_cast<size_t>(num_pairs_) * 64; }

 private:
  int64_t num_pairs_, num_slots_;
  int64_t slot_bytes_;
};

// Items for `rows`, whole ones first. `workspace` bounds what is split.
void plan_attention(const AttentionShape& shape, const AttentionRow* rows, int32_t num_rows, int32_t num_threads,
                    const AttentionWorkspace& workspace, std::vector<AttentionItem>& items);

}  // namespace kvasir
