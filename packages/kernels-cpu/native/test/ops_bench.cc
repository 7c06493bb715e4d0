// Times of the ops on one thread: node scripts/native-tests.mjs --bench ops. Run by hand it takes the name of a path.
// Attention is shown with its share of work: GFLOP/s (4 flops a head, dimension and visible token) and GB/s of keys and values read.
#include <sys/mman.h>
#include <time.h>

#include "../ops/attention_plan.h"
#include "ops_check.h"

namespace kvasir::test {
namespace {

// Time of this thread's own CPU: what other processes take does not count.
double cpu_micros() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

template <class F>
double microseconds(F&& f) {
  double best = 1e30;
  const double begin = cpu_micros();
  for (int round = 0; round < 200 && (round < 5 || cpu_micros() - begin < 120e3); round++) {
    const double start = cpu_micros();
    f();
    best = std::min(best, cpu_micros() - start);
  }
  return best;
}

// Two in turns, so that both see the same minutes; medians, for the best of rows in turn may be the row that is in a cache.
template <class F, class G>
std::pair<double, double> interleaved(F f, G g) {
  constexpr size_t kRounds = 301;
  std::vector<double> first, second;
  const double begin = cpu_micros();
  while (first.size() < kRounds && (first.size() < 5 || cpu_micros() - begin < 240e3)) {
    const double start = cpu_micros();
    f();
    const double middle = cpu_micros();
    g();
    first.push_back(middle - start);
    second.push_back(cpu_micros() - middle);
  }
  const auto middle_of = [](std::vector<double>& times) {
    std::nth_element(times.begin(), times.begin() + static_cast<int64_t>(times.size() / 2), times.end());
    return times[times.size() / 2];
  };
  return {middle_of(first), middle_of(second)};
}

// As a session has its pool: huge pages, where the system gives them.
struct Pages {
  explicit Pages(size_t size) : bytes(size), data(static_cast<uint8_t*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
#ifdef MADV_HUGEPAGE
    madvise(data, size, MADV_HUGEPAGE);
#endif
  }
  ~Pages() { munmap(data, bytes); }
  size_t bytes;
  uint8_t* data;
};

const char* name_of(KvDtype dtype) {
  switch (dtype) {
    case KvDtype::f32: return "f32";
    case KvDtype::f16: return "f16";
    case KvDtype::bf16: return "bf16";
    case KvDtype::i8: return "i8";
  }
  return "?";
}

struct Model {
  const char* name;
  int32_t heads, kv_heads, dim, window;
};

// With `layers`, each call reads another layer of the pool, so that a pool of many comes from memory and not from a cache.
void attention(const OpKernels& path, const Model& m, KvDtype dtype, int32_t context, int32_t num_query, int32_t layers = 1) {
  Random random(1);
  KvLayout layout{dtype, m.kv_heads, m.dim, 16, 0, 0};
  layout.block_bytes = layers * layout.layer_bytes();
  const int32_t blocks = (context + 15) / 16;
  Pages pool(static_cast<size_t>(blocks) * layout.block_bytes);
  std::vector<int32_t> table;
  for (int32_t i = 0; i < blocks; i++) table.push_back(i);
  for (int32_t i = blocks - 1; i > 0; i--) std::swap(table[i], table[random.between(0, i)]);
  const int64_t kv = static_cast<int64_t>(m.kv_heads) * m.dim, width = static_cast<int64_t>(m.heads) * m.dim;
  const auto key = random.normals(kv), value = random.normals(kv), query = random.normals(num_query * width);
  const double write = microseconds([&] {
    for (int32_t t = 0; t < context; t++) path.kv_write(layout, pool.data + table[t / 16] * layout.block_bytes, t % 16, key.data(), value.data());
  });
  for (int32_t layer = 1; layer < layers; layer++) {
    KvLayout other = layout;
    other.layer_offset = layer * layout.layer_bytes();
    for (int32_t t = 0; t < context; t++) path.kv_write(other, pool.data + table[t / 16] * layout.block_bytes, t % 16, key.data(), value.data());
  }
  std::vector<float> out(query.size());
  const AttentionRow row{table.data(), context - num_query, num_query, 0};
  AttentionArgs args{pool.data, layout, &row, 1, m.heads, 0.125f, 0, m.window, query.data(), width, out.data(), width};
  std::vector<uint8_t> scratch(path.attention_scratch_bytes(layout, m.heads));
  std::vector<AttentionItem> items;
  plan_attention({m.heads, m.kv_heads, m.window}, &row, 1, 1, AttentionWorkspace(layout, m.heads, context, 1), items);
  const double time = microseconds([&] {
    for (int32_t layer = 0; layer < layers; layer++) {
      args.layout.layer_offset = layer * layout.layer_bytes();
      for (const AttentionItem& item : items) path.attention_item(args, item, scratch.data());
    }
  }) / layers;
  double visible = 0;
  for (int32_t p = context - num_query; p < context; p++) visible += m.window ? std::min(p + 1, m.window) : p + 1;
  const double flops = 4.0 * m.heads * m.dim * visible;
  const double bytes = static_cast<double>(layout.layer_bytes()) / 16 * (m.window ? std::min(context, m.window) : context);
  std::printf("  %-6s %-9s kv %-4s context %5d queries %4d layers %2d %10.1f us %8.1f GFLOP/s %7.1f GB/s   kv_write %5.0f ns/token\n", path.name, m.name,
              name_of(dtype), context, num_query, layers, time, flops / time / 1e3, bytes / time / 1e3, write * 1e3 / context);
}

void elementwise(const OpKernels& path) {
  Random random(2);
  const auto x = random.normals(1536), w = random.normals(1536);
  std::vector<float> out(1536);
  const auto each = [&](const char* name, int64_t n, auto&& f) {
    const double time = microseconds([&] { for (int i = 0; i < 100; i++) f(); }) / 100;
    std::printf("  %-6s %-20s %5lld %8.3f us\n", path.name, name, static_cast<long long>(n), time);
  };
  each("rms_norm", 576, [&] { path.rms_norm(x.data(), w.data(), 0, 1e-5f, 576, 1, out.data()); });
  each("silu gate", 1536, [&] { path.gated_activation(Activation::silu, x.data(), w.data(), 1536, out.data()); });
  each("gelu_tanh gate", 1536, [&] { path.gated_activation(Activation::gelu_tanh, x.data(), w.data(), 1536, out.data()); });
  each("gelu gate", 1536, [&] { path.gated_activation(Activation::gelu, x.data(), w.data(), 1536, out.data()); });
  each("add", 576, [&] { path.add(x.data(), w.data(), 576, out.data()); });
}

// `rows` rows in turn: many come from memory, as those of a large batch.
void sampling(const OpKernels& path, int64_t vocab, double spread, int64_t rows) {
  Random random(3);
  const int64_t padded = (vocabulary_tiles(vocab) + 15) / 16 * 16;
  const auto logits = random.normals(rows * vocab, spread);
  std::vector<float> maxima(static_cast<size_t>(rows * padded));
  std::vector<uint8_t> scratch(path.sample_scratch_bytes(vocab));
  std::printf("  %-6s V %lld, spread %.1f, %lld rows\n", path.name, static_cast<long long>(vocab), spread, static_cast<long long>(rows));
  // A strip of all rows at a time, as the head leaves them while they are near.
  const double leave = microseconds([&] {
    for (int64_t i = 0; i < rows * vocabulary_tiles(vocab); i++) path.tile_maxima(logits.data() + i % 16 * kVocabularyTile, kVocabularyTile, &maxima[i]);
  });
  for (int64_t row = 0; row < rows; row++) path.tile_maxima(logits.data() + row * vocab, vocab, &maxima[row * padded]);
  std::printf("    leaving the maxima of tiles %9.1f us\n", leave / static_cast<double>(rows));
  const auto each = [&](const char* name, const SampleParams& params) {
    const auto run = [&](SampleParams p, const float* tile_max) {
      return [&, p, tile_max]() mutable {
        const int64_t row = p.position++ % rows;
        path.sample({logits.data() + row * vocab, vocab, tile_max == nullptr ? nullptr : tile_max + row * padded}, p, scratch.data());
      };
    };
    SampleParams later = params;
    later.position += rows / 2;  // what the one has read is far from the other
    const auto [pass, by_maxima] = interleaved(run(params, nullptr), run(later, maxima.data()));
    std::printf("    %-20s %9.1f us, by maxima of tiles %9.1f us\n", name, pass, by_maxima);
  };
  each("greedy", {0, 1, 0, 1, 0});
  each("T 0.8 k 40", {0.8f, 1, 40, 1, 0});
  if (rows > 1) return;
  each("T 1", {1, 1, 0, 1, 0});
  each("T 0.8 p 0.95", {0.8f, 0.95f, 0, 1, 0});
  each("T 0.8 k 40 p 0.95", {0.8f, 0.95f, 40, 1, 0});
  each("T 1 min-p 0.05", {1, 1, 0, 1, 0, 0.05f});
  each("T 1 typical 0.9", {1, 1, 0, 1, 0, 0, 0.9f});
  each("T 1 k 40 typical 0.9", {1, 1, 40, 1, 0, 0, 0.9f});
  TokenLogprob chosen, top[20];
  const double time = microseconds([&] { path.logprobs({logits.data(), vocab}, 77, 20, &chosen, top, scratch.data()); });
  std::printf("    %-20s %9.1f us\n", "logprobs, 20", time);
}

}  // namespace
}  // namespace kvasir::test

int main(int argc, char** argv) {
  using namespace kvasir::test;
  using kvasir::KvDtype;
  flush_denormals();
  const Model smollm{"smollm2", 9, 3, 64, 0}, gemma{"gemma3", 4, 1, 256, 512}, gemma_full{"gemma3-g", 4, 1, 256, 0};
  for (const kvasir::OpKernels* path : paths()) {
    if (argc > 1 ? std::strcmp(path->name, argv[1]) != 0 : path->name[0] == 's') continue;
    for (const Model& m : {smollm, gemma, gemma_full})
      for (KvDtype dtype : {KvDtype::f32, KvDtype::f16, KvDtype::bf16, KvDtype::i8})
        for (int32_t context : {128, 512, 4096}) {
          attention(*path, m, dtype, context, 1);
          if (context >= 512) attention(*path, m, dtype, context, 512);
          if (context == 4096) attention(*path, m, dtype, context, 1, 30);
        }
    elementwise(*path);
    for (int64_t vocab : {49152, 262144})
      for (double spread : {0.3, 3.0})
        for (int64_t rows : {1, 64}) sampling(*path, vocab, spread, rows);
  }
  return 0;
}
