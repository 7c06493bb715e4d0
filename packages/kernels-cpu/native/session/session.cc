#include "session.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "kvasir/check.h"
#include "sample_slot.h"

namespace kvasir {
namespace {

int32_t float_bits(float value) {
  int32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

}  // namespace

StepResultBuffers::StepResultBuffers(const SessionSpec& session)
    : outputs(static_cast<size_t>(session.max_outputs) * kResultWords),
      rows(static_cast<size_t>(session.max_rows()) * kRowResultWords),
      top_ids(static_cast<size_t>(session.max_outputs) * static_cast<size_t>(session.max_top_logprobs)),
      top_logprobs(top_ids.size()) {}

int64_t StepResultBuffers::bytes(const SessionSpec& session) {
  const int64_t top = static_cast<int64_t>(session.max_outputs) * session.max_top_logprobs;
  return 4 * (int64_t{session.max_outputs} * kResultWords + int64_t{session.max_rows()} * kRowResultWords + 2 * top);
}

CpuSession::CpuSession(SessionSpec spec) : spec_(std::move(spec)), slots_(spec_), spread_(spec_.num_threads, spec_.spread_threads ? "/proc/loadavg" : nullptr) {
  KVASIR_CHECK(int64_t{spec_.max_outputs} * spec_.max_top_logprobs < int64_t{1} << 28, "ERR_INVALID_ARGUMENT", "maxOutputsPerStep ",
               spec_.max_outputs, " times maxTopLogprobs ", spec_.max_top_logprobs, " is too much, expected less than 2^28: lower one of them");
  int64_t arena_bytes = 0;
  for (const ProgramSpec& program : spec_.programs) {
    for (const int32_t id : spec_.eos_token_ids) {
      KVASIR_CHECK(id < program.vocab_size, "ERR_INVALID_ARGUMENT", "EOS id ", id, ", expected 0 to ", program.vocab_size - 1);
    }
    compiled_.push_back(compile_program(program, spec_));
    const CompiledProgram& compiled = compiled_.back();
    plan_.weight_bytes += compiled.packed_bytes + compiled.vector_bytes;
    for (const RopeSpec& rope : program.rope_tables) plan_.weight_bytes += RopeCache::bytes(rope, spec_.max_model_len);
    for (size_t i = 0; i < program.weights.size(); i++) {
      if (compiled.is_embedding[i]) plan_.mapped_bytes += program.weights[i].length;
    }
    for (const int64_t bytes : compiled.group_block_bytes) plan_.block_bytes = std::max(plan_.block_bytes, round_up(bytes, 64));
    arena_bytes = std::max(arena_bytes, compiled.arena_bytes);
    local_bytes_ = std::max(local_bytes_, round_up(compiled.local_bytes, 4096));
    work_bytes_ = std::max(work_bytes_, round_up(static_cast<int64_t>(ModelRunner::work_bytes(spec_, program, compiled)), 4096));
    shared_bytes_ = std::max(shared_bytes_, round_up(static_cast<int64_t>(ModelRunner::attention_workspace_bytes(spec_, compiled)), 4096));
  }
  // Results are held once for each step in flight here, and read from one arena more in JavaScript.
  const int64_t result_bytes = (2 * spec_.max_in_flight + 1) * StepResultBuffers::bytes(spec_);
  const int64_t top_bytes = int64_t{spec_.max_outputs} * spec_.max_top_logprobs * static_cast<int64_t>(sizeof(TokenLogprob));
  plan_.scratch_bytes = arena_bytes + shared_bytes_ + spec_.num_threads * (local_bytes_ + work_bytes_) + result_bytes + top_bytes +
                        SlotTable::sampling_bytes(spec_);
  KVASIR_CHECK(plan_.block_bytes <= (int64_t{1} << 50) / spec_.num_blocks, "ERR_INVALID_ARGUMENT", spec_.num_blocks, " blocks of ",
               plan_.block_bytes, " bytes are more than an address space: lower numBlocks");
  KVASIR_CHECK(spec_.host_tier_blocks == 0 || plan_.block_bytes <= (int64_t{1} << 50) / spec_.host_tier_blocks, "ERR_INVALID_ARGUMENT",
               spec_.host_tier_blocks, " host blocks of ", plan_.block_bytes, " bytes are more than an address space: lower hostTier.numBlocks");
  plan_.host_tier_bytes = spec_.host_tier_blocks * plan_.block_bytes;
}

void CpuSession::load(const LoadControl& control) {
  pool_ = std::make_unique<ThreadPool>(spec_.num_threads);
  kv_ = std::make_unique<KvPool>(spec_.num_blocks, plan_.block_bytes);
  if (spec_.host_tier_blocks > 0) host_tier_ = std::make_unique<HostTier>(spec_.host_tier_blocks, plan_.block_bytes, spec_.host_tier_path);
  int64_t arena_bytes = 0, total = 0;
  for (size_t i = 0; i < compiled_.size(); i++) {
    arena_bytes = std::max(arena_bytes, compiled_[i].arena_bytes);
    total += WeightStore::total_bytes(spec_.programs[i], compiled_[i]);
    runners_.push_back(std::make_unique<ModelRunner>(spec_, spec_.programs[i], compiled_[i], *kv_));
  }
  size_t num_gates = 0;
  for (const CompiledProgram& compiled : compiled_) num_gates = std::max(num_gates, compiled.phases.size() + 1);
  gates_ = std::make_unique<WorkGate[]>(num_gates);
  arena_ = PageArena(arena_bytes, "activations and logits");
  scratch_ = PageArena(shared_bytes_ + spec_.num_threads * (local_bytes_ + work_bytes_), "scratch of threads");
  for (int i = 0; i < spec_.num_threads; i++) {
    uint8_t* base = scratch_.data() + shared_bytes_ + i * (local_bytes_ + work_bytes_);
    thread_scratch_.push_back({base, base + local_bytes_});
  }
  top_scratch_.resize(static_cast<size_t>(spec_.max_outputs) * static_cast<size_t>(spec_.max_top_logprobs));
  int64_t before = 0;
  for (size_t i = 0; i < runners_.size(); i++) {
    LoadControl part = control;
    if (control.progress) part.progress = [&](int64_t loaded, int64_t) { control.progress(before + loaded, total); };
    runners_[i]->weights().load(*pool_, part);
    before += WeightStore::total_bytes(spec_.programs[i], compiled_[i]);
  }
}

int64_t CpuSession::weight_bytes_held() const {
  int64_t bytes = 0;
  for (size_t i = 0; i < compiled_.size(); i++) {
    bytes += compiled_[i].packed_bytes + compiled_[i].vector_bytes;
    for (const RopeSpec& rope : spec_.programs[i].rope_tables) bytes += RopeCache::bytes(rope, spec_.max_model_len);
  }
  return bytes;
}

int64_t CpuSession::scratch_bytes_held() const {
  return arena_.bytes() + scratch_.bytes() + static_cast<int64_t>(top_scratch_.size() * sizeof(TokenLogprob));
}

Span<uint8_t> CpuSession::block(int32_t group, int32_t block) {
  const auto num_groups = static_cast<int32_t>(spec_.programs[0].kv_groups.size());
  KVASIR_CHECK(group >= 0 && group < num_groups, "ERR_INVALID_ARGUMENT", "group is ", group, ", expected 0 to ", num_groups - 1);
  KVASIR_CHECK(block >= 1 && block < spec_.num_blocks, "ERR_INVALID_ARGUMENT", "block is ", block, ", expected 1 to ", spec_.num_blocks - 1);
  return {kv_->block(block), kv_->block_bytes()};
}

void CpuSession::run_step(const int32_t* words, int64_t num_words, StepResultBuffers& result) {
  const auto start = std::chrono::steady_clock::now();
  const StepWords batch(words, num_words);
  const StagedStep& step = slots_.stage(batch);
  try {
    prepare_result(step, result);
    compute(step, result);
  } catch (...) {
    slots_.discard();
    throw;
  }
  finish(step, result);
  slots_.publish();
  if (spec_.trace) trace_.lap("finish");
  result.compute_micros = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

void CpuSession::prepare_result(const StagedStep& step, StepResultBuffers& result) const {
  result.step_id = step.step_id;
  result.num_outputs = static_cast<int32_t>(step.outputs.size());
  result.num_rows = static_cast<int32_t>(step.rows.size());
  result.num_top = step.num_top;
  std::fill_n(result.outputs.begin(), result.num_outputs * kResultWords, 0);
  for (int32_t i = 0; i < result.num_outputs; i++) result.outputs[static_cast<size_t>(i) * kResultWords] = -1;
  std::fill_n(result.top_ids.begin(), result.num_top, -1);
  std::fill_n(result.top_logprobs.begin(), result.num_top, 0.0f);
}

void CpuSession::compute(const StagedStep& step, StepResultBuffers& result) {
  if (spec_.trace) trace_.start();
  for (const std::unique_ptr<ModelRunner>& runner : runners_) runner->begin_step();
  for (const StagedRow& row : step.rows) {
    if (!row.skipped) runners_[static_cast<size_t>(row.slot->program)]->add_row(row, step.outputs);
  }
  for (const std::unique_ptr<ModelRunner>& runner : runners_) runner->plan_step(scratch_.data());
  // From here on only a session that closes gives a step up.
  for (const BlockTransfer& transfer : step.transfers) this->transfer(transfer);
  failed_.store(false);
  failure_ = nullptr;
  step_ = &step;
  result_ = &result;
  for (const std::unique_ptr<ModelRunner>& runner : runners_) {
    if (!runner->empty()) run_program(*runner);
  }
  KVASIR_CHECK(!cancelled_.load(), "ERR_ABORTED", "step ", step.step_id, " was stopped because its session closes");
  if (failure_ != nullptr) std::rethrow_exception(failure_);
}

void CpuSession::transfer(const BlockTransfer& transfer) {
  const uint8_t* src = transfer.op == TransferOp::load ? host_tier_->block(transfer.src) : kv_->block(transfer.src);
  uint8_t* dst = transfer.op == TransferOp::store ? host_tier_->block(transfer.dst) : kv_->block(transfer.dst);
  if (src != dst) std::memcpy(dst, src, static_cast<size_t>(kv_->block_bytes()));
}

void CpuSession::run_program(ModelRunner& runner) {
  running_ = &runner;
  const uint32_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
  for (int32_t i = 0; i < runner.num_phases(); i++) {
    const int64_t pieces = runner.num_pieces(i);
    KVASIR_CHECK(pieces <= WorkGate::kMaxPieces, "ERR_INTERNAL", "phase ", i, " has ", pieces, " pieces");
    gates_[i].open(epoch, pieces);
  }
  gates_[runner.num_phases()].open(epoch, runner.num_outputs());
  num_gates_.store(runner.num_phases() + 1, std::memory_order_relaxed);
  epoch_.store(epoch, std::memory_order_release);
  if (spec_.trace) trace_.lap("stage");
  spread_.arrive(0);
  pool_->start([](void* self, int thread) { static_cast<CpuSession*>(self)->work(thread); }, this);
  if (spec_.trace) trace_.lap("wake");
  work(0);
}

void CpuSession::work(int thread) {
  run_phases(thread);
  spread_.leave(thread);
}

void CpuSession::run_phases(int thread) {
  const uint32_t epoch = epoch_.load(std::memory_order_acquire);
  const int32_t num_gates = num_gates_.load(std::memory_order_relaxed);
  for (int32_t i = 0; i < num_gates; i++) {
    spread_.arrive(thread);
    for (;;) {
      const int64_t piece = gates_[i].claim(epoch);
      if (piece == WorkGate::kExpired) return;
      if (piece == WorkGate::kNone) break;
      run_piece(i, piece, thread);
      gates_[i].finish();
    }
    if (!gates_[i].wait(epoch)) return;
    if (spec_.trace && thread == 0) trace_.lap(i + 1 < num_gates ? running_->phase(i).label : "sample");
  }
}

// Does nothing once the step has failed or is cancelled; pieces are counted all the same, so that nobody waits for ever.
void CpuSession::run_piece(int32_t phase, int64_t piece, int thread) noexcept {
  if (failed_.load(std::memory_order_relaxed) || cancelled_.load(std::memory_order_relaxed)) return;
  const ThreadScratch& scratch = thread_scratch_[static_cast<size_t>(thread)];
  try {
    if (phase < running_->num_phases()) return running_->run_piece(phase, piece, arena_.data(), scratch);
    const auto output = static_cast<int32_t>(piece);
    sample(step_->outputs[static_cast<size_t>(running_->output(output))], running_->logits(output, arena_.data()), scratch.work, *result_);
  } catch (...) {
    std::lock_guard<std::mutex> lock(failure_mutex_);
    if (failure_ == nullptr) failure_ = std::current_exception();
    failed_.store(true, std::memory_order_relaxed);
  }
}

void CpuSession::sample(const StagedOutput& output, const LogitRow& row, uint8_t* scratch, StepResultBuffers& result) {
  int32_t* record = &result.outputs[static_cast<size_t>(output.index) * kResultWords];
  const OpKernels& ops = op_kernels(spec_.isa);
  int32_t token = output.target;
  if (output.kind == OutputKind::sample) token = sample_slot(ops, *output.sampled, output.drafts, row, scratch);
  record[0] = token;
  if (!output.wants_logprobs) return;
  TokenLogprob chosen{};
  TokenLogprob* top = top_scratch_.data() + output.top_offset;
  ops.logprobs(row, token, output.top_k, &chosen, top, scratch);
  record[1] = float_bits(chosen.logprob);
  record[2] = chosen.rank;
  for (int32_t k = 0; k < output.top_k; k++) {
    result.top_ids[static_cast<size_t>(output.top_offset + k)] = top[k].id;
    result.top_logprobs[static_cast<size_t>(output.top_offset + k)] = top[k].id < 0 ? 0.0f : top[k].logprob;
  }
}

void CpuSession::finish(const StagedStep& step, StepResultBuffers& result) {
  for (size_t i = 0; i < step.rows.size(); i++) finish_row(step, i, result);
}

// Accepts the samples of a row in order, up to the first draft that differs or the end of the slot; the rest become void.
void CpuSession::finish_row(const StagedStep& step, size_t index, StepResultBuffers& result) {
  const StagedRow& row = step.rows[index];
  Slot& owner = *row.slot;
  int32_t num_accepted = 0;
  const int32_t num_outputs = row.skipped ? 0 : row.num_outputs;
  for (int32_t i = row.first_output; i < row.first_output + num_outputs; i++) {
    const StagedOutput& output = step.outputs[static_cast<size_t>(i)];
    if (output.kind != OutputKind::sample) continue;
    int32_t* record = &result.outputs[static_cast<size_t>(i) * kResultWords];
    Slot& slot = *output.sampled;
    if (&slot != &owner) slot.num_computed = row.start + row.num_tokens();
    if (slot.end_reason != EndReason::none || output.drafts.size() > num_accepted) {
      std::fill_n(record, kResultWords, 0);
      record[0] = -1;
      std::fill_n(result.top_ids.begin() + output.top_offset, output.top_k, -1);
      std::fill_n(result.top_logprobs.begin() + output.top_offset, output.top_k, 0.0f);
      continue;
    }
    slot.append(record[0], spec_.eos_token_ids);
    record[3] = static_cast<int32_t>(slot.end_reason);
    const bool is_draft = &slot == &owner && output.drafts.size() < row.drafts.size();
    if (is_draft && row.drafts[output.drafts.size()] == record[0]) num_accepted++;
  }
  if (!row.skipped) owner.num_computed = row.start + row.num_known + num_accepted;
  int32_t* record = &result.rows[index * kRowResultWords];
  record[0] = row.skipped ? 1 : 0;
  record[1] = num_accepted;
  record[2] = owner.num_computed;
  record[3] = static_cast<int32_t>(owner.history.size());
}

}  // namespace kvasir
