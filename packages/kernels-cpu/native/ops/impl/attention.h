// Paged attention with an online softmax whose state is merged at absolute borders of 256 tokens.
//
//   item  = a tile of consecutive queries of one row x one KV head, perhaps of one partition only (attention_plan.h)
//   line  = one (query, head) pair of the item; lines of the KV head's group share every key and value that is read
//
// For each partition of 256 tokens, in order: scores of 16-token key tiles (lanes are tokens, one FMA chain over the head's
// dimensions a line and tile), the partition's maximum, exponentials and their sum in 16 lanes, values in token order (lanes are
// dimensions), then the merge into the running state. What a line computes depends on its position and the cache alone: lines
// that share the loops change none of its bits, and tokens that it does not see are masked or skipped, never multiplied.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

// How far ahead of its use a tile is asked for; more would push out of the first cache what is used before.
constexpr int32_t kPrefetchBytes = 16384;
constexpr int kTilesPerPartition = kAttentionPartition / kKvTile;

static inline int32_t min_of(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t max_of(int32_t a, int32_t b) { return a > b ? a : b; }
static inline int64_t padded(int64_t n) { return (n + 15) / 16 * 16; }

static inline int32_t max_lines(int32_t group) { return queries_per_item(group) * group; }

// Maximum and sum of e^(score - maximum), of one partition or of all so far.
struct SoftmaxState {
  float max, sum;
};

// State of one line. Its vectors of head_dim and of scores lie in the scratch.
struct Line {
  int32_t begin, end;    // tokens that it sees
  SoftmaxState running;
  SoftmaxState partial;  // of the current partition
};

struct Scratch {
  Line* lines;
  float* query;      // [lines][dim], scaled
  float* scores;     // [lines][256] of the current partition
  float* partial;    // [lines][dim] of the current partition
  float* out;        // [lines][dim] running
  int64_t dim;       // head_dim padded to 16

  Scratch(uint8_t* bytes, int64_t head_dim, int32_t num_lines) : dim(padded(head_dim)) {
    float* at = reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(bytes) + 63) / 64 * 64);
    query = at;
    partial = query + num_lines * dim;
    out = partial + num_lines * dim;
    scores = out + num_lines * dim;
    lines = reinterpret_cast<Line*>(scores + static_cast<int64_t>(num_lines) * kAttentionPartition);
  }
};

static size_t attention_scratch_bytes(const KvLayout& layout, int32_t num_heads) {
  const size_t lines = static_cast<size_t>(max_lines(num_heads / layout.num_kv_heads));
  const size_t dim = static_cast<size_t>(padded(layout.head_dim));
  return 64 + lines * ((3 * dim + kAttentionPartition) * sizeof(float) + sizeof(Line));
}

// Where the key tiles and value rows of one partition lie; tiles that no line sees are never looked up.
template <class Kv>
struct PartitionTiles {
  const typename Kv::Element* keys[kTilesPerPartition];
  const typename Kv::Element* values[kTilesPerPartition];
  const float* key_scales[kTilesPerPartition];  // of codes, one a token
  const float* value_scales[kTilesPerPartition];
  int32_t first, last;  // tiles that are looked at, [first, last)
  int32_t tile_bytes;   // of keys or values
  const typename Kv::Element* next_keys[kTilesPerPartition];  // of the partition that the same item reads after this one
  int32_t num_next;

  int32_t num_tiles() const { return last - first; }
  // Asks for a piece of a tile some time before it is read: blocks lie anywhere, which no hardware foresees. Keys are read first, then
  // values. (Inlined always: GCC 12 drops calls of a function that does nothing else.)
  __attribute__((always_inline)) inline void prefetch(int32_t index, int32_t begin, int32_t end) const {
    index += max_of(1, kPrefetchBytes / tile_bytes);
    const int32_t tiles = num_tiles();
    if (index >= 2 * tiles + num_next) return;
    const auto* tile = reinterpret_cast<const uint8_t*>(index < tiles       ? keys[first + index]
                                                        : index < 2 * tiles ? values[first + index - tiles]
                                                                            : next_keys[index - 2 * tiles]);
    if (Kv::kScaled && begin == 0 && index < tiles) {
      __builtin_prefetch(key_scales[first + index]);
      __builtin_prefetch(value_scales[first + index]);
    }
    for (int32_t i = begin; i < end; i += 64) __builtin_prefetch(tile + i);
  }
};

