// Paged attention against a contiguous softmax in double, and bit for bit across paths, chunks, companions and block sizes.
#include <atomic>
#include <thread>

#include "../ops/attention_plan.h"
#include "ops_check.h"

namespace kvasir::test {
namespace {

struct Shape {
  KvDtype dtype;
  int32_t heads, kv_heads, dim, block_size, window;
  float softcap;
};

// One sequence with its keys, values and queries.
struct Sequence {
  int32_t length;
  std::vector<float> keys, values, queries;
};

Sequence make_sequence(Random& random, const Shape& s, int32_t length) {
  return {length, random.normals(static_cast<int64_t>(length) * s.kv_heads * s.dim), random.normals(static_cast<int64_t>(length) * s.kv_heads * s.dim),
          random.normals(static_cast<int64_t>(length) * s.heads * s.dim, 1.5)};
}

float scale_of(const Shape& s) { return static_cast<float>(1 / std::sqrt(static_cast<double>(s.dim))); }

// What the cache holds of a vector of one token and head, at `x`.
float stored(KvDtype dtype, const float* vector, int32_t dim, int32_t d) {
  const float x = vector[d];
  if (dtype == KvDtype::f32) return x;
  if (dtype == KvDtype::i8) {
    float most = 0;
    for (int32_t i = 0; i < dim; i++) most = std::max(most, std::fabs(vector[i]));
    return most == 0 ? 0 : std::nearbyint(x * (127.0f / most)) * (most / 127.0f);
  }
  int exponent;
  std::frexp(x, &exponent);
  const double unit = dtype == KvDtype::f16 ? std::ldexp(1.0, std::max(exponent - 11, -24)) : std::ldexp(1.0, exponent - 8);
  return static_cast<float>(std::nearbyint(x / unit) * unit);
}

std::vector<double> oracle(const Shape& s, const Sequence& q) {
  std::vector<double> out(q.queries.size());
  std::vector<double> score;
  for (int32_t p = 0; p < q.length; p++)
    for (int32_t h = 0; h < s.heads; h++) {
      const int32_t kvh = h / (s.heads / s.kv_heads);
      const int32_t begin = s.window > 0 ? std::max(0, p - s.window + 1) : 0;
      const float* query = &q.queries[(static_cast<size_t>(p) * s.heads + h) * s.dim];
      double* result = &out[(static_cast<size_t>(p) * s.heads + h) * s.dim];
      score.clear();
      double most = -INFINITY, sum = 0;
      for (int32_t t = begin; t <= p; t++) {
        const float* key = &q.keys[(static_cast<size_t>(t) * s.kv_heads + kvh) * s.dim];
        double dot = 0;
        for (int32_t d = 0; d < s.dim; d++) dot += static_cast<double>(query[d]) * stored(s.dtype, key, s.dim, d);
        dot *= scale_of(s);
        if (s.softcap > 0) dot = s.softcap * std::tanh(dot / s.softcap);
        score.push_back(dot);
        most = std::max(most, dot);
      }
      for (double& x : score) sum += x = std::exp(x - most);
      for (int32_t t = begin; t <= p; t++) {
        const float* value = &q.values[(static_cast<size_t>(t) * s.kv_heads + kvh) * s.dim];
        for (int32_t d = 0; d < s.dim; d++) result[d] += score[t - begin] / sum * stored(s.dtype, value, s.dim, d);
      }
    }
  return out;
}

// The cache of some sequences: blocks in random places, everything that was never written is NaN.
class Cache {
 public:
  Cache(Random& random, const OpKernels& path, const Shape& s, const std::vector<int32_t>& lengths, int planned_threads = 2)
      : path_(path), shape_(s), planned_threads_(planned_threads) {
    layout_ = {s.dtype, s.kv_heads, s.dim, s.block_size, random.between(0, 3) * 64, 0};
    layout_.block_bytes = layout_.layer_offset + layout_.layer_bytes() + 128;
    int32_t total = 1;
    for (int32_t length : lengths) total += (length + s.block_size - 1) / s.block_size + 1;
    std::vector<int32_t> ids(static_cast<size_t>(total));
    for (int32_t i = 0; i < total; i++) ids[i] = i;
    for (int32_t i = total - 1; i > 0; i--) std::swap(ids[i], ids[random.between(0, i)]);
    max_length_ = *std::max_element(lengths.begin(), lengths.end());
    workspace_.assign(AttentionWorkspace(layout_, s.heads, max_length_, planned_threads).bytes(), 0);
    pool_.assign(static_cast<size_t>(total) * layout_.block_bytes, 0xff);
    for (int32_t length : lengths) {
      tables_.emplace_back();
      for (int32_t i = 0; i * s.block_size < length; i++) {
        tables_.back().push_back(ids.back());
        ids.pop_back();
      }
    }
  }

