// A llama-like program of a few layers with random weights in a temporary file, described as JavaScript would describe it.
#pragma once
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "../session/program.h"

namespace kvasir::test {

constexpr int kVocab = 24, kHidden = 32, kHeads = 2, kKvHeads = 1, kHeadDim = 16, kFeedForward = 64, kLayers = 2, kBlockSize = 16;
constexpr int kHostBlocks = 5;
constexpr int kMaxLength = 96, kNumBlocks = 64, kMaxSlots = 6, kMaxTokens = 64, kMaxOutputs = 24, kMaxTop = 3;

// The end of the program: tokens, and a cap on their logits (0: none).
struct TinyHead {
  int vocab = kVocab;
  double cap = 0;
};

struct TinyProgram {
  std::vector<double> numbers;
  std::vector<std::string> texts;
  std::string path;

  explicit TinyProgram(int num_threads, int isa, uint64_t seed, TinyHead head = {}) : random_(seed), head_(head) {
    const char* folder = std::getenv("TMPDIR");
    path = std::string(folder != nullptr ? folder : "/tmp") + "/kvasir-session-test-XXXXXX";
    const int descriptor = mkstemp(path.data());
    file_ = fdopen(descriptor, "wb");
    describe(num_threads, isa);
  }
  ~TinyProgram() { unlink(path.c_str()); }

  SessionSpec spec() const { return read_session_spec(numbers.data(), static_cast<int64_t>(numbers.size()), texts); }

 private:
  void put(std::initializer_list<double> values) { numbers.insert(numbers.end(), values); }

  // Writes q8_0 rows (f16 scale, 32 codes), or f32 for vectors.
  int matrix(const std::string& name, int rows, int columns) {
    const long offset = offset_;
    for (int i = 0; i < rows * columns / 32; i++) {
      const uint16_t scale = 0x1400;  // 2^-10
      std::fwrite(&scale, 2, 1, file_);
      for (int k = 0; k < 32; k++) std::fputc(static_cast<int>(random_() % 255) - 127, file_);
      offset_ += 34;
    }
    return record(name, {rows, columns}, WeightEncoding::q8_0, offset);
  }
  int vector(const std::string& name, int size) {
    const long offset = offset_;
    for (int i = 0; i < size; i++) {
      const float value = 0.5f + static_cast<float>(random_() % 1000) / 1000.0f;
      std::fwrite(&value, 4, 1, file_);
      offset_ += 4;
    }
    return record(name, {size}, WeightEncoding::f32, offset);
  }
  int record(const std::string& name, std::vector<int> shape, WeightEncoding encoding, long offset) {
    texts_.push_back(name);
    weights_.push_back(static_cast<double>(shape.size()));
    for (const int size : shape) weights_.push_back(size);
    for (const double value : {static_cast<double>(encoding), 0.0, static_cast<double>(offset), static_cast<double>(offset_ - offset), 0.0}) weights_.push_back(value);
    return num_weights_++;
  }
  int value(int width, int rows = 0) {
    values_.push_back(rows);
    values_.push_back(width);
    return num_values_++;
  }
  void op(OpKind kind, std::vector<double> fields) {
    ops_.push_back(static_cast<double>(kind));
    ops_.insert(ops_.end(), fields.begin(), fields.end());
    num_ops_++;
  }
  int linear(const std::string& name, int input, int outputs, int inputs) {
    const int weight = matrix(name, outputs, inputs), out = value(outputs);
    op(OpKind::linear, {double(input), double(weight), -1, double(out)});
    return out;
  }
  int norm(const std::string& name, int input, int width, int rows = 0) {
    const int weight = vector(name, width), out = value(width, rows);
    op(OpKind::rms_norm, {double(input), double(weight), double(out), 1e-5, 0, double(width)});
    return out;
  }
  int add(int a, int b) {
    const int out = value(kHidden);
    op(OpKind::add, {double(a), double(b), double(out)});
    return out;
  }

  void describe(int num_threads, int isa) {
    const int embedding = matrix("embedding", head_.vocab, kHidden);
    int x = value(kHidden);
    op(OpKind::embed, {double(embedding), double(x), 1, 0});
    for (int layer = 0; layer < kLayers; layer++) {
      const int h = norm("norm", x, kHidden);
      const int q = linear("q", h, kHeads * kHeadDim, kHidden), k = linear("k", h, kKvHeads * kHeadDim, kHidden), v = linear("v", h, kKvHeads * kHeadDim, kHidden);
      op(OpKind::rope, {double(q), 0, kHeads, kHeadDim});
      op(OpKind::rope, {double(k), 0, kKvHeads, kHeadDim});
      op(OpKind::kv_write, {double(k), double(v), double(layer)});
      const int attended = value(kHeads * kHeadDim);
      op(OpKind::paged_attention, {double(q), double(attended), double(layer), kHeads, 0.25, 0, layer == 0 ? 20.0 : 0.0});
      x = add(x, linear("o", attended, kHidden, kHeads * kHeadDim));
      const int f = norm("norm2", x, kHidden);
      const int gate = linear("gate", f, kFeedForward, kHidden), up = linear("up", f, kFeedForward, kHidden), gated = value(kFeedForward);
      op(OpKind::gated_activation, {0, double(gate), double(up), double(gated)});
      x = add(x, linear("down", gated, kHidden, kFeedForward));
    }
    const int gathered = value(kHidden, 1);
    op(OpKind::gather_outputs, {double(x), double(gathered)});
    const int last = norm("last", gathered, kHidden, 1), logits = value(head_.vocab, 1);
    op(OpKind::linear, {double(last), double(embedding), -1, double(logits)});
    if (head_.cap != 0) op(OpKind::softcap, {double(logits), head_.cap});
    std::fclose(file_);

    put({3, 0, 0, kBlockSize, kNumBlocks, kMaxSlots, kMaxLength, kMaxTokens, kMaxOutputs, kMaxTop, 1, double(num_threads), double(isa), 0, 0, 0});
    put({kHostBlocks, 1, 0});  // in memory; one EOS id
    texts.push_back("");
    put({1, 0, double(head_.vocab), kHidden, 4096, 1, double(offset_)});
    texts.push_back(path);
    texts.insert(texts.end(), texts_.begin(), texts_.end());
    const auto list = [&](int count, const std::vector<double>& values) {
      numbers.push_back(count);
      numbers.insert(numbers.end(), values.begin(), values.end());
    };
    list(num_weights_, weights_);
    list(num_values_, values_);
    put({1, kHeadDim / 2});
    for (int i = 0; i < kHeadDim / 2; i++) numbers.push_back(1.0 / (1 + i));
    put({1});
    put({kLayers, kKvHeads, kHeadDim, kKvHeads, kHeadDim});
    put({2, 20, 1, 0, 0, 1, 1});  // layer 0 keeps a window, layer 1 everything
    list(num_ops_, ops_);
    numbers.push_back(logits);
  }

  std::mt19937_64 random_;
  TinyHead head_;
  std::FILE* file_ = nullptr;
  long offset_ = 0;
  int num_weights_ = 0, num_values_ = 0, num_ops_ = 0;
  std::vector<double> weights_, values_, ops_;
  std::vector<std::string> texts_;
};

}  // namespace kvasir::test
