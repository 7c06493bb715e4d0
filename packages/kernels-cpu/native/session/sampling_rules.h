// What a slot does to logits before a token is drawn: read once at init, shared by its forks, never changed.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "step_words.h"

namespace kvasir {

constexpr int32_t kMaxBiases = 2048;         // SAMPLING_LIMITS of @kvasir/interfaces
constexpr int32_t kMaxBadWordTokens = 8192;

struct SamplingRules {
  struct Bias {
    int32_t id;
    float value;
  };

  float repetition_penalty = 1;
  float presence_penalty = 0;
  float frequency_penalty = 0;
  std::vector<Bias> biases;
  std::vector<uint32_t> allowed;   // bit `id % 32` of word `id / 32`; empty: everything
  std::vector<int32_t> bad_words;  // number of tokens, the tokens, and so on

  bool counts_prompt() const { return repetition_penalty != 1; }
  bool counts() const { return counts_prompt() || presence_penalty != 0 || frequency_penalty != 0; }

  // Most bytes of one slot's rules.
  static int64_t max_bytes(int32_t vocab_size);
};

// Rules of an init op; null when it has none.
std::shared_ptr<const SamplingRules> read_sampling_rules(const StepWords& words, const int32_t* record, int32_t vocab_size, int32_t at_word);

}  // namespace kvasir
