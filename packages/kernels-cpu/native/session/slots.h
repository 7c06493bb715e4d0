// Slots: what a session knows of each running sequence, and what a batch does to them.
//
// A step is staged: slot ops and table updates work on copies, rows and outputs are checked against them. The slots themselves
// change in publish() only, so a batch that is refused, or a step that fails while it computes, leaves no trace.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "program.h"
#include "sampling_rules.h"
#include "step_words.h"
#include "token_counts.h"

namespace kvasir {

struct Slot {
  int32_t program = 0;
  std::vector<int32_t> history;
  int32_t prompt_length = 0;  // tokens of the history before the output
  int32_t num_computed = 0;
  int32_t min_length = 0;
  int32_t max_length = 0;
  bool ignore_eos = false;
  uint64_t seed = 0;
  float temperature = 0;
  float top_p = 1;
  int32_t top_k = 0;
  float min_p = 0;
  float typical_p = 1;
  std::shared_ptr<const SamplingRules> rules;  // null: none
  // Of the history; null when no rule asks for them. Shared by the copies of a slot that a step makes, and changed only by append(),
  // after which the step is always published; forks have their own.
  std::shared_ptr<TokenCounts> counts;
  std::vector<int32_t> stop_ids;
  // What cannot be sampled while the history is short: EOS ids of the session, then stop ids.
  std::vector<int32_t> banned;
  EndReason end_reason = EndReason::none;
  std::vector<std::vector<int32_t>> tables;  // one a KV group

  // Appends a sampled token and decides whether the slot ends with it.
  void append(int32_t token, const std::vector<int32_t>& eos_token_ids);
  // Counts the history anew.
  void count_tokens(int32_t vocab_size);
};

// One output of a row, resolved.
struct StagedOutput {
  OutputKind kind = OutputKind::sample;
  int32_t index = 0;        // in the batch
  int32_t token_index = 0;  // in its row
  int32_t slot = -1;        // sampled for
  Slot* sampled = nullptr;  // that slot; only for samples of rows that run
  Span<const int32_t> drafts;  // of the row, before this output
  int32_t program = 0;      // of its row
  int32_t target = 0;
  int32_t top_k = 0;
  int32_t top_offset = 0;   // in the result
  bool wants_logprobs = false;
};

struct StagedRow {
  int32_t slot_id = -1;
  Slot* slot = nullptr;     // a staged copy or the slot itself; rows do not change it before publish()
  int32_t start = 0;        // position of its first token
  int32_t num_known = 0;
  Span<const int32_t> drafts;
  bool skipped = false;
  int32_t first_output = 0; // in StagedStep.outputs
  int32_t num_outputs = 0;
  int32_t num_tokens() const { return num_known + static_cast<int32_t>(drafts.size()); }
  int32_t token(int32_t i) const { return i < num_known ? slot->history[static_cast<size_t>(start + i)] : drafts[i - num_known]; }
};

// copy: pool to pool; store: pool to host tier; load: host tier to pool.
struct BlockTransfer {
  TransferOp op;
  int32_t group, src, dst;
};

struct StagedStep {
  int32_t step_id = 0;
  std::vector<StagedRow> rows;
  std::vector<StagedOutput> outputs;
  std::vector<BlockTransfer> transfers;
  int32_t num_top = 0;
};

class SlotTable {
 public:
  explicit SlotTable(const SessionSpec& session);
  // Most bytes that rules and counts of all slots take.
  static int64_t sampling_bytes(const SessionSpec& session);

  // Throws ERR_INVALID_STEP (or ERR_UNSUPPORTED for transfers that leave the pool); nothing has changed then.
  // The result points into `words` and into this table until the next call.
  const StagedStep& stage(const StepWords& words);
  // The slot as the staged step sees it; null when free.
  Slot* find(int32_t slot);
  // Makes the staged step real.
  void publish();
  void discard();

  int32_t num_used() const { return num_used_; }

 private:
  struct Staged {
    int32_t slot;
    std::unique_ptr<Slot> state;  // null: released
  };

  Slot& touch(int32_t slot, const char* what, int32_t at_word);
  void put(int32_t slot, std::unique_ptr<Slot> state);
  void check_slot_id(int32_t slot, const char* what, int32_t at_word) const;
  void apply_slot_op(const StepWords& words, int32_t index);
  std::unique_ptr<Slot> start_slot(const StepWords& words, const int32_t* record, int32_t at_word) const;
  void truncate(Slot& slot, const int32_t* record, int32_t at_word);
  void apply_table_update(const StepWords& words, int32_t index);
  void read_transfers(const StepWords& words);
  void read_row(const StepWords& words, int32_t index);
  void check_tables(const StagedRow& row, int32_t at_word) const;
  void read_outputs(const StepWords& words);
  void check_samples(const StepWords& words, int32_t row_index);

  const SessionSpec& session_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Staged> staged_;
  std::vector<int32_t> staged_index_;  // slot -> index into staged_, -1
  std::vector<int32_t> fork_source_;   // slot -> source of its fork in this step, -1
  std::vector<int32_t> row_of_slot_;   // slot -> row of this step, -1
  StagedStep step_;
  int32_t last_step_id_ = 0;
  int32_t num_used_ = 0;
};

}  // namespace kvasir
