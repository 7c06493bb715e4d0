// Layout of a step batch and of its result, as in step-batch.ts and step-result.ts of @kvasir/interfaces.
#pragma once
#include <cstdint>

#include "kvasir/span.h"

namespace kvasir {

constexpr int32_t kStepMagic = 0x4b565342;
constexpr int32_t kStepVersion = 2;
constexpr int32_t kStepHeaderWords = 64;
constexpr int32_t kSectionAlignment = 16;

enum Section : int32_t {
  kSlotOps = 0, kTokens, kRows, kOutputs, kTableUpdates, kBlockIds, kTransfers, kAdapters, kMasks, kNumSections
};
constexpr int32_t kSectionWords[kNumSections] = {32, 1, 8, 8, 8, 1, 8, 1, 1};

enum class SlotOp : int32_t { init = 0, truncate, fork, release };
namespace slot_op {
enum Field : int32_t {
  op = 0, slot, source, program, history_offset, history_length, num_computed, prompt_length, max_length, min_length, flags, seed_low,
  seed_high, choice, temperature, top_p, top_k, stop_ids_offset, stop_ids_length, min_p, typical_p, repetition_penalty,
  presence_penalty, frequency_penalty, bias_offset, bias_length, allowed_offset, allowed_length, bad_words_offset, bad_words_length, num_fields
};
}
constexpr int32_t kSlotFlagIgnoreEos = 1;

namespace row {
enum Field : int32_t { slot = 0, num_query, flags, drafts_offset, num_drafts, num_fields };
}
constexpr int32_t kRowFlagNeedsSync = 1;

enum class OutputKind : int32_t { sample = 0, logprob, pool };
namespace output {
enum Field : int32_t { row = 0, token_index, kind, slot, target_id, top_k, flags, num_fields };
}
constexpr int32_t kOutputFlagLogprobs = 1;

namespace table_update {
enum Field : int32_t { slot = 0, group, start, count, ids_offset, num_fields };
}

enum class TransferOp : int32_t { copy = 0, load, store, export_block, import_block };
namespace transfer {
enum Field : int32_t { op = 0, group, src, dst, num_fields };
}

enum class EndReason : int32_t { none = 0, eos, stop_token, length };
constexpr int32_t kResultWords = 4;
constexpr int32_t kRowResultWords = 4;

// A batch whose header and sections were checked: every section lies inside, in order and aligned.
class StepWords {
 public:
  StepWords(const int32_t* words, int64_t num_words);

  int32_t step_id() const { return words_[3]; }
  int32_t count(Section section) const { return words_[9 + 2 * section]; }
  int32_t start(Section section) const { return words_[8 + 2 * section]; }
  // Record `index` of a section.
  const int32_t* record(Section section, int32_t index) const { return words_ + start(section) + index * kSectionWords[section]; }
  // Word of the batch where a record starts, for messages.
  int32_t word_of(Section section, int32_t index) const { return start(section) + index * kSectionWords[section]; }
  // Entries [offset, offset + length) of a section of single words; throws ERR_INVALID_STEP outside.
  Span<const int32_t> range(Section section, int32_t offset, int32_t length, const char* what, int32_t at_word) const;

 private:
  const int32_t* words_;
};

const char* section_name(Section section);

}  // namespace kvasir

// Refuses a batch. The values end with where in the batch the offending word is.
#define KVASIR_CHECK_STEP(condition, ...) KVASIR_CHECK(condition, "ERR_INVALID_STEP", __VA_ARGS__)