  void write(size_t sequence, const Sequence& q, int32_t begin, int32_t end) {
    for (int32_t t = begin; t < end; t++) {
      uint8_t* block = pool_.data() + tables_[sequence][t / shape_.block_size] * layout_.block_bytes;
      const size_t at = static_cast<size_t>(t) * shape_.kv_heads * shape_.dim;
      path_.kv_write(layout_, block, t % shape_.block_size, &q.keys[at], &q.values[at]);
    }
  }

  // Entries of blocks that no token from `position` on sees, as the block manager leaves them: not a block at all.
  void forget_behind_window(size_t sequence, int32_t position) {
    if (shape_.window == 0) return;
    const int32_t begin = std::max(0, position - shape_.window + 1);
    for (int32_t i = 0; (i + 1) * shape_.block_size <= begin; i++) tables_[sequence][i] = 1 << 30;
  }

  int64_t num_items = 0;  // of the last call
  struct Row { size_t sequence; int32_t start, num_query; };
  // Attention of the rows; results go to each sequence's own array.
  void attend(const std::vector<Row>& rows, const std::vector<Sequence>& sequences, std::vector<std::vector<float>>& out, bool backwards = false, int threads = 1) {
    const int64_t width = static_cast<int64_t>(shape_.heads) * shape_.dim;
    const int64_t stride = width + 3;
    std::vector<AttentionRow> args_rows;
    int64_t tokens = 0;
    for (const Row& row : rows) {
      args_rows.push_back({tables_[row.sequence].data(), row.start, row.num_query, tokens});
      tokens += row.num_query;
    }
    std::vector<float> query(static_cast<size_t>(tokens * stride), NAN), result(static_cast<size_t>(tokens * stride), 7.0f);
    for (size_t r = 0; r < rows.size(); r++)
      for (int32_t i = 0; i < rows[r].num_query; i++)
        std::memcpy(&query[(args_rows[r].token + i) * stride], &sequences[rows[r].sequence].queries[(rows[r].start + i) * width], width * sizeof(float));
    const AttentionArgs args{pool_.data(), layout_, args_rows.data(), static_cast<int32_t>(rows.size()), shape_.heads, scale_of(shape_),
                             shape_.softcap, shape_.window, query.data(), stride, result.data(), stride,
                             workspace_.data(), AttentionWorkspace(layout_, shape_.heads, max_length_, planned_threads_).num_pairs()};
    const size_t scratch_bytes = path_.attention_scratch_bytes(layout_, shape_.heads);
    std::vector<AttentionItem> plan;
    plan_attention({shape_.heads, shape_.kv_heads, shape_.window}, args_rows.data(), args.num_rows, planned_threads_,
                   AttentionWorkspace(layout_, shape_.heads, max_length_, planned_threads_), plan);
    const auto items = static_cast<int64_t>(plan.size());
    std::atomic<int64_t> next{0};
    const auto work = [&] {
      for (int64_t i = next++; i < items; i = next++) {
        std::vector<uint8_t> scratch(scratch_bytes, 0xff);  // NaN: nothing may be left over from another item
        path_.attention_item(args, plan[static_cast<size_t>(backwards ? items - 1 - i : i)], scratch.data());
      }
    };
    std::vector<std::thread> pool;
    for (int i = 1; i < threads; i++) pool.emplace_back(work);
    work();
    for (std::thread& thread : pool) thread.join();
    num_items = items;
    for (size_t r = 0; r < rows.size(); r++)
      for (int32_t i = 0; i < rows[r].num_query; i++) {
        const float* from = &result[(args_rows[r].token + i) * stride];
        std::memcpy(&out[rows[r].sequence][(rows[r].start + i) * width], from, width * sizeof(float));
        for (int64_t j = width; j < stride; j++) CHECK(from[j] == 7.0f, "wrote past a row");
      }
  }

