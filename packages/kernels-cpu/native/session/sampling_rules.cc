#include "sampling_rules.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace kvasir {
namespace {

float float_of(int32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

void check_id(int32_t id, int32_t vocab_size, const char* what, int32_t at) {
  KVASIR_CHECK_STEP(id >= 0 && id < vocab_size, "init: ", what, " ", id, ", expected 0 to ", vocab_size - 1, " (record at word ", at, ")");
}

float finite(const int32_t* record, int32_t field, const char* what, int32_t at) {
  const float value = float_of(record[field]);
  KVASIR_CHECK_STEP(std::isfinite(value), "init: ", what, " is ", value, ", expected a finite number (record at word ", at, ")");
  return value;
}

void read_biases(Span<const int32_t> words, int32_t vocab_size, int32_t at, std::vector<SamplingRules::Bias>& biases) {
  KVASIR_CHECK_STEP(words.size() % 2 == 0 && words.size() <= 2 * kMaxBiases, "init: biases are ", words.size(), " words, expected pairs, at most ", kMaxBiases,
                    " (record at word ", at, ")");
  for (int64_t i = 0; i < words.size(); i += 2) {
    check_id(words[i], vocab_size, "biased token", at);
    const float value = float_of(words[i + 1]);
    KVASIR_CHECK_STEP(std::isfinite(value), "init: bias of token ", words[i], " is ", value, ", expected a finite number (record at word ", at, ")");
    biases.push_back({words[i], value});
  }
  std::sort(biases.begin(), biases.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  const auto twice = std::adjacent_find(biases.begin(), biases.end(), [](const auto& a, const auto& b) { return a.id == b.id; });
  KVASIR_CHECK_STEP(twice == biases.end(), "init: token ", twice->id, " has two biases, expected one (record at word ", at, ")");
}

void check_bad_words(Span<const int32_t> words, int32_t vocab_size, int32_t at) {
  KVASIR_CHECK_STEP(words.size() <= kMaxBadWordTokens, "init: bad words of ", words.size(), " words, expected at most ", kMaxBadWordTokens, " (record at word ", at, ")");
  for (int64_t i = 0; i < words.size(); i += 1 + words[i]) {
    KVASIR_CHECK_STEP(words[i] >= 1 && words[i] < words.size() - i, "init: a bad word of ", words[i], " tokens, expected 1 to the ", words.size() - i - 1,
                      " left (record at word ", at, ")");
    for (int64_t k = 1; k <= words[i]; k++) check_id(words[i + k], vocab_size, "token of a bad word", at);
  }
}

}  // namespace

int64_t SamplingRules::max_bytes(int32_t vocab_size) {
  return static_cast<int64_t>(sizeof(SamplingRules)) + kMaxBiases * static_cast<int64_t>(sizeof(Bias)) + int64_t{kMaxBadWordTokens} * 4 + (int64_t{vocab_size} + 31) / 32 * 4;
}

std::shared_ptr<const SamplingRules> read_sampling_rules(const StepWords& words, const int32_t* record, int32_t vocab_size, int32_t at) {
  auto rules = std::make_shared<SamplingRules>();
  rules->repetition_penalty = finite(record, slot_op::repetition_penalty, "repetitionPenalty", at);
  rules->presence_penalty = finite(record, slot_op::presence_penalty, "presencePenalty", at);
  rules->frequency_penalty = finite(record, slot_op::frequency_penalty, "frequencyPenalty", at);
  KVASIR_CHECK_STEP(rules->repetition_penalty > 0, "init: repetitionPenalty is ", rules->repetition_penalty, ", expected more than 0 (record at word ", at, ")");

  const auto biases = words.range(kTokens, record[slot_op::bias_offset], record[slot_op::bias_length], "init: biases", at);
  read_biases(biases, vocab_size, at, rules->biases);

  const auto allowed = words.range(kTokens, record[slot_op::allowed_offset], record[slot_op::allowed_length], "init: allowed ids", at);
  for (const int32_t id : allowed) check_id(id, vocab_size, "allowed token", at);
  if (!allowed.empty()) rules->allowed.assign((static_cast<size_t>(vocab_size) + 31) / 32, 0);
  for (const int32_t id : allowed) rules->allowed[static_cast<size_t>(id) / 32] |= 1u << (id % 32);

  const auto bad_words = words.range(kTokens, record[slot_op::bad_words_offset], record[slot_op::bad_words_length], "init: bad words", at);
  check_bad_words(bad_words, vocab_size, at);
  rules->bad_words.assign(bad_words.begin(), bad_words.end());

  const bool has_any = rules->counts() || !biases.empty() || !allowed.empty() || !bad_words.empty();
  if (!has_any) return nullptr;
  return rules;
}

}  // namespace kvasir
