// A BERT-like encoder of one layer with random weights in a temporary file, described as JavaScript would describe it.
#pragma once
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "../session/program.h"

namespace kvasir::test {

constexpr int kEncoderVocab = 24, kEncoderHidden = 32, kEncoderHeads = 2, kEncoderFeedForward = 64, kEncoderPositions = 48;
constexpr int kEncoderTokens = 64, kEncoderSequences = 4;

struct TinyEncoder {
  std::vector<double> numbers;
  std::vector<std::string> texts;
  std::string path;

  TinyEncoder(int num_threads, int isa, uint64_t seed) : random_(seed) {
    const char* folder = std::getenv("TMPDIR");
    path = std::string(folder != nullptr ? folder : "/tmp") + "/kvasir-encoder-test-XXXXXX";
    file_ = fdopen(mkstemp(path.data()), "wb");
    const int output = describe();
    std::fclose(file_);
    numbers = {3, 0, kEncoderTokens, kEncoderSequences, double(num_threads), double(isa), 0, 0};
    put({1, kEncoderVocab, kEncoderHidden, kEncoderPositions, 1, double(offset_)});
    texts.push_back(path);
    texts.insert(texts.end(), names_.begin(), names_.end());
    list(num_weights_, weights_);
    list(num_values_, values_);
    put({0, 0, 0});  // no rope tables, no KV layers, no KV groups
    list(num_ops_, ops_);
    put({double(output)});
  }
  ~TinyEncoder() { unlink(path.c_str()); }
  TinyEncoder(const TinyEncoder&) = delete;
  TinyEncoder& operator=(const TinyEncoder&) = delete;

  SessionSpec spec() const { return read_encoder_spec(numbers.data(), static_cast<int64_t>(numbers.size()), texts); }

 private:
  void put(std::initializer_list<double> values) { numbers.insert(numbers.end(), values.begin(), values.end()); }
  void list(int count, const std::vector<double>& values) {
    numbers.push_back(count);
    numbers.insert(numbers.end(), values.begin(), values.end());
  }
  // Of f32 around 0; `rows` 0 is a vector.
  int weight(const std::string& name, int rows, int columns) {
    const long begin = offset_;
    for (int i = 0; i < (rows == 0 ? 1 : rows) * columns; i++) {
      const float value = (static_cast<float>(random_() % 2000) - 1000.0f) / 4000.0f;
      std::fwrite(&value, 4, 1, file_);
      offset_ += 4;
    }
    names_.push_back(name);
    weights_.push_back(rows == 0 ? 1 : 2);
    if (rows != 0) weights_.push_back(rows);
    for (const double word : {double(columns), double(WeightEncoding::f32), 0.0, double(begin), double(offset_ - begin), 0.0}) weights_.push_back(word);
    return num_weights_++;
  }
  int value(int width, int rows = 0) {
    values_.insert(values_.end(), {double(rows), double(width)});
    return num_values_++;
  }
  void op(OpKind kind, std::vector<double> fields) {
    ops_.push_back(static_cast<double>(kind));
    ops_.insert(ops_.end(), fields.begin(), fields.end());
    num_ops_++;
  }
  int embed(const std::string& name, int rows, EmbedIndex index) {
    const int embedding = weight(name, rows, kEncoderHidden), out = value(kEncoderHidden);
    op(OpKind::embed, {double(embedding), double(out), 1, double(index)});
    return out;
  }
  int add(int a, int b) {
    const int out = value(kEncoderHidden);
    op(OpKind::add, {double(a), double(b), double(out)});
    return out;
  }
  int norm(const std::string& name, int input) {
    const int scale = weight(name, 0, kEncoderHidden), bias = weight(name + ".bias", 0, kEncoderHidden), out = value(kEncoderHidden);
    op(OpKind::layer_norm, {double(input), double(scale), double(bias), double(out), 1e-12});
    return out;
  }
  int linear(const std::string& name, int input, int outputs, int inputs) {
    const int matrix = weight(name, outputs, inputs), bias = weight(name + ".bias", 0, outputs), out = value(outputs);
    op(OpKind::linear, {double(input), double(matrix), double(bias), double(out)});
    return out;
  }

  int describe() {
    const int tokens = add(embed("tokens", kEncoderVocab, EmbedIndex::token), embed("types", 2, EmbedIndex::token_type));
    const int x = norm("norm", add(tokens, embed("positions", kEncoderPositions, EmbedIndex::position)));
    const int q = linear("q", x, kEncoderHidden, kEncoderHidden), k = linear("k", x, kEncoderHidden, kEncoderHidden), v = linear("v", x, kEncoderHidden, kEncoderHidden);
    const int mixed = value(kEncoderHidden);
    op(OpKind::bidirectional_attention, {double(q), double(k), double(v), double(mixed), kEncoderHeads, 0.25});
    const int middle = norm("norm2", add(linear("o", mixed, kEncoderHidden, kEncoderHidden), x));
    const int up = linear("up", middle, kEncoderFeedForward, kEncoderHidden), active = value(kEncoderFeedForward);
    op(OpKind::activation, {double(Activation::gelu), double(up), double(active)});
    const int last = norm("norm3", add(linear("down", active, kEncoderHidden, kEncoderFeedForward), middle)), pooled = value(kEncoderHidden, 1);
    op(OpKind::pool, {double(Pooling::mean), 1, double(last), double(pooled)});
    return pooled;
  }

  std::mt19937_64 random_;
  std::FILE* file_ = nullptr;
  long offset_ = 0;
  int num_weights_ = 0, num_values_ = 0, num_ops_ = 0;
  std::vector<double> weights_, values_, ops_;
  std::vector<std::string> names_;
};

}  // namespace kvasir::test