template <class Kv, int L, int T>
static inline void score_kernel(const typename Kv::Element* const* keys, const float* const* scales, const float* query, int64_t query_stride, int64_t head_dim, float* scores) {
  F32x16 sum[L][T];
#pragma GCC unroll 4
  for (int l = 0; l < L; l++)
#pragma GCC unroll 4
    for (int t = 0; t < T; t++) sum[l][t] = zero();
  const typename Kv::Element* key[T];
#pragma GCC unroll 4
  for (int t = 0; t < T; t++) key[t] = keys[t];
  for (int64_t d = 0; d < head_dim; d++) {
    F32x16 k[T];
#pragma GCC unroll 4
    for (int t = 0; t < T; t++) k[t] = Kv::load16(key[t] + d * kKvTile);
#pragma GCC unroll 4
    for (int l = 0; l < L; l++) {
      const F32x16 q = set1(query[l * query_stride + d]);
#pragma GCC unroll 4
      for (int t = 0; t < T; t++) sum[l][t] = fma(q, k[t], sum[l][t]);
    }
  }
#pragma GCC unroll 4
  for (int l = 0; l < L; l++)
#pragma GCC unroll 4
    for (int t = 0; t < T; t++) store(scores + l * kAttentionPartition + t * kKvTile, Kv::kScaled ? mul(sum[l][t], load(scales[t])) : sum[l][t]);
}

// Columns [0, 16 V) of the partial sums of L lines over tokens [begin, end) of one tile. TAIL: only `lanes` columns exist.
template <class Kv, int L, int V, bool TAIL>
static inline void value_kernel(const typename Kv::Element* row, int64_t head_dim, int lanes, int32_t begin, int32_t end, const float* weights,
                                float* partial, int64_t stride) {
  F32x16 sum[L][V];
#pragma GCC unroll 4
  for (int l = 0; l < L; l++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) sum[l][v] = load(partial + l * stride + v * 16);
  for (int32_t token = begin; token < end; token++, row += head_dim) {
    F32x16 x[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) x[v] = TAIL ? load_kv_first<Kv>(row + v * 16, lanes) : Kv::load16(row + v * 16);
#pragma GCC unroll 4
    for (int l = 0; l < L; l++) {
      const F32x16 w = set1(weights[l * kAttentionPartition + token]);
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) sum[l][v] = fma(w, x[v], sum[l][v]);
    }
  }
#pragma GCC unroll 4
  for (int l = 0; l < L; l++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) store(partial + l * stride + v * 16, sum[l][v]);
}

template <class Kv, int L>
static void scores_of(const PartitionTiles<Kv>& tiles, const Scratch& s, int64_t head_dim, int32_t line, int32_t first_tile, int32_t last_tile) {
  const float* query = s.query + line * s.dim;
  float* scores = s.scores + line * kAttentionPartition;
  int32_t t = first_tile;
  for (; t + kMaxTiles <= last_tile; t += kMaxTiles) score_kernel<Kv, L, kMaxTiles>(tiles.keys + t, tiles.key_scales + t, query, s.dim, head_dim, scores + t * kKvTile);
  for (; t < last_tile; t++) score_kernel<Kv, L, 1>(tiles.keys + t, tiles.key_scales + t, query, s.dim, head_dim, scores + t * kKvTile);
}

// Tile by tile, so that rows are read in the order in which they lie.
template <class Kv, int L>
static void values_of(const PartitionTiles<Kv>& tiles, const Scratch& s, int64_t head_dim, int32_t line, int32_t begin, int32_t end) {
  const float* weights = s.scores + line * kAttentionPartition;
  float* partial = s.partial + line * s.dim;
  while (begin < end) {
    const int32_t tile = begin / kKvTile;
    const int32_t stop = min_of(end, (tile + 1) * kKvTile);
    const typename Kv::Element* rows = tiles.values[tile] + (begin - tile * kKvTile) * head_dim;
    const int32_t index = tiles.num_tiles() + tile - tiles.first;
    constexpr int32_t kPiece = kKvTile * 16 * kMaxValueVectors * static_cast<int32_t>(sizeof(typename Kv::Element));
    int64_t d = 0;
    for (int32_t piece = 0; d + 16 * kMaxValueVectors <= head_dim; d += 16 * kMaxValueVectors, piece += kPiece) {
      tiles.prefetch(index, piece, piece + kPiece);
      value_kernel<Kv, L, kMaxValueVectors, false>(rows + d, head_dim, 16, begin, stop, weights, partial + d, s.dim);
    }
    for (; d + 16 <= head_dim; d += 16) value_kernel<Kv, L, 1, false>(rows + d, head_dim, 16, begin, stop, weights, partial + d, s.dim);
    if (d < head_dim) value_kernel<Kv, L, 1, true>(rows + d, head_dim, static_cast<int>(head_dim - d), begin, stop, weights, partial + d, s.dim);
    begin = stop;
  }
}

