#include "attention_plan.h"

#include <algorithm>

namespace kvasir {
namespace {

// Shares of a thread in a step: an item is split when it is more than one share.
constexpr int64_t kSharesPerThread = 8;
// Rows of the greatest length that may be split at once; shorter rows take less of the workspace.
constexpr int64_t kLongRows = 4;
// Lines that read a key or value together; a partition costs as much for one as for all of them.
constexpr int32_t kLinesTogether = 4;

int64_t cost_of(int32_t lines) { return (lines + kLinesTogether - 1) / kLinesTogether; }

struct Tile {
  int32_t query, num_query, first_partition, last_partition;
  int64_t cost(int32_t group) const { return int64_t{last_partition - first_partition + 1} * cost_of(num_query * group); }
};

Tile tile_of(const AttentionRow& row, int32_t index, int32_t size, const AttentionShape& shape) {
  const int32_t query = index * size;
  const int32_t num_query = std::min(size, row.num_query - query);
  const int32_t end = row.start + (shape.bidirectional ? row.num_query : query + num_query);
  return {query, num_query, first_visible(row.start + query, shape.window) / kAttentionPartition, (end - 1) / kAttentionPartition};
}

}  // namespace

AttentionWorkspace::AttentionWorkspace(const KvLayout& layout, int32_t num_heads, int32_t max_model_len, int32_t num_threads) {
  const int64_t partitions = max_model_len / kAttentionPartition + 1;
  const bool splits = num_threads > 1 && partitions > 1;
  num_pairs_ = splits ? kSharesPerThread * num_threads : 0;
  num_slots_ = splits ? std::min(num_pairs_, kLongRows * layout.num_kv_heads) * partitions : 0;
  slot_bytes_ = num_heads / layout.num_kv_heads * attention_slot_bytes(layout.head_dim);
}

size_t AttentionWorkspace::bytes() const { return static_cast<size_t>(num_pairs_ * 64 + num_slots_ * slot_bytes_); }

void plan_attention(const AttentionShape& shape, const AttentionRow* rows, int32_t num_rows, int32_t num_threads,
                    const AttentionWorkspace& workspace, std::vector<AttentionItem>& items) {
  const int32_t heads = shape.num_kv_heads, group = shape.num_heads / heads;
  const int32_t size = queries_per_item(group);
  const auto num_tiles = [&](const AttentionRow& row) { return (row.num_query + size - 1) / size; };
  items.clear();
  int64_t total = 0;
  for (int32_t r = 0; r < num_rows; r++) {
    for (int32_t tile = 0; tile < num_tiles(rows[r]); tile++) total += heads * tile_of(rows[r], tile, size, shape).cost(group);
  }
  const auto is_large = [&](const Tile& tile) { return tile.cost(group) * kSharesPerThread * num_threads > total; };

  // Rows to split, as far as the workspace goes. A share bounds their number by the pairs that it has.
  std::vector<int32_t> split;
  int64_t slots = 0;
  for (int32_t r = 0; r < num_rows; r++) {
    if (rows[r].num_query == 1) {
      const Tile tile = tile_of(rows[r], 0, size, shape);
      const int64_t partitions = tile.last_partition - tile.first_partition + 1;
      const bool fits = slots + heads * partitions <= workspace.num_slots() && static_cast<int64_t>(split.size() + 1) * heads <= workspace.num_pairs();
      if (partitions > 1 && is_large(tile) && fits) {
        split.push_back(r);
        slots += heads * partitions;
        continue;
      }
    }
    // Last tiles first: they see most tokens.
    for (int32_t t = num_tiles(rows[r]) - 1; t >= 0; t--) {
      const Tile tile = tile_of(rows[r], t, size, shape);
      for (int32_t head = 0; head < heads; head++) {
        AttentionItem item{r, tile.query, tile.num_query, head, tile.first_partition, tile.last_partition};
        items.push_back(item);
      }
    }
  }
  // Partitions that follow each other read on from memory; an item has as many as make one share, at least one.
  const auto length = static_cast<int32_t>(std::max<int64_t>(1, slots / (kSharesPerThread * num_threads)));
  int32_t slot = 0;
  for (size_t i = 0; i < split.size(); i++) {
    const Tile tile = tile_of(rows[split[i]], 0, size, shape);
    const int32_t partitions = tile.last_partition - tile.first_partition + 1;
    for (int32_t partition = tile.first_partition; partition <= tile.last_partition; partition += length) {
      for (int32_t head = 0; head < heads; head++) {
        AttentionItem item{split[i], 0, 1, head, partition, std::min(partition + length - 1, tile.last_partition)};
        item.pair = static_cast<int32_t>(i) * heads + head;
        item.slot = slot + head * partitions;
        item.num_partitions = partitions;
        items.push_back(item);
      }
    }
    slot += heads * partitions;
  }
}

}  // namespace kvasir
