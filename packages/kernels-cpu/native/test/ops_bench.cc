// Times of the ops on one thread: node scripts/native-tests.mjs --bench ops. Run by hand it takes the name of a path.
// Attention is shown with its share of work: GFLOP/s (4 flops a head, dimension and visible token) and GB/s of keys and values read.
#include <chrono>

#include "ops_check.h"

namespace kvasir::test {
namespace {

template <class F>
double microseconds(F&& f) {
  using Clock = std::chrono::steady_clock;
  double best = 1e30;
  const auto begin = Clock::now();
  for (int round = 0; round < 200 && (round < 5 || Clock::now() - begin < std::chrono::milliseconds(120)); round++) {
    const auto start = Clock::now();
    f();
    best = std::min(best, std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  return best;
}

struct Model {
  const char* name;
  int32_t heads, kv_heads, dim, window;
};

void attention(const OpKernels& path, const Model& m, KvDtype dtype, int32_t context, int32_t num_query) {
  Random random(1);
  KvLayout layout{dtype, m.kv_heads, m.dim, 32, 0, 0};
  layout.block_bytes = layout.layer_bytes();
  const int32_t blocks = (context + 31) / 32;
  std::vector<uint8_t> pool(static_cast<size_t>(blocks) * layout.block_bytes);
  std::vector<int32_t> table;
  for (int32_t i = 0; i < blocks; i++) table.push_back(i);
  for (int32_t i = blocks - 1; i > 0; i--) std::swap(table[i], table[random.between(0, i)]);
  const int64_t kv = static_cast<int64_t>(m.kv_heads) * m.dim, width = static_cast<int64_t>(m.heads) * m.dim;
  const auto key = random.normals(kv), value = random.normals(kv), query = random.normals(num_query * width);
  const double write = microseconds([&] {
    for (int32_t t = 0; t < context; t++) path.kv_write(layout, pool.data() + table[t / 32] * layout.block_bytes, t % 32, key.data(), value.data());
  });
  std::vector<float> out(query.size());
  const AttentionRow row{table.data(), context - num_query, num_query, 0};
  const AttentionArgs args{pool.data(), layout, &row, 1, m.heads, 0.125f, 0, m.window, query.data(), width, out.data(), width};
  std::vector<uint8_t> scratch(path.attention_scratch_bytes(layout, m.heads, context));
  const double time = microseconds([&] {
    for (int64_t i = 0; i < path.attention_num_items(args); i++) path.attention_item(args, i, scratch.data());
  });
  double visible = 0;
  for (int32_t p = context - num_query; p < context; p++) visible += m.window ? std::min(p + 1, m.window) : p + 1;
  const double flops = 4.0 * m.heads * m.dim * visible;
  const double bytes = 2.0 * kv * (dtype == KvDtype::f32 ? 4 : 2) * (m.window ? std::min(context, m.window) : context);
  std::printf("  %-6s %-9s kv %-4s context %5d queries %4d %10.1f us %8.1f GFLOP/s %7.1f GB/s   kv_write %5.0f ns/token\n", path.name, m.name,
              dtype == KvDtype::f32 ? "f32" : dtype == KvDtype::f16 ? "f16" : "bf16", context, num_query, time, flops / time / 1e3, bytes / time / 1e3, write * 1e3 / context);
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

void sampling(const OpKernels& path) {
  Random random(3);
  for (int64_t vocab : {49152, 262144}) {
    std::vector<uint8_t> scratch(path.sample_scratch_bytes(vocab));
    for (double spread : {0.3, 3.0}) {
      const auto logits = random.normals(vocab, spread);
      const auto each = [&](const char* name, SampleParams p) {
        const double time = microseconds([&] { p.position++; path.sample(logits.data(), vocab, p, scratch.data()); });
        std::printf("  %-6s sample V %6lld spread %3.1f %-18s %9.1f us\n", path.name, static_cast<long long>(vocab), spread, name, time);
      };
      const int32_t banned[] = {5};
      each("greedy", {0, 1, 0, 1, 0, nullptr, 0});
      each("T 1", {1, 1, 0, 1, 0, nullptr, 0});
      each("T 1, banned", {1, 1, 0, 1, 0, banned, 1});
      each("T 0.8 k 40", {0.8f, 1, 40, 1, 0, nullptr, 0});
      each("T 0.8 p 0.95", {0.8f, 0.95f, 0, 1, 0, nullptr, 0});
      each("T 0.8 k 40 p 0.95", {0.8f, 0.95f, 40, 1, 0, nullptr, 0});
      TokenLogprob chosen, top[20];
      const double time = microseconds([&] { path.logprobs(logits.data(), vocab, 77, 20, &chosen, top, scratch.data()); });
      std::printf("  %-6s logprobs, 20                              %9.1f us\n", path.name, time);
    }
  }
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
      for (KvDtype dtype : {KvDtype::f32, KvDtype::f16, KvDtype::bf16})
        for (int32_t context : {128, 512, 4096}) {
          attention(*path, m, dtype, context, 1);
          if (context >= 512) attention(*path, m, dtype, context, 512);
        }
    elementwise(*path);
    sampling(*path);
  }
  return 0;
}