template <class Kv>
static void scores_of(int32_t count, const PartitionTiles<Kv>& tiles, const Scratch& s, int64_t head_dim, int32_t line, int32_t first, int32_t last) {
  static_assert(kMaxLines == 4, "");
  switch (count) {
    case 1: return scores_of<Kv, 1>(tiles, s, head_dim, line, first, last);
    case 2: return scores_of<Kv, 2>(tiles, s, head_dim, line, first, last);
    case 3: return scores_of<Kv, 3>(tiles, s, head_dim, line, first, last);
    default: return scores_of<Kv, 4>(tiles, s, head_dim, line, first, last);
  }
}

template <class Kv>
static void values_of(int32_t count, const PartitionTiles<Kv>& tiles, const Scratch& s, int64_t head_dim, int32_t line, int32_t begin, int32_t end) {
  switch (count) {
    case 1: return values_of<Kv, 1>(tiles, s, head_dim, line, begin, end);
    case 2: return values_of<Kv, 2>(tiles, s, head_dim, line, begin, end);
    case 3: return values_of<Kv, 3>(tiles, s, head_dim, line, begin, end);
    default: return values_of<Kv, 4>(tiles, s, head_dim, line, begin, end);
  }
}

// Scores of one line in a partition become weights e^(s - max), times the scale of the value's codes if there is one; those of tokens
// outside [begin, end) are not for use.
template <class Kv>
static inline SoftmaxState softmax_of(const PartitionTiles<Kv>& tiles, float* scores, int32_t begin, int32_t end, float cap) {
  const int32_t first = begin / kKvTile, last = (end + kKvTile - 1) / kKvTile;
  F32x16 most = set1(kNegativeInfinity);
  for (int32_t t = first; t < last; t++) {
    const int32_t from = max_of(0, begin - t * kKvTile), to = min_of(kKvTile, end - t * kKvTile);
    F32x16 s = load(scores + t * kKvTile);
    if (cap != 0.0f) s = capped(s, cap);
    if (to - from < kKvTile) s = select(mask_of((1u << to) - (1u << from)), s, set1(kNegativeInfinity));
    store(scores + t * kKvTile, s);
    most = max(s, most);
  }
  const float peak = reduce_max(most);
  F32x16 sum = zero();
  for (int32_t t = first; t < last; t++) {
    const F32x16 w = exp_nonpositive(sub(load(scores + t * kKvTile), set1(peak)));
    store(scores + t * kKvTile, Kv::kScaled ? mul(w, load(tiles.value_scales[t])) : w);
    sum = add(sum, w);
  }
  return {peak, reduce_add(sum)};
}

static inline void merge(SoftmaxState& running, SoftmaxState part, const float* partial, float* out, int64_t dim) {
  const float peak = part.max > running.max ? part.max : running.max;
  const F32x16 old_scale = exp_nonpositive(set1(running.max - peak));
  const F32x16 new_scale = exp_nonpositive(set1(part.max - peak));
  running.sum = first_lane(fma(set1(running.sum), old_scale, mul(set1(part.sum), new_scale)));
  running.max = peak;
  for (int64_t d = 0; d < dim; d += 16) store(out + d, fma(load(out + d), old_scale, mul(load(partial + d), new_scale)));
}

// The places of one pair in the workspace.
struct Workspace {
  int32_t* finished;  // partitions of the pair
  uint8_t* partials;  // [partitions][group] lines
  int64_t line_bytes;

  Workspace(const AttentionArgs& args, const AttentionItem& item, int32_t group) : line_bytes(attention_slot_bytes(args.layout.head_dim)) {
    finished = reinterpret_cast<int32_t*>(args.workspace + item.pair * int64_t{64});
    partials = args.workspace + args.workspace_pairs * 64 + item.slot * group * line_bytes;
  }
  SoftmaxState& state(int64_t line) const { return *reinterpret_cast<SoftmaxState*>(partials + line * line_bytes); }
  float* partial(int64_t line) const { return reinterpret_cast<float*>(partials + line * line_bytes + 64); }
};

