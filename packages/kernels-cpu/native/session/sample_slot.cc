#include "sample_slot.h"

#include "compile.h"
#include "logit_edits.h"

namespace kvasir {
namespace {

int64_t draw_bytes(const OpKernels& ops, int64_t vocab_size) { return round_up(static_cast<int64_t>(ops.sample_scratch_bytes(vocab_size)), 64); }

}  // namespace

size_t sample_slot_scratch_bytes(const OpKernels& ops, int64_t vocab_size) {
  return static_cast<size_t>(draw_bytes(ops, vocab_size) + LogitEdits::bytes(vocab_size));
}

int32_t sample_slot(const OpKernels& ops, const Slot& slot, Span<const int32_t> drafts, const LogitRow& row, uint8_t* scratch) {
  const int64_t position = static_cast<int64_t>(slot.history.size()) + drafts.size();
  const SampleParams params{slot.temperature, slot.top_p, slot.top_k, slot.seed, position, slot.min_p, slot.typical_p};
  const LogitEdits edits(slot, drafts);
  auto* edited = reinterpret_cast<float*>(scratch + draw_bytes(ops, row.vocab));
  if (edits.any()) edits.apply(row.logits, row.vocab, edited);
  const int32_t token = ops.sample(edits.any() ? LogitRow{edited, row.vocab} : row, params, scratch);
  return token >= 0 ? token : edits.last_resort(row.vocab, edited);
}

}  // namespace kvasir
