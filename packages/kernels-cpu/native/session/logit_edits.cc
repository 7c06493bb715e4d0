#include "logit_edits.h"

#include <algorithm>
#include <limits>

namespace kvasir {
namespace {

constexpr float kImpossible = -std::numeric_limits<float>::infinity();

void copy_allowed(const float* logits, const std::vector<uint32_t>& allowed, int64_t vocab_size, float* out) {
  for (int64_t first = 0; first < vocab_size; first += 32) {
    const uint32_t bits = allowed[static_cast<size_t>(first / 32)];
    const int64_t count = std::min<int64_t>(32, vocab_size - first);
    if (bits == 0) {
      std::fill_n(out + first, count, kImpossible);
    } else {
      for (int64_t i = 0; i < count; i++) out[first + i] = bits >> i & 1u ? logits[first + i] : kImpossible;
    }
  }
}

}  // namespace

LogitEdits::LogitEdits(const Slot& slot, Span<const int32_t> drafts)
    : slot_(slot), drafts_(drafts), too_short_(static_cast<int64_t>(slot.history.size()) + drafts.size() < slot.min_length && !slot.banned.empty()) {
  for (const int32_t id : drafts) drafted_ |= uint64_t{1} << (id % 64);
}

void LogitEdits::apply(const float* logits, int64_t vocab_size, float* edited) const {
  const SamplingRules* rules = slot_.rules.get();
  if (rules != nullptr && !rules->allowed.empty()) copy_allowed(logits, rules->allowed, vocab_size, edited);
  else std::copy_n(logits, vocab_size, edited);
  forbid(edited);
  if (rules == nullptr) return;
  for (const auto& [id, value] : rules->biases) edited[id] += value;
  if (rules->counts()) penalize(edited);
}

void LogitEdits::forbid(float* edited) const {
  if (slot_.rules != nullptr) forbid_bad_words(edited);
  if (too_short_) {
    for (const int32_t id : slot_.banned) edited[id] = kImpossible;
  }
}

void LogitEdits::forbid_bad_words(float* edited) const {
  const std::vector<int32_t>& words = slot_.rules->bad_words;
  for (size_t i = 0; i < words.size(); i += 1 + static_cast<size_t>(words[i])) {
    const int32_t before = words[i] - 1;
    if (ends_with(&words[i + 1], before)) edited[words[i + 1 + static_cast<size_t>(before)]] = kImpossible;
  }
}

// Whether the output ends with these tokens.
bool LogitEdits::ends_with(const int32_t* tokens, int32_t count) const {
  const auto length = static_cast<int64_t>(slot_.history.size());
  if (length - slot_.prompt_length + drafts_.size() < count) return false;
  for (int64_t back = 1; back <= count; back++) {
    const int32_t token = back <= drafts_.size() ? drafts_[drafts_.size() - back] : slot_.history[static_cast<size_t>(length + drafts_.size() - back)];
    if (token != tokens[count - back]) return false;
  }
  return true;
}

int32_t LogitEdits::times_drafted(int32_t id) const {
  return static_cast<int32_t>(std::count(drafts_.begin(), drafts_.end(), id));
}

void LogitEdits::penalize(float* edited) const {
  const SamplingRules& rules = *slot_.rules;
  const auto penalize_one = [&](int32_t id, int32_t in_output) {
    float logit = edited[id];
    logit = logit > 0 ? logit / rules.repetition_penalty : logit * rules.repetition_penalty;
    logit -= rules.frequency_penalty * static_cast<float>(in_output);
    if (in_output > 0) logit -= rules.presence_penalty;
    edited[id] = logit;
  };
  for (const TokenCount& entry : slot_.counts->entries()) {
    const bool may_be_drafted = (drafted_ >> (entry.id % 64) & 1u) != 0;
    penalize_one(entry.id, entry.in_output + (may_be_drafted ? times_drafted(entry.id) : 0));
  }
  for (int64_t i = 0; i < drafts_.size(); i++) {
    const int32_t id = drafts_[i];
    const bool was_seen = slot_.counts->find(id) >= 0 || std::find(drafts_.begin(), drafts_.begin() + i, id) != drafts_.begin() + i;
    if (!was_seen) penalize_one(id, times_drafted(id));
  }
}

int32_t LogitEdits::last_resort(int64_t vocab_size, float* edited) const {
  std::fill_n(edited, vocab_size, 0.0f);
  if (slot_.rules != nullptr && !slot_.rules->allowed.empty()) copy_allowed(edited, slot_.rules->allowed, vocab_size, edited);
  const auto lowest = [&] { return static_cast<int32_t>(std::find(edited, edited + vocab_size, 0.0f) - edited); };
  const int32_t lowest_allowed = lowest();
  forbid(edited);
  const int32_t lowest_possible = lowest();
  return lowest_possible < vocab_size ? lowest_possible : lowest_allowed;
}

}  // namespace kvasir
