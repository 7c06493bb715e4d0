#include "slots.h"

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

// Words of a record that its kind gives no meaning are 0, so that a later version can give them one.
void expect_unused_zero(const int32_t* record, int32_t size, uint32_t used, const char* what, int32_t at_word) {
  for (int32_t i = 0; i < size; i++) {
    KVASIR_CHECK_STEP(record[i] == 0 || (i < 32 && (used >> i & 1u) != 0), what, ": word ", i, " of the record is ", record[i],
                      ", expected 0 because it has no meaning here (record at word ", at_word, ")");
  }
}

constexpr uint32_t first_bits(int32_t count) { return (1u << count) - 1; }
constexpr uint32_t bit(int32_t field) { return 1u << field; }

void check_token(int32_t id, int32_t vocab_size, const char* what, int32_t at_word) {
  KVASIR_CHECK_STEP(id >= 0 && id < vocab_size, what, " ", id, ", expected 0 to ", vocab_size - 1, " (record at word ", at_word, ")");
}

}  // namespace

void Slot::append(int32_t token, const std::vector<int32_t>& eos_token_ids) {
  history.push_back(token);
  if (counts != nullptr) counts->add(token, 1);
  const auto contains = [token](const std::vector<int32_t>& ids) { return std::find(ids.begin(), ids.end(), token) != ids.end(); };
  if (!ignore_eos && contains(eos_token_ids)) end_reason = EndReason::eos;
  else if (contains(stop_ids)) end_reason = EndReason::stop_token;
  else if (static_cast<int32_t>(history.size()) >= max_length) end_reason = EndReason::length;
}

void Slot::count_tokens(int32_t vocab_size) {
  if (rules == nullptr || !rules->counts()) return;
  counts = std::make_shared<TokenCounts>(max_length, vocab_size);
  const auto length = static_cast<int32_t>(history.size());
  for (int32_t i = rules->counts_prompt() ? 0 : prompt_length; i < length; i++) counts->add(history[static_cast<size_t>(i)], i < prompt_length ? 0 : 1);
}

SlotTable::SlotTable(const SessionSpec& session) : session_(session) {
  const auto size = static_cast<size_t>(session.max_slots);
  slots_.resize(size);
  staged_index_.assign(size, -1);
  fork_source_.assign(size, -1);
  row_of_slot_.assign(size, -1);
}

int64_t SlotTable::sampling_bytes(const SessionSpec& session) {
  int64_t bytes = 0;
  for (const ProgramSpec& program : session.programs)
    bytes = std::max(bytes, SamplingRules::max_bytes(program.vocab_size) + TokenCounts::bytes(session.max_model_len, program.vocab_size));
  return session.max_slots * bytes;
}

Slot* SlotTable::find(int32_t slot) {
  const int32_t index = staged_index_[static_cast<size_t>(slot)];
  return index >= 0 ? staged_[static_cast<size_t>(index)].state.get() : slots_[static_cast<size_t>(slot)].get();
}

void SlotTable::check_slot_id(int32_t slot, const char* what, int32_t at_word) const {
  KVASIR_CHECK_STEP(slot >= 0 && slot < session_.max_slots, what, ": slot is ", slot, ", expected 0 to ", session_.max_slots - 1,
                    " (record at word ", at_word, ")");
}

Slot& SlotTable::touch(int32_t slot, const char* what, int32_t at_word) {
  check_slot_id(slot, what, at_word);
  Slot* found = find(slot);
  KVASIR_CHECK_STEP(found != nullptr, what, ": slot ", slot, " is not in use, start it by init or fork (record at word ", at_word, ")");
  if (staged_index_[static_cast<size_t>(slot)] >= 0) return *found;
  auto copy = std::make_unique<Slot>(*found);
  copy->history.reserve(static_cast<size_t>(copy->max_length));
  put(slot, std::move(copy));
  return *find(slot);
}

