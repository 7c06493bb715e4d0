// The next token of a slot: its rules on the logits, then the draw.
#pragma once
#include <cstdint>

#include "slots.h"

namespace kvasir {

size_t sample_slot_scratch_bytes(const OpKernels& ops, int64_t vocab_size);

// The token after `slot`'s history and `drafts`, which count as if accepted: positions, counts and the output's end then are what they will be.
int32_t sample_slot(const OpKernels& ops, const Slot& slot, Span<const int32_t> drafts, const LogitRow& row, uint8_t* scratch);

}  // namespace kvasir
