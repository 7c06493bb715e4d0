// Rules, counts and minimum length of a slot, put on a copy of its logits. Scalar code, the same on every kernel path.
#pragma once
#include <cstdint>

#include "slots.h"

namespace kvasir {

class LogitEdits {
 public:
  // For the token after `slot`'s history and `drafts`, which count as output.
  LogitEdits(const Slot& slot, Span<const int32_t> drafts);

  // Whether logits change at all; if not, they can be used as they are.
  bool any() const { return slot_.rules != nullptr || too_short_; }
  // Room that `apply` and `last_resort` write to.
  static int64_t bytes(int64_t vocab_size) { return 4 * vocab_size; }
  // Copies `logits` to `edited`: impossible tokens are -inf, biases and penalties taken in, in this order.
  void apply(const float* logits, int64_t vocab_size, float* edited) const;
  // The token when no edited logit is above -inf: the lowest id that is not impossible, else the lowest allowed one.
  int32_t last_resort(int64_t vocab_size, float* edited) const;

 private:
  void forbid(float* edited) const;
  void forbid_bad_words(float* edited) const;
  void penalize(float* edited) const;
  bool ends_with(const int32_t* tokens, int32_t count) const;
  int32_t times_drafted(int32_t id) const;

  const Slot& slot_;
  Span<const int32_t> drafts_;
  bool too_short_;
  uint64_t drafted_ = 0;  // bit id % 64 of each draft
};

}  // namespace kvasir