void SlotTable::put(int32_t slot, std::unique_ptr<Slot> state) {
  int32_t& index = staged_index_[static_cast<size_t>(slot)];
  if (index >= 0) {
    staged_[static_cast<size_t>(index)].state = std::move(state);
    return;
  }
  index = static_cast<int32_t>(staged_.size());
  staged_.push_back({slot, std::move(state)});
}

const StagedStep& SlotTable::stage(const StepWords& words) {
  discard();
  KVASIR_CHECK_STEP(words.step_id() > last_step_id_, "stepId is ", words.step_id(), ", expected more than ", last_step_id_, " (word 3)");
  step_.step_id = words.step_id();
  try {
    for (int32_t i = 0; i < words.count(kSlotOps); i++) apply_slot_op(words, i);
    for (int32_t i = 0; i < words.count(kTableUpdates); i++) apply_table_update(words, i);
    read_transfers(words);
    KVASIR_CHECK_STEP(words.count(kRows) <= session_.max_rows(), "the step has ", words.count(kRows), " rows, expected at most ",
                      session_.max_rows(), " (word ", 9 + 2 * kRows, ")");
    int64_t num_tokens = 0;
    for (int32_t i = 0; i < words.count(kRows); i++) {
      read_row(words, i);
      num_tokens += words.record(kRows, i)[row::num_query];
    }
    KVASIR_CHECK_STEP(num_tokens <= session_.max_tokens, "the step has ", num_tokens, " tokens, expected at most ", session_.max_tokens);
    read_outputs(words);
    for (int32_t i = 0; i < words.count(kRows); i++) check_samples(words, i);
  } catch (...) {
    discard();
    throw;
  }
  return step_;
}

void SlotTable::apply_slot_op(const StepWords& words, int32_t index) {
  const int32_t* record = words.record(kSlotOps, index);
  const int32_t at = words.word_of(kSlotOps, index);
  const auto unused = [&](uint32_t used) { expect_unused_zero(record, kSectionWords[kSlotOps], used, "slot op", at); };
  const int32_t slot = record[slot_op::slot];
  check_slot_id(slot, "slot op", at);
  const auto expect_free = [&] {
    KVASIR_CHECK_STEP(find(slot) == nullptr, "slot op: slot ", slot, " is in use, release it before it starts again (record at word ", at, ")");
  };
  constexpr uint32_t kBase = bit(slot_op::op) | bit(slot_op::slot);
  const int32_t op = record[slot_op::op];
  KVASIR_CHECK_STEP(op >= 0 && op <= static_cast<int32_t>(SlotOp::release), "slot op is ", op, ", expected 0 to 3 (record at word ", at, ")");
  switch (static_cast<SlotOp>(op)) {
    case SlotOp::init:
      unused(first_bits(slot_op::num_fields) & ~bit(slot_op::source));
      expect_free();
      put(slot, start_slot(words, record, at));
      return;
    case SlotOp::truncate:
      unused(kBase | bit(slot_op::history_length) | bit(slot_op::num_computed));
      truncate(touch(slot, "truncate", at), record, at);
      return;
    case SlotOp::fork: {
      unused(kBase | bit(slot_op::source) | bit(slot_op::choice) | bit(slot_op::seed_low) | bit(slot_op::seed_high));
      expect_free();
      const int32_t source = record[slot_op::source];
      auto copy = std::make_unique<Slot>(touch(source, "fork", at));
      copy->history.reserve(static_cast<size_t>(copy->max_length));
      copy->seed = static_cast<uint32_t>(record[slot_op::seed_low]) | static_cast<uint64_t>(static_cast<uint32_t>(record[slot_op::seed_high])) << 32;
      if (copy->counts != nullptr) copy->counts = std::make_shared<TokenCounts>(*copy->counts);
      for (std::vector<int32_t>& table : copy->tables) table.clear();
      put(slot, std::move(copy));
      fork_source_[static_cast<size_t>(slot)] = source;
      return;
    }
    case SlotOp::release:
      unused(kBase);
      touch(slot, "release", at);
      put(slot, nullptr);
      // What takes its place, or what was forked from it, is no fork of whoever has the slot next.
      fork_source_[static_cast<size_t>(slot)] = -1;
      for (const Staged& staged : staged_) {
        int32_t& source = fork_source_[static_cast<size_t>(staged.slot)];
        if (source == slot) source = -1;
      }
      return;
  }
}