 private:
  const OpKernels& path_;
  Shape shape_;
  int planned_threads_;
  int32_t max_length_ = 0;
  KvLayout layout_{};
  std::vector<uint8_t> pool_, workspace_;
  std::vector<std::vector<int32_t>> tables_;
};

std::vector<std::vector<float>> blank(const std::vector<Sequence>& sequences) {
  std::vector<std::vector<float>> out;
  for (const Sequence& q : sequences) out.emplace_back(q.queries.size(), NAN);
  return out;
}

// Everything in one call, keys and values of the whole sequence written before.
std::vector<float> whole(Random& random, const OpKernels& path, const Shape& s, const Sequence& q) {
  Cache cache(random, path, s, {q.length});
  cache.write(0, q, 0, q.length);
  std::vector<Sequence> sequences{q};
  auto out = blank(sequences);
  cache.attend({{0, 0, q.length}}, sequences, out);
  return out[0];
}

// In chunks of `chunk` tokens, each written just before it is read.
std::vector<float> chunked(Random& random, const OpKernels& path, const Shape& s, const Sequence& q, int32_t chunk) {
  Cache cache(random, path, s, {q.length});
  std::vector<Sequence> sequences{q};
  auto out = blank(sequences);
  for (int32_t start = 0; start < q.length; start += chunk) {
    const int32_t n = std::min(chunk, q.length - start);
    cache.write(0, q, start, start + n);
    cache.forget_behind_window(0, start);
    cache.attend({{0, start, n}}, sequences, out, true);
  }
  return out[0];
}

const char* text(const Shape& s) {
  static char buffer[160];
  std::snprintf(buffer, sizeof buffer, "dtype %d H %d KVH %d D %d block %d window %d cap %g", static_cast<int>(s.dtype), s.heads, s.kv_heads, s.dim,
                s.block_size, s.window, static_cast<double>(s.softcap));
  return buffer;
}

void compare(const Shape& s, const Sequence& q, const std::vector<float>& out, const char* path) {
  const auto exact = oracle(s, q);
  for (size_t i = 0; i < out.size(); i++)
    CHECK(std::fabs(out[i] - exact[i]) <= 4e-6 * (1 + s.dim / 64.0), "%s %s length %d element %zu: %g, expected %g", path, text(s), q.length, i, static_cast<double>(out[i]), exact[i]);
}

#if defined(KVASIR_EMULATED)
const Shape kShapes[] = {
    {KvDtype::f16, 4, 2, 64, 32, 0, 0},   {KvDtype::bf16, 5, 1, 48, 32, 0, 50}, {KvDtype::f32, 2, 2, 8, 16, 0, 0},
    {KvDtype::f16, 5, 1, 20, 16, 33, 0},  {KvDtype::f32, 2, 2, 20, 64, 300, 0}, {KvDtype::f32, 3, 1, 1, 16, 0, 0},
    {KvDtype::i8, 3, 1, 64, 16, 0, 0},    {KvDtype::i8, 2, 2, 21, 32, 90, 20},
};
#else
const Shape kShapes[] = {
    {KvDtype::f32, 9, 3, 64, 16, 0, 0},   {KvDtype::f16, 9, 3, 64, 32, 0, 0},   {KvDtype::bf16, 9, 3, 64, 64, 0, 0},
    {KvDtype::f16, 4, 1, 256, 16, 100, 0}, {KvDtype::f32, 4, 1, 256, 32, 0, 0}, {KvDtype::f32, 2, 2, 8, 16, 0, 0},
    {KvDtype::f16, 5, 1, 20, 16, 33, 0},  {KvDtype::bf16, 8, 1, 80, 32, 0, 50}, {KvDtype::f32, 6, 3, 96, 16, 17, 30},
    {KvDtype::i8, 9, 3, 64, 16, 0, 0},    {KvDtype::i8, 4, 1, 100, 32, 90, 0},  {KvDtype::i8, 6, 2, 21, 16, 0, 20},
    {KvDtype::bf16, 7, 1, 128, 16, 1, 0}, {KvDtype::f32, 4, 4, 20, 64, 300, 0}, {KvDtype::f32, 3, 1, 1, 16, 0, 0},
};
#endif

void against_double() {
  Random random(11);
  for (const Shape& s : kShapes)
    for (int32_t length : {1, 2, 16, 17, 130, 300}) {
      if (kEmulated && s.dim * length > 6000) continue;
      const Sequence q = make_sequence(random, s, length);
      for (const OpKernels* path : paths())
        if ((!is_scalar(path) && !(kSanitized && s.dim > 100)) || length < 100 || s.dim <= 20) compare(s, q, whole(random, *path, s, q), path->name);
    }
}

void long_contexts() {
  Random random(12);
  for (const Shape& s : {Shape{KvDtype::f32, 3, 1, 16, 16, 0, 0}, Shape{KvDtype::f16, 2, 1, 8, 32, 513, 0}, Shape{KvDtype::f32, 2, 1, 8, 16, 256, 20}, Shape{KvDtype::i8, 2, 1, 12, 16, 0, 0}}) {
    const Sequence q = make_sequence(random, s, kEmulated ? 600 : 1100);
    for (const OpKernels* path : paths()) compare(s, q, whole(random, *path, s, q), path->name);
  }
}

void random_shapes() {
  Random random(13);
  for (int i = 0; i < (kEmulated ? 5 : kSanitized ? 10 : 60); i++) {
    const int32_t kv_heads = static_cast<int32_t>(random.between(1, 3));
    const int32_t window = random.unit() < 0.5 ? 0 : static_cast<int32_t>(random.between(1, 290));
    const Shape s{static_cast<KvDtype>(random.between(0, 3)), kv_heads * static_cast<int32_t>(random.between(1, 8)), kv_heads,
                  static_cast<int32_t>(random.between(1, 70)), 16 * static_cast<int32_t>(random.between(1, 4)), window, random.unit() < 0.3 ? 25.0f : 0.0f};
    const Sequence q = make_sequence(random, s, static_cast<int32_t>(random.between(1, 280)));
    std::vector<float> first;
    for (const OpKernels* path : paths()) {
      const auto out = whole(random, *path, s, q);
      if (first.empty()) {
        compare(s, q, out, path->name);
        first = out;
      }
      CHECK(same_bits(first, out), "%s differs: %s length %d", path->name, text(s), q.length);
      const int32_t chunk = static_cast<int32_t>(random.between(1, q.length));
      CHECK(same_bits(first, chunked(random, *path, s, q, chunk)), "%s, chunks of %d: %s length %d", path->name, chunk, text(s), q.length);
    }
  }
}

void chunks() {
  Random random(14);
  for (const Shape& s : kShapes) {
    const Sequence q = make_sequence(random, s, kSanitized ? 270 : 530);
    const auto expected = whole(random, *paths().back(), s, q);
    for (const OpKernels* path : paths()) {
      if (is_scalar(path) && kSanitized && s.dim > 20) continue;
      CHECK(same_bits(expected, whole(random, *path, s, q)), "%s differs: %s", path->name, text(s));
      if (is_scalar(path)) continue;
      for (int32_t chunk : {1, 2, 3, 15, 16, 17, 64, 255, 256, 257, 512}) CHECK(same_bits(expected, chunked(random, *path, s, q, chunk)), "%s, chunks of %d: %s", path->name, chunk, text(s));
    }
  }
}

void block_sizes() {
  Random random(15);
  for (Shape s : kShapes) {
    const Sequence q = make_sequence(random, s, 290);
    s.block_size = 16;
    for (const OpKernels* path : paths()) {
      if (is_scalar(path) && s.dim > 20) continue;
      const auto expected = whole(random, *path, s, q);
      for (int32_t size : {32, 48, 64, 256}) {
        Shape other = s;
        other.block_size = size;
        CHECK(same_bits(expected, whole(random, *path, other, q)), "%s, block size %d: %s", path->name, size, text(s));
      }
    }
  }
}

void companions() {
  Random random(16);
  for (int i = 0; i < (kSanitized ? 6 : 25); i++) {
    const Shape s = kShapes[random.between(0, static_cast<int64_t>(std::size(kShapes)) - 1)];
    std::vector<Sequence> sequences;
    std::vector<int32_t> lengths;
    const int64_t count = random.between(2, 6);
    for (int64_t j = 0; j < count; j++) {
      lengths.push_back(static_cast<int32_t>(random.between(1, 320)));
      sequences.push_back(make_sequence(random, s, lengths.back()));
    }
    for (const OpKernels* path : paths()) {
      if (is_scalar(path) && (i % 5 != 0 || kSanitized)) continue;
      Cache cache(random, *path, s, lengths);
      auto out = blank(sequences);
      std::vector<int32_t> done(lengths.size(), 0);
      for (;;) {
        std::vector<Cache::Row> rows;
        for (size_t j = 0; j < lengths.size(); j++) {
          if (done[j] == lengths[j] || random.unit() < 0.3) continue;
          const int32_t n = random.unit() < 0.4 ? 1 : static_cast<int32_t>(random.between(1, lengths[j] - done[j]));
          cache.write(j, sequences[j], done[j], done[j] + n);
          cache.forget_behind_window(j, done[j]);
          rows.insert(rows.begin() + random.between(0, static_cast<int64_t>(rows.size())), {j, done[j], n});
          done[j] += n;
        }
        if (!rows.empty()) cache.attend(rows, sequences, out, random.unit() < 0.5);
        if (done == lengths) break;
      }
      for (size_t j = 0; j < lengths.size(); j++) {
        const auto alone = whole(random, *path, s, sequences[j]);
        CHECK(same_bits(alone, out[j]), "%s: sequence %zu of %zu depends on its companions: %s", path->name, j, lengths.size(), text(s));
      }
    }
  }
}

// Decode rows cut at partitions, beside rows that are not: any order, any thread, same bits as the uncut item.
void split_contexts() {
  Random random(19);
  int64_t num_cut = 0;
  for (Shape s : kShapes) {
    if (s.dim > 100) s.dim = 100;
    if (kSanitized && s.dim > (kEmulated ? 20 : 70)) continue;
    for (const OpKernels* path : paths()) {
      if (is_scalar(path) && s.dim > 20) continue;
      const std::vector<int32_t> lengths{1100, 300, 40};
      std::vector<Sequence> sequences;
      for (const int32_t length : lengths) sequences.push_back(make_sequence(random, s, length));
      for (const int threads : {2, 8}) {
        Cache cut(random, *path, s, lengths, threads), uncut(random, *path, s, lengths, 1);
        for (size_t i = 0; i < lengths.size(); i++)
          for (Cache* cache : {&cut, &uncut}) cache->write(i, sequences[i], 0, lengths[i]);
        auto expected = blank(sequences), out = blank(sequences);
        for (int32_t p : {0, 1, 255, 256, 257, 511, 512, 513, 700, 767, 768, 1023, 1024, 1025, 1099}) {
          std::vector<Cache::Row> rows{{0, p, 1}};
          if (random.unit() < 0.6) rows.insert(rows.begin() + random.between(0, 1), {1, p % 290, static_cast<int32_t>(random.between(1, 10))});
          if (random.unit() < 0.6) rows.push_back({2, p % 40, 1});
          uncut.attend(rows, sequences, expected);
          cut.attend(rows, sequences, out, random.unit() < 0.5, 2);
          CHECK(cut.num_items >= uncut.num_items && (rows.size() > 1 || p < 256 || s.window > 0 || cut.num_items > s.kv_heads), "position %d", p);
          num_cut += cut.num_items > uncut.num_items;
          for (const Cache::Row& row : rows) {
            const size_t at = static_cast<size_t>(row.start) * s.heads * s.dim;
            const size_t size = static_cast<size_t>(row.num_query) * s.heads * s.dim;
            CHECK(same_bits(&expected[row.sequence][at], &out[row.sequence][at], size), "%s position %d: %s", path->name, row.start, text(s));
          }
        }
      }
    }
  }
  CHECK(num_cut > 100, "only %lld calls were cut", static_cast<long long>(num_cut));
}

// What the plan promises: every query, KV head and partition once, within the workspace, no item larger than its share if it could be cut.
void plans() {
  Random random(20);
  int64_t num_cut = 0, num_mixed = 0;
  for (int i = 0; i < 2000; i++) {
    const int32_t kv_heads = static_cast<int32_t>(random.between(1, 4)), group = static_cast<int32_t>(random.between(1, 60));
    const int32_t threads = static_cast<int32_t>(random.between(1, 9)), max_length = static_cast<int32_t>(random.between(1, 6000));
    const AttentionShape shape{kv_heads * group, kv_heads, random.unit() < 0.5 ? 0 : static_cast<int32_t>(random.between(1, 2000))};
    const KvLayout layout{KvDtype::f16, kv_heads, 64, 16, 0, 0};
    std::vector<AttentionRow> rows;
    for (int64_t r = random.between(0, 12); r > 0; r--) {
      const int32_t query = random.unit() < 0.7 ? 1 : static_cast<int32_t>(random.between(1, std::min(max_length, 70)));
      rows.push_back({nullptr, static_cast<int32_t>(random.between(0, random.unit() < 0.5 ? max_length - query : std::min(300, max_length - query))), query, 0});
    }
    const AttentionWorkspace workspace(layout, shape.num_heads, max_length, threads);
    std::vector<AttentionItem> items;
    plan_attention(shape, rows.data(), static_cast<int32_t>(rows.size()), threads, workspace, items);
    std::vector<std::vector<int32_t>> covered;  // of each row: partitions done, by query and head
    for (const AttentionRow& row : rows) covered.emplace_back(static_cast<size_t>(row.num_query) * kv_heads, 0);
    std::vector<int32_t> slot_used(static_cast<size_t>(workspace.num_slots()), 0), pair_items(static_cast<size_t>(workspace.num_pairs()), 0);
    bool cut = false, whole_seen = false;
    for (const AttentionItem& item : items) {
      const AttentionRow& row = rows[static_cast<size_t>(item.row)];
      CHECK(item.query >= 0 && item.num_query >= 1 && item.query + item.num_query <= row.num_query && item.num_query <= queries_per_item(group), "queries");
      CHECK(item.first_partition >= first_visible(row.start + item.query, shape.window) / kAttentionPartition, "skips what the window hides");
      for (int32_t q = item.query; q < item.query + item.num_query; q++)
        covered[static_cast<size_t>(item.row)][static_cast<size_t>(q) * kv_heads + item.kv_head] += item.last_partition - item.first_partition + 1;
      if (item.pair < 0) {
        CHECK(!cut, "whole items come first");
        whole_seen = true;
        continue;
      }
      cut = true;
      CHECK(item.pair < workspace.num_pairs(), "one of the pairs");
      const int32_t first = first_visible(row.start, shape.window) / kAttentionPartition;
      for (int32_t p = item.first_partition; p <= item.last_partition; p++) {
        const int64_t slot = item.slot + p - first;
        CHECK(slot < workspace.num_slots() && slot_used[static_cast<size_t>(slot)]++ == 0, "slot %lld of its own", static_cast<long long>(slot));
        CHECK(++pair_items[static_cast<size_t>(item.pair)] <= item.num_partitions, "pair %d", item.pair);
      }
    }
    for (size_t r = 0; r < rows.size(); r++)
      for (int32_t q = 0; q < rows[r].num_query; q++)
        for (int32_t h = 0; h < kv_heads; h++) {
          // A tile covers what its first and last queries see.
          const int32_t tile = q / queries_per_item(group) * queries_per_item(group);
          const int32_t end = std::min(tile + queries_per_item(group), rows[r].num_query) - 1;
          const int32_t expected = (rows[r].start + end) / kAttentionPartition - first_visible(rows[r].start + tile, shape.window) / kAttentionPartition + 1;
          CHECK(covered[r][static_cast<size_t>(q) * kv_heads + h] == expected, "row %zu query %d", r, q);
        }
    CHECK(threads > 1 || !cut, "one thread needs no cut");
    num_cut += cut;
    num_mixed += cut && whole_seen;
  }
  CHECK(num_cut > 200 && num_mixed > 50, "%lld plans cut, %lld of them in part", static_cast<long long>(num_cut), static_cast<long long>(num_mixed));
}

// A later token with infinite or NaN values must not reach a query before it, whatever tile they share.
void poisoned_future() {
  Random random(17);
  for (const Shape& s : kShapes)
    for (const OpKernels* path : paths()) {
      Sequence q = make_sequence(random, s, 40);
      const auto expected = whole(random, *path, s, q);
      const int32_t cut = 23;
      const size_t width = static_cast<size_t>(s.kv_heads) * s.dim;
      for (size_t i = cut * width; i < q.values.size(); i++) {
        q.values[i] = i % 2 ? INFINITY : NAN;
        q.keys[i] = i % 3 ? NAN : -INFINITY;
      }
      const auto poisoned = whole(random, *path, s, q);
      CHECK(same_bits(expected.data(), poisoned.data(), static_cast<size_t>(cut) * s.heads * s.dim), "%s: %s", path->name, text(s));
    }
}

void no_rows() {
  std::vector<AttentionItem> items(3);
  const KvLayout layout{KvDtype::f32, 2, 8, 16, 0, 4096};
  plan_attention({4, 2, 0}, nullptr, 0, 2, AttentionWorkspace(layout, 4, 100, 2), items);
  CHECK(items.empty(), "%zu items", items.size());
}

}  // namespace
}  // namespace kvasir::test

int main() {
  using namespace kvasir::test;
  return run_all("ops attention", {{"against double precision", against_double}, {"long contexts, several partitions", long_contexts}, {"random shapes, paths and chunks", random_shapes},
                                   {"chunk sizes", chunks}, {"block sizes", block_sizes}, {"other rows in the call, order of items", companions},
                                   {"decode cut at partitions, two threads", split_contexts}, {"plans of random steps", plans}, {"NaN and infinity in later tokens", poisoned_future}, {"no rows", no_rows}});
}