template <class Kv>
static void run_partition(const AttentionArgs& args, const AttentionItem& item, const Scratch& s, int32_t num_lines, int32_t partition) {
  using Element = typename Kv::Element;
  const KvLayout& layout = args.layout;
  const int64_t dim = layout.head_dim;
  const int32_t base = partition * kAttentionPartition;
  const int32_t* block_table = args.rows[item.row].block_table;
  const auto begin_of = [&](int32_t line) { return min_of(kAttentionPartition, max_of(0, s.lines[line].begin - base)); };
  const auto end_of = [&](int32_t line) { return max_of(0, min_of(kAttentionPartition, s.lines[line].end - base)); };

  const auto head_of = [&](int32_t token) {
    const uint8_t* block = args.pool + block_table[token / layout.block_size] * layout.block_bytes;
    return block + layout.layer_offset + item.kv_head * layout.head_bytes();
  };

  PartitionTiles<Kv> tiles;
  const int32_t first_tile = begin_of(0) / kKvTile;
  const int32_t last_tile = (end_of(num_lines - 1) + kKvTile - 1) / kKvTile;
  for (int32_t t = first_tile; t < last_tile; t++) {
    const int32_t token = base + t * kKvTile;
    const int32_t slot = token % layout.block_size;
    const uint8_t* base_of_head = head_of(token);
    const Element* head = reinterpret_cast<const Element*>(base_of_head + layout.scales_bytes());
    tiles.keys[t] = head + slot * dim;
    tiles.values[t] = head + (layout.block_size + slot) * dim;
    tiles.key_scales[t] = reinterpret_cast<const float*>(base_of_head) + slot;
    tiles.value_scales[t] = tiles.key_scales[t] + layout.block_size;
  }
  tiles.num_next = 0;
  if (partition < item.last_partition) {
    const int32_t end = s.lines[num_lines - 1].end;
    for (int32_t t = 0, token = base + kAttentionPartition; t < kTilesPerPartition && token < end; t++, token += kKvTile) {
      tiles.next_keys[tiles.num_next++] = reinterpret_cast<const Element*>(head_of(token) + layout.scales_bytes()) + token % layout.block_size * dim;
    }
  }
  tiles.first = first_tile;
  tiles.last = last_tile;
  tiles.tile_bytes = static_cast<int32_t>(dim * kKvTile * static_cast<int64_t>(sizeof(Element)));

  for (int32_t t = first_tile; t < last_tile; t += kMaxTiles) {
    for (int i = 0; i < kMaxTiles; i++) tiles.prefetch(t + i - first_tile, 0, tiles.tile_bytes);
    for (int32_t line = 0; line < num_lines; line += kMaxLines) {
      const int32_t count = min_of(kMaxLines, num_lines - line);
      const int32_t first = max_of(t, begin_of(line) / kKvTile);
      const int32_t last = min_of(min_of(t + kMaxTiles, last_tile), (end_of(line + count - 1) + kKvTile - 1) / kKvTile);
      scores_of<Kv>(count, tiles, s, dim, line, first, last);
    }
  }

  for (int32_t line = 0; line < num_lines; line += kMaxLines) {
    const int32_t count = min_of(kMaxLines, num_lines - line);
    // Tokens that all lines of the group see are read once for all; the rest line by line, before and after.
    int32_t shared_begin = 0, shared_end = kAttentionPartition;
    for (int32_t i = 0; i < count; i++) {
      const int32_t begin = begin_of(line + i), end = end_of(line + i);
      float* partial = s.partial + (line + i) * s.dim;
      for (int64_t d = 0; d < s.dim; d += 16) store(partial + d, zero());
      if (begin < end) s.lines[line + i].partial = softmax_of(tiles, s.scores + (line + i) * kAttentionPartition, begin, end, args.softcap);
      shared_begin = max_of(shared_begin, begin);
      shared_end = min_of(shared_end, end);
    }
    if (shared_begin >= shared_end) {
      for (int32_t i = 0; i < count; i++) values_of<Kv>(1, tiles, s, dim, line + i, begin_of(line + i), end_of(line + i));
    } else {
      for (int32_t i = 0; i < count; i++) values_of<Kv>(1, tiles, s, dim, line + i, begin_of(line + i), shared_begin);
      values_of<Kv>(count, tiles, s, dim, line, shared_begin, shared_end);
      for (int32_t i = 0; i < count; i++) values_of<Kv>(1, tiles, s, dim, line + i, shared_end, end_of(line + i));
    }
  }
}

static inline bool sees(const Line& line, int32_t partition) {
  return line.begin < (partition + 1) * kAttentionPartition && line.end > partition * kAttentionPartition;
}