std::unique_ptr<Slot> SlotTable::start_slot(const StepWords& words, const int32_t* record, int32_t at) const {
  const int32_t program = record[slot_op::program];
  const auto num_programs = static_cast<int32_t>(session_.programs.size());
  KVASIR_CHECK_STEP(program >= 0 && program < num_programs, "init: program is ", program, ", the session has ", num_programs, " (record at word ", at, ")");
  const ProgramSpec& spec = session_.programs[static_cast<size_t>(program)];
  const auto history = words.range(kTokens, record[slot_op::history_offset], record[slot_op::history_length], "init: history tokens", at);
  const auto stop_ids = words.range(kTokens, record[slot_op::stop_ids_offset], record[slot_op::stop_ids_length], "init: stop ids", at);
  const auto length = static_cast<int32_t>(history.size());
  const auto expect = [&](const char* what, int32_t got, int32_t low, int32_t high) {
    KVASIR_CHECK_STEP(got >= low && got <= high, "init: ", what, " is ", got, ", expected ", low, " to ", high, " (record at word ", at, ")");
  };
  KVASIR_CHECK_STEP(length >= 1, "init: the history is empty, expected a token at least (record at word ", at, ")");
  expect("numComputed", record[slot_op::num_computed], 0, length - 1);
  expect("promptLength", record[slot_op::prompt_length], 1, length);
  expect("maxLength", record[slot_op::max_length], length + 1, session_.max_model_len);
  expect("minLength", record[slot_op::min_length], 0, record[slot_op::max_length]);
  expect("flags", record[slot_op::flags], 0, kSlotFlagIgnoreEos);
  expect("topK", record[slot_op::top_k], 0, INT32_MAX);
  for (const int32_t id : history) check_token(id, spec.vocab_size, "init: token", at);
  for (const int32_t id : stop_ids) check_token(id, spec.vocab_size, "init: stop id", at);

  auto slot = std::make_unique<Slot>();
  slot->program = program;
  slot->history.reserve(static_cast<size_t>(record[slot_op::max_length]));
  slot->history.assign(history.begin(), history.end());
  slot->prompt_length = record[slot_op::prompt_length];
  slot->num_computed = record[slot_op::num_computed];
  slot->max_length = record[slot_op::max_length];
  slot->min_length = record[slot_op::min_length];
  slot->ignore_eos = (record[slot_op::flags] & kSlotFlagIgnoreEos) != 0;
  slot->seed = static_cast<uint32_t>(record[slot_op::seed_low]) | static_cast<uint64_t>(static_cast<uint32_t>(record[slot_op::seed_high])) << 32;
  slot->temperature = float_of(record[slot_op::temperature]);
  slot->top_p = float_of(record[slot_op::top_p]);
  slot->top_k = record[slot_op::top_k];
  KVASIR_CHECK_STEP(std::isfinite(slot->temperature) && slot->temperature >= 0, "init: temperature is ", slot->temperature,
                    ", expected 0 or more (record at word ", at, ")");
  KVASIR_CHECK_STEP(slot->top_p > 0 && slot->top_p <= 1, "init: topP is ", slot->top_p, ", expected more than 0, at most 1 (record at word ", at, ")");
  slot->min_p = float_of(record[slot_op::min_p]);
  slot->typical_p = float_of(record[slot_op::typical_p]);
  KVASIR_CHECK_STEP(slot->min_p >= 0 && slot->min_p <= 1, "init: minP is ", slot->min_p, ", expected 0 to 1 (record at word ", at, ")");
  KVASIR_CHECK_STEP(slot->typical_p > 0 && slot->typical_p <= 1, "init: typicalP is ", slot->typical_p, ", expected more than 0, at most 1 (record at word ", at, ")");
  slot->rules = read_sampling_rules(words, record, spec.vocab_size, at);
  slot->count_tokens(spec.vocab_size);
  slot->stop_ids.assign(stop_ids.begin(), stop_ids.end());
  slot->banned = session_.eos_token_ids;
  slot->banned.insert(slot->banned.end(), stop_ids.begin(), stop_ids.end());
  slot->tables.resize(spec.kv_groups.size());
  return slot;
}

