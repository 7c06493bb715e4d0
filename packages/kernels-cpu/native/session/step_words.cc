#include "step_words.h"

namespace kvasir {

const char* section_name(Section section) {
  static const char* const names[kNumSections] = {"slotOps",  "tokens",    "rows",     "outputs", "tableUpdates",
                                                  "blockIds", "transfers", "adapters", "masks"};
  return names[section];
}

StepWords::StepWords(const int32_t* words, int64_t num_words) : words_(words) {
  KVASIR_CHECK_STEP(num_words >= kStepHeaderWords && num_words < (int64_t{1} << 31), "a batch of ", num_words, " words, expected ",
                    kStepHeaderWords, " or more");
  KVASIR_CHECK_STEP(words[0] == kStepMagic, "magic is ", words[0], ", expected ", kStepMagic, " (word 0)");
  KVASIR_CHECK_STEP(words[1] == kStepVersion, "version is ", words[1], ", expected ", kStepVersion, " (word 1)");
  KVASIR_CHECK_STEP(words[2] == num_words, "numWords in the header is ", words[2], ", expected ", num_words, " (word 2)");
  KVASIR_CHECK_STEP(words[3] >= 1, "stepId is ", words[3], ", expected 1 or more (word 3)");
  for (int32_t at = 4; at < kStepHeaderWords; at++) {
    if (at >= 8 && at < 8 + 2 * kNumSections) continue;
    KVASIR_CHECK_STEP(words[at] == 0, "header word ", at, " is ", words[at], ", expected 0");
  }
  int64_t end = kStepHeaderWords;
  for (int32_t s = 0; s < kNumSections; s++) {
    const auto section = static_cast<Section>(s);
    const int64_t first = start(section), records = count(section);
    if (first == 0 && records == 0) continue;
    const int64_t stop = first + records * kSectionWords[s];
    KVASIR_CHECK_STEP(records >= 0 && first >= end && first % kSectionAlignment == 0 && stop <= num_words, "section ", section_name(section),
                      " is [", first, ", ", stop, "), expected a multiple of ", kSectionAlignment, " from ", end, ", ending by ", num_words,
                      " (word ", 8 + 2 * s, ")");
    KVASIR_CHECK_STEP(records == 0 || (section != kAdapters && section != kMasks), "section ", section_name(section), " has ", records,
                      " records: this backend reads none (word ", 9 + 2 * s, ")");
    end = stop;
  }
}

Span<const int32_t> StepWords::range(Section section, int32_t offset, int32_t length, const char* what, int32_t at_word) const {
  const int64_t size = count(section);
  KVASIR_CHECK_STEP(offset >= 0 && length >= 0 && static_cast<int64_t>(offset) + length <= size, what, " are [", offset, ", ",
                    static_cast<int64_t>(offset) + length, ") of section ", section_name(section), ", which has ", size, " words (record at word ",
                    at_word, ")");
  return {words_ + start(section) + offset, length};
}

}  // namespace kvasir