static void start_lines(const AttentionArgs& args, const AttentionItem& item, const Scratch& s, int32_t group, int32_t num_lines) {
  const int64_t dim = args.layout.head_dim;
  const AttentionRow& row = args.rows[item.row];
  for (int32_t line = 0; line < num_lines; line++) {
    const int32_t query = item.query + line / group;
    const int32_t position = row.start + query;
    const int32_t end = args.bidirectional ? row.start + row.num_query : position + 1;
    s.lines[line] = {first_visible(position, args.window), end, {kNegativeInfinity, 0.0f}, {}};
    const float* q = args.query + (row.token + query) * args.query_stride + (item.kv_head * group + line % group) * dim;
    for_vectors(dim, [&](int64_t i, int lanes) { store(s.query + line * s.dim + i, mul(load_lanes(q + i, lanes), set1(args.scale))); });
    for (int64_t d = 0; d < s.dim; d += 16) store(s.out + line * s.dim + d, zero());
  }
}

static void finish_lines(const AttentionArgs& args, const AttentionItem& item, const Scratch& s, int32_t group, int32_t num_lines) {
  const int64_t dim = args.layout.head_dim;
  for (int32_t line = 0; line < num_lines; line++) {
    const int64_t token = args.rows[item.row].token + item.query + line / group;
    float* out = args.out + token * args.out_stride + (item.kv_head * group + line % group) * dim;
    const F32x16 inverse = div(set1(1.0f), set1(s.lines[line].running.sum));
    for_vectors(dim, [&](int64_t i, int lanes) { store_lanes(out + i, mul(load(s.out + line * s.dim + i), inverse), lanes); });
  }
}

// Leaves the results of a partition in the workspace.
static void keep_partition(const AttentionArgs& args, const AttentionItem& item, const Scratch& s, int32_t group, int32_t partition) {
  const Workspace w(args, item, group);
  const int32_t first = first_visible(args.rows[item.row].start, args.window) / kAttentionPartition;
  const int64_t own = static_cast<int64_t>(partition - first) * group;
  for (int32_t line = 0; line < group; line++) {
    w.state(own + line) = s.lines[line].partial;
    for (int64_t d = 0; d < s.dim; d += 16) store(w.partial(own + line) + d, load(s.partial + line * s.dim + d));
  }
}

// Whoever finishes the last item of a pair merges all its partitions, in order.
static void finish_split(const AttentionArgs& args, const AttentionItem& item, const Scratch& s, int32_t group) {
  const Workspace w(args, item, group);
  const int32_t done = item.last_partition - item.first_partition + 1;
  if (__atomic_add_fetch(w.finished, done, __ATOMIC_ACQ_REL) < item.num_partitions) return;
  __atomic_store_n(w.finished, 0, __ATOMIC_RELAXED);
  for (int64_t i = 0; i < static_cast<int64_t>(item.num_partitions) * group; i++)
    merge(s.lines[i % group].running, w.state(i), w.partial(i), s.out + i % group * s.dim, s.dim);
  finish_lines(args, item, s, group, group);
}

template <class Kv>
static void run_item(const AttentionArgs& args, const AttentionItem& item, uint8_t* scratch) {
  const int32_t group = args.num_heads / args.layout.num_kv_heads;
  const int32_t num_lines = item.num_query * group;
  const Scratch s(scratch, args.layout.head_dim, max_lines(group));

  start_lines(args, item, s, group, num_lines);
  if (item.pair >= 0) {
    for (int32_t p = item.first_partition; p <= item.last_partition; p++) {
      run_partition<Kv>(args, item, s, num_lines, p);
      keep_partition(args, item, s, group, p);
    }
    return finish_split(args, item, s, group);
  }
  for (int32_t p = item.first_partition; p <= item.last_partition; p++) {
    run_partition<Kv>(args, item, s, num_lines, p);
    for (int32_t line = 0; line < num_lines; line++)
      if (sees(s.lines[line], p)) merge(s.lines[line].running, s.lines[line].partial, s.partial + line * s.dim, s.out + line * s.dim, s.dim);
  }
  finish_lines(args, item, s, group, num_lines);
}

static void attention_item(const AttentionArgs& args, const AttentionItem& item, uint8_t* scratch) {
  switch (args.layout.dtype) {
    case KvDtype::f32: return run_item<KvF32>(args, item, scratch);
    case KvDtype::f16: return run_item<KvF16>(args, item, scratch);
    case KvDtype::bf16: return run_item<KvBf16>(args, item, scratch);
    case KvDtype::i8: return run_item<KvI8>(args, item, scratch);
  }
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