void SlotTable::truncate(Slot& slot, const int32_t* record, int32_t at) {
  const int32_t length = record[slot_op::history_length], computed = record[slot_op::num_computed];
  const auto have = static_cast<int32_t>(slot.history.size());
  KVASIR_CHECK_STEP(length >= 1 && length <= have && computed >= 0 && computed <= std::min(slot.num_computed, length), "truncate of slot ",
                    record[slot_op::slot], " to ", length, " tokens, ", computed, " computed: it has ", have, " and ", slot.num_computed,
                    " (record at word ", at, ")");
  slot.history.resize(static_cast<size_t>(length));
  // What is sampled from here on is output.
  slot.prompt_length = std::min(slot.prompt_length, length);
  slot.count_tokens(session_.programs[static_cast<size_t>(slot.program)].vocab_size);
  slot.num_computed = computed;
  slot.end_reason = EndReason::none;
}

void SlotTable::apply_table_update(const StepWords& words, int32_t index) {
  const int32_t* record = words.record(kTableUpdates, index);
  const int32_t at = words.word_of(kTableUpdates, index);
  expect_unused_zero(record, kSectionWords[kTableUpdates], first_bits(table_update::num_fields), "table update", at);
  Slot& slot = touch(record[table_update::slot], "table update", at);
  const int32_t group = record[table_update::group], start = record[table_update::start];
  const auto num_groups = static_cast<int32_t>(slot.tables.size());
  KVASIR_CHECK_STEP(group >= 0 && group < num_groups, "table update: group is ", group, ", the program has ", num_groups, " (record at word ", at, ")");
  const auto ids = words.range(kBlockIds, record[table_update::ids_offset], record[table_update::count], "table update: block ids", at);
  std::vector<int32_t>& table = slot.tables[static_cast<size_t>(group)];
  const auto length = static_cast<int64_t>(table.size());
  const int64_t end = static_cast<int64_t>(start) + ids.size();
  KVASIR_CHECK_STEP(start >= 0 && start <= length && end <= session_.max_table_entries(), "table update: entries [", start, ", ", end,
                    "), expected a start up to ", length, " and an end up to ", session_.max_table_entries(), " (record at word ", at, ")");
  for (const int32_t id : ids) {
    KVASIR_CHECK_STEP(id >= 0 && id < session_.num_blocks, "table update: block ", id, ", expected 0 to ", session_.num_blocks - 1,
                      " (record at word ", at, ")");
  }
  if (end > length) table.resize(static_cast<size_t>(end));
  std::copy(ids.begin(), ids.end(), table.begin() + start);
}

void SlotTable::read_transfers(const StepWords& words) {
  size_t num_groups = 0;
  for (const ProgramSpec& program : session_.programs) num_groups = std::max(num_groups, program.kv_groups.size());
  for (int32_t i = 0; i < words.count(kTransfers); i++) {
    const int32_t* record = words.record(kTransfers, i);
    const int32_t at = words.word_of(kTransfers, i);
    expect_unused_zero(record, kSectionWords[kTransfers], first_bits(transfer::num_fields), "transfer", at);
    const int32_t op = record[transfer::op];
    KVASIR_CHECK_STEP(op >= 0 && op <= static_cast<int32_t>(TransferOp::import_block), "transfer: op is ", op, ", expected 0 to 4 (record at word ", at, ")");
    const BlockTransfer copy{static_cast<TransferOp>(op), record[transfer::group], record[transfer::src], record[transfer::dst]};
    KVASIR_CHECK(op <= static_cast<int32_t>(TransferOp::store), "ERR_UNSUPPORTED", "transfer: op is ", op,
                 ", this backend moves blocks between its pool and its host tier only (record at word ", at, ")");
    KVASIR_CHECK_STEP(copy.op == TransferOp::copy || session_.host_tier_blocks > 0, "transfer: op is ", op,
                      ", but the session has no host tier: open it with hostTier (record at word ", at, ")");
    KVASIR_CHECK_STEP(copy.group >= 0 && copy.group < static_cast<int32_t>(num_groups), "transfer: group is ", copy.group, ", expected 0 to ",
                      static_cast<int64_t>(num_groups) - 1, " (record at word ", at, ")");
    const auto check = [&](int32_t block, bool in_host_tier) {
      const int32_t end = in_host_tier ? session_.host_tier_blocks : session_.num_blocks;
      KVASIR_CHECK_STEP(block >= 1 && block < end, "transfer: ", in_host_tier ? "host block " : "block ", block, ", expected 1 to ", end - 1,
                        " (record at word ", at, ")");
    };
    check(copy.src, copy.op == TransferOp::load);
    check(copy.dst, copy.op == TransferOp::store);
    step_.transfers.push_back(copy);
  }
}

