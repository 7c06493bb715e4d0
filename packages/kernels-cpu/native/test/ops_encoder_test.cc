// Layer norm, activations, pooling and bidirectional attention against double precision, and bit for bit across paths.
#include "../ops/attention_plan.h"
#include "ops_check.h"

namespace kvasir::test {
namespace {

const int64_t kWidths[] = {1, 2, 15, 16, 17, 33, 64, 100, 384, 1536};

// Runs `compute` on every path, expects equal bits of all, and returns them.
template <class F>
std::vector<float> on_all_paths(size_t size, F&& compute) {
  std::vector<float> first;
  for (const OpKernels* path : paths()) {
    std::vector<float> out(size + 1, 7.0f);
    compute(*path, out.data());
    CHECK(out.back() == 7.0f, "%s wrote past the end", path->name);
    out.pop_back();
    if (first.empty()) first = out;
    CHECK(same_bits(first, out), "%s differs, size %lld", path->name, static_cast<long long>(size));
  }
  return first;
}

void layer_norms() {
  Random random(1);
  for (const int64_t width : kWidths)
    for (const double centre : {0.0, 5.0}) {
      auto x = random.normals(width, 3);
      for (float& value : x) value += static_cast<float>(centre);
      const auto weight = random.normals(width), bias = random.normals(width);
      const float eps = 1e-5f;
      const auto out = on_all_paths(x.size(), [&](const OpKernels& ops, float* to) { ops.layer_norm(x.data(), weight.data(), bias.data(), eps, width, to); });
      double sum = 0, squares = 0;
      for (const float value : x) sum += value;
      const double mean = sum / static_cast<double>(width);
      for (const float value : x) squares += (value - mean) * (value - mean);
      const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + eps);
      for (size_t i = 0; i < x.size(); i++) {
        const double exact = (x[i] - mean) * scale * weight[i] + bias[i];
        // The mean is rounded: what cancels is small next to the centre.
        const double bound = 1e-6 * (std::fabs(exact) + std::fabs(bias[i]) + std::fabs(weight[i]) * (1 + std::fabs(centre) * scale));
        CHECK(std::fabs(out[i] - exact) <= bound, "width %lld: %g, expected %g", static_cast<long long>(width), static_cast<double>(out[i]), exact);
      }
      for (const OpKernels* path : paths()) {
        auto in_place = x;
        path->layer_norm(in_place.data(), weight.data(), bias.data(), eps, width, in_place.data());
        CHECK(same_bits(in_place, out), "%s in place, width %lld", path->name, static_cast<long long>(width));
      }
    }
}

double exact_activation(Activation kind, double x) {
  switch (kind) {
    case Activation::silu: return x / (1 + std::exp(-x));
    case Activation::gelu_tanh: return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case Activation::gelu: return x * 0.5 * std::erfc(-x * 0.7071067811865476);
    default: return x > 0 ? x : 0;
  }
}

void activations() {
  std::vector<float> x{0.0f, -0.0f, 1e-30f, -1e-30f, 88.0f, -88.0f, 1000.0f, -1000.0f};
  for (double at = -30; at < 30; at += kEmulated ? 0.041 : 0.0037) x.push_back(static_cast<float>(at));
  for (const Activation kind : {Activation::silu, Activation::gelu_tanh, Activation::gelu, Activation::relu}) {
    const auto out = on_all_paths(x.size(), [&](const OpKernels& ops, float* to) { ops.activation(kind, x.data(), static_cast<int64_t>(x.size()), to); });
    const double floor = kind == Activation::gelu_tanh ? 3e-7 : 1e-12;
    for (size_t i = 0; i < x.size(); i++) {
      const double exact = exact_activation(kind, x[i]);
      CHECK(std::fabs(out[i] - exact) <= 8e-7 * std::fabs(exact) + floor, "activation %d of %g: %g, expected %g", static_cast<int>(kind),
            static_cast<double>(x[i]), static_cast<double>(out[i]), exact);
    }
  }
}

void pooling() {
  Random random(3);
  for (const int64_t width : kWidths)
    for (const int64_t num_rows : {1, 2, 7, 300})
      for (const Pooling kind : {Pooling::mean, Pooling::cls, Pooling::last})
        for (const bool normalize : {false, true}) {
          const int64_t stride = width + 3;
          const auto rows = random.normals(num_rows * stride);
          const auto out = on_all_paths(static_cast<size_t>(width), [&](const OpKernels& ops, float* to) { ops.pool(kind, rows.data(), stride, num_rows, width, normalize, to); });
          std::vector<double> exact(static_cast<size_t>(width));
          double squares = 0;
          for (int64_t i = 0; i < width; i++) {
            const int64_t begin = kind == Pooling::last ? num_rows - 1 : 0, end = kind == Pooling::cls ? 1 : num_rows;
            for (int64_t row = begin; row < end; row++) exact[i] += rows[row * stride + i] / static_cast<double>(end - begin);
            squares += exact[i] * exact[i];
          }
          for (int64_t i = 0; i < width; i++) {
            const double expected = normalize ? exact[i] / std::sqrt(squares) : exact[i];
            CHECK(std::fabs(out[i] - expected) <= 1e-5, "width %lld of %lld rows: %g, expected %g", static_cast<long long>(width),
                  static_cast<long long>(num_rows), static_cast<double>(out[i]), expected);
          }
        }
  const std::vector<float> zeros(8);
  const auto out = on_all_paths(8, [&](const OpKernels& ops, float* to) { ops.pool(Pooling::mean, zeros.data(), 8, 1, 8, true, to); });
  CHECK(same_bits(out, zeros), "a vector of zeros stays one");
}

// Rows of several lengths, around tiles and partitions, through a cache of key tiles.
void bidirectional_attention() {
  Random random(4);
  const std::vector<int32_t> lengths = kEmulated ? std::vector<int32_t>{1, 17, 40} : std::vector<int32_t>{1, 2, 15, 16, 17, 40, 255, 256, 257, 300};
  for (const int32_t head_dim : {5, 16, 32}) {
    const int32_t heads = 3, width = heads * head_dim;
    KvLayout layout{KvDtype::f32, heads, head_dim, kKvTile, 0, 0};
    layout.block_bytes = (layout.layer_bytes() + 63) / 64 * 64;
    std::vector<std::vector<int32_t>> tables;
    std::vector<AttentionRow> rows;
    int32_t num_tokens = 0, num_blocks = 1;
    for (const int32_t length : lengths) {
      tables.emplace_back();
      for (int32_t t = 0; t < length; t += kKvTile) tables.back().push_back(num_blocks++);
      num_tokens += length;
    }
    for (size_t i = 0; i < lengths.size(); i++) rows.push_back({tables[i].data(), 0, lengths[i], i == 0 ? 0 : rows.back().token + lengths[i - 1]});
    const auto query = random.normals(int64_t{num_tokens} * width), key = random.normals(int64_t{num_tokens} * width), value = random.normals(int64_t{num_tokens} * width);
    const float scale = 1 / std::sqrt(static_cast<float>(head_dim));
    const auto out = on_all_paths(query.size(), [&](const OpKernels& ops, float* to) {
      // Garbage in what no token fills must not be seen.
      std::vector<float> pool(static_cast<size_t>(num_blocks * layout.block_bytes / 4), NAN);
      for (const AttentionRow& row : rows)
        for (int32_t t = 0; t < row.num_query; t++) {
          auto* block = reinterpret_cast<uint8_t*>(pool.data()) + row.block_table[t / kKvTile] * layout.block_bytes;
          ops.kv_write(layout, block, t % kKvTile, key.data() + (row.token + t) * width, value.data() + (row.token + t) * width);
        }
      AttentionArgs args{};
      args.pool = reinterpret_cast<const uint8_t*>(pool.data());
      args.layout = layout;
      args.rows = rows.data();
      args.num_rows = static_cast<int32_t>(rows.size());
      args.num_heads = heads;
      args.scale = scale;
      args.query = query.data();
      args.query_stride = args.out_stride = width;
      args.out = to;
      args.bidirectional = true;
      std::vector<AttentionItem> items;
      plan_attention({heads, heads, 0, true}, rows.data(), args.num_rows, 2, AttentionWorkspace(layout, heads, 512, 2), items);
      std::vector<uint8_t> scratch(ops.attention_scratch_bytes(layout, heads));
      for (auto item = items.rbegin(); item != items.rend(); ++item) ops.attention_item(args, *item, scratch.data());
    });
    for (const AttentionRow& row : rows)
      for (int32_t t = 0; t < row.num_query; t++)
        for (int32_t h = 0; h < heads; h++) {
          const auto at = [&](const std::vector<float>& x, int64_t token, int32_t d) { return static_cast<double>(x[static_cast<size_t>((row.token + token) * width + h * head_dim + d)]); };
          double total = 0;
          std::vector<double> mixed(static_cast<size_t>(head_dim));
          for (int32_t s = 0; s < row.num_query; s++) {
            double score = 0;
            for (int32_t d = 0; d < head_dim; d++) score += at(query, t, d) * at(key, s, d);
            const double weight = std::exp(score * scale);
            total += weight;
            for (int32_t d = 0; d < head_dim; d++) mixed[static_cast<size_t>(d)] += weight * at(value, s, d);
          }
          for (int32_t d = 0; d < head_dim; d++)
            CHECK(std::fabs(at(out, t, d) - mixed[static_cast<size_t>(d)] / total) <= 5e-6, "token %d of %d, head %d", t, row.num_query, h);
        }
  }
}

}  // namespace
}  // namespace kvasir::test

int main() {
  using namespace kvasir::test;
  return run_all("ops of encoders", {Case{"layer_norm", layer_norms}, {"activation", activations}, {"pool", pooling}, {"bidirectional attention", bidirectional_attention}});
}