void SlotTable::read_row(const StepWords& words, int32_t index) {
  const int32_t* record = words.record(kRows, index);
  const int32_t at = words.word_of(kRows, index);
  expect_unused_zero(record, kSectionWords[kRows], first_bits(row::num_fields), "row", at);
  const int32_t slot_id = record[row::slot];
  check_slot_id(slot_id, "row", at);
  Slot* found = find(slot_id);
  KVASIR_CHECK_STEP(found != nullptr, "row ", index, ": slot ", slot_id, " is not in use, start it by init or fork (record at word ", at, ")");
  int32_t& row_of_slot = row_of_slot_[static_cast<size_t>(slot_id)];
  KVASIR_CHECK_STEP(row_of_slot < 0, "row ", index, ": slot ", slot_id, " has row ", row_of_slot, " already, expected one a step (record at word ", at, ")");
  row_of_slot = index;
  step_.rows.emplace_back();
  StagedRow& staged = step_.rows.back();
  staged.slot_id = slot_id;
  staged.slot = found;
  const int32_t num_query = record[row::num_query], num_drafts = record[row::num_drafts];
  KVASIR_CHECK_STEP((record[row::flags] & ~kRowFlagNeedsSync) == 0, "row ", index, ": flags are ", record[row::flags], ", expected 0 or 1 (record at word ", at, ")");
  KVASIR_CHECK_STEP(num_drafts >= 0 && num_query > num_drafts && num_query <= session_.max_tokens, "row ", index, ": numQuery is ", num_query,
                    " with ", num_drafts, " drafts, expected a known token at least and at most ", session_.max_tokens, " in all (record at word ", at, ")");
  staged.drafts = words.range(kTokens, record[row::drafts_offset], num_drafts, "row: drafts", at);
  staged.skipped = staged.slot->end_reason != EndReason::none;
  staged.start = staged.slot->num_computed;
  staged.num_known = num_query - num_drafts;
  if (!staged.skipped) {
    const Slot& slot = *staged.slot;
    const auto length = static_cast<int64_t>(slot.history.size());
    const int64_t known_end = static_cast<int64_t>(staged.start) + staged.num_known;
    for (const int32_t id : staged.drafts) check_token(id, session_.programs[static_cast<size_t>(slot.program)].vocab_size, "row: draft", at);
    KVASIR_CHECK_STEP(known_end <= length && (num_drafts == 0 || known_end == length), "row ", index, ": known tokens [", staged.start, ", ",
                      known_end, ") with ", num_drafts, " drafts, the history has ", length, " (record at word ", at, ")");
    KVASIR_CHECK_STEP(known_end + num_drafts <= session_.max_model_len, "row ", index, ": ", known_end + num_drafts, " tokens, expected at most ",
                      session_.max_model_len, " (record at word ", at, ")");
    check_tables(staged, at);
  }
}

// Every block that the row writes or sees is a real one.
void SlotTable::check_tables(const StagedRow& staged, int32_t at) const {
  const Slot& slot = *staged.slot;
  const ProgramSpec& program = session_.programs[static_cast<size_t>(slot.program)];
  const int32_t last = (staged.start + staged.num_tokens() - 1) / session_.block_size;
  for (size_t group = 0; group < slot.tables.size(); group++) {
    const std::vector<int32_t>& table = slot.tables[group];
    KVASIR_CHECK_STEP(static_cast<int64_t>(table.size()) > last, "row of slot ", staged.slot_id, ": ", staged.start + staged.num_tokens(), " tokens need ",
                      last + 1, " blocks, the table of group ", group, " has ", table.size(), " (record at word ", at, ")");
    const int32_t window = program.kv_groups[group].window;
    const int32_t first = window == 0 ? 0 : std::max(0, staged.start - window + 1) / session_.block_size;
    for (int32_t entry = first; entry <= last; entry++) {
      KVASIR_CHECK_STEP(table[static_cast<size_t>(entry)] != 0, "row of slot ", staged.slot_id, ": entry ", entry, " of the table of group ", group,
                        " is the null block, but the row reads or writes it (record at word ", at, ")");
    }
  }
}

void SlotTable::read_outputs(const StepWords& words) {
  const int32_t count = words.count(kOutputs);
  KVASIR_CHECK_STEP(count <= session_.max_outputs, "the step has ", count, " outputs, expected at most ", session_.max_outputs, " (word ", 9 + 2 * kOutputs, ")");
  int64_t num_top = 0;
  int32_t last_row = 0, last_token = 0;
  for (int32_t i = 0; i < count; i++) {
    const int32_t* record = words.record(kOutputs, i);
    const int32_t at = words.word_of(kOutputs, i);
    expect_unused_zero(record, kSectionWords[kOutputs], first_bits(output::num_fields), "output", at);
    const int32_t row_index = record[output::row], token = record[output::token_index];
    KVASIR_CHECK_STEP(row_index >= 0 && row_index < words.count(kRows), "output ", i, ": row is ", row_index, ", the step has ", words.count(kRows),
                      " (record at word ", at, ")");
    StagedRow& owner = step_.rows[static_cast<size_t>(row_index)];
    KVASIR_CHECK_STEP(token >= 0 && token < owner.num_tokens(), "output ", i, ": token index is ", token, ", its row has ", owner.num_tokens(),
                      " tokens (record at word ", at, ")");
    KVASIR_CHECK_STEP(row_index > last_row || (row_index == last_row && token >= last_token), "output ", i, " goes back to row ", row_index, ", token ",
                      token, ", expected them by row, then by token index (record at word ", at, ")");
    if (owner.num_outputs == 0) owner.first_output = i;
    owner.num_outputs++;
    last_row = row_index;
    last_token = token;
    const int32_t kind = record[output::kind];
    KVASIR_CHECK_STEP(kind >= 0 && kind <= static_cast<int32_t>(OutputKind::pool), "output ", i, ": kind is ", kind, ", expected 0, 1 or 2 (record at word ", at, ")");
    KVASIR_CHECK_STEP(kind != static_cast<int32_t>(OutputKind::pool), "output ", i, ": pooled vectors need an encoder, this program is a decoder (record at word ", at, ")");
    KVASIR_CHECK_STEP((record[output::flags] & ~kOutputFlagLogprobs) == 0, "output ", i, ": flags are ", record[output::flags], ", expected 0 or 1 (record at word ", at, ")");
    StagedOutput staged;
    staged.kind = static_cast<OutputKind>(kind);
    staged.index = i;
    staged.token_index = token;
    staged.slot = record[output::slot];
    staged.target = record[output::target_id];
    staged.top_k = record[output::top_k];
    staged.wants_logprobs = (record[output::flags] & kOutputFlagLogprobs) != 0;
    staged.top_offset = static_cast<int32_t>(num_top);
    KVASIR_CHECK_STEP(staged.top_k >= 0 && staged.top_k <= session_.max_top_logprobs && (staged.top_k == 0 || staged.wants_logprobs), "output ", i,
                      ": topK is ", staged.top_k, ", expected at most ", session_.max_top_logprobs, ", and 0 without log-probabilities (record at word ", at, ")");
    num_top += staged.top_k;
    step_.outputs.push_back(staged);
  }
  step_.num_top = static_cast<int32_t>(num_top);
}

void SlotTable::check_samples(const StepWords& words, int32_t row_index) {
  const StagedRow& owner = step_.rows[static_cast<size_t>(row_index)];
  if (owner.skipped) return;
  const int32_t vocab = session_.programs[static_cast<size_t>(owner.slot->program)].vocab_size;
  const auto num_drafts = static_cast<int32_t>(owner.drafts.size());
  const int32_t first_sample = owner.num_known - 1;
  const bool reaches_end = owner.start + owner.num_known == static_cast<int32_t>(owner.slot->history.size());
  int32_t num_samples = 0;
  for (int32_t i = owner.first_output; i < owner.first_output + owner.num_outputs; i++) {
    StagedOutput& out = step_.outputs[static_cast<size_t>(i)];
    const int32_t at = words.word_of(kOutputs, i);
    out.program = owner.slot->program;
    if (out.kind == OutputKind::logprob) {
      check_token(out.target, vocab, "output: target", at);
      KVASIR_CHECK_STEP(out.wants_logprobs, "output ", i, ": kind is logprob without the logprobs flag (record at word ", at, ")");
      continue;
    }
    KVASIR_CHECK_STEP(reaches_end && out.token_index >= first_sample, "output ", i, ": sample at token ", out.token_index, " of a row of ",
                      owner.num_tokens(), ", expected the end of the history (record at word ", at, ")");
    const bool own = out.slot == owner.slot_id;
    if (!own) {
      check_slot_id(out.slot, "output", at);
      KVASIR_CHECK_STEP(fork_source_[static_cast<size_t>(out.slot)] == owner.slot_id && find(out.slot) != nullptr && num_drafts == 0, "output ", i,
                        ": sample for slot ", out.slot, ", expected slot ", owner.slot_id, " or a fork of it in this step, without drafts (record at word ", at, ")");
      KVASIR_CHECK_STEP(find(out.slot)->history.size() == owner.slot->history.size(), "output ", i, ": fork ", out.slot, " has ",
                        find(out.slot)->history.size(), " tokens, its source ", owner.slot->history.size(), " (record at word ", at, ")");
    }
    for (int32_t k = owner.first_output; k < i; k++) {
      const StagedOutput& other = step_.outputs[static_cast<size_t>(k)];
      KVASIR_CHECK_STEP(other.kind != OutputKind::sample || other.slot != out.slot || other.token_index != out.token_index, "output ", i,
                        ": a second sample for slot ", out.slot, " at token ", out.token_index, " (record at word ", at, ")");
    }
    out.sampled = find(out.slot);
    out.drafts = owner.drafts.slice(0, out.token_index - first_sample);
    if (own) num_samples++;
  }
  KVASIR_CHECK_STEP(num_drafts == 0 || num_samples == num_drafts + 1, "row ", row_index, " has ", num_samples, " samples, expected ", num_drafts + 1,
                    " to verify its drafts (record at word ", words.word_of(kRows, row_index), ")");
}

void SlotTable::publish() {
  last_step_id_ = step_.step_id;
  for (Staged& staged : staged_) {
    std::unique_ptr<Slot>& slot = slots_[static_cast<size_t>(staged.slot)];
    num_used_ += (staged.state != nullptr ? 1 : 0) - (slot != nullptr ? 1 : 0);
    slot = std::move(staged.state);
  }
  discard();
}

void SlotTable::discard() {
  for (const Staged& staged : staged_) staged_index_[static_cast<size_t>(staged.slot)] = -1;
  for (const Staged& staged : staged_) fork_source_[static_cast<size_t>(staged.slot)] = -1;
  for (const StagedRow& staged : step_.rows) row_of_slot_[static_cast<size_t>(staged.slot_id)] = -1;
  staged_.clear();
  step_.rows.clear();
  step_.outputs.clear();
  step_.transfers.clear();
  step_.num_top = 0;
}

}  // namespace kvasir
