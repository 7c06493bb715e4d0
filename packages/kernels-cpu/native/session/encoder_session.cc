#include "encoder_session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kvasir/check.h"

namespace kvasir {

EncoderSession::EncoderSession(SessionSpec spec)
    : spec_(std::move(spec)),
      compiled_(compile_program(spec_.programs.front(), spec_)),
      spread_(spec_.num_threads, spec_.spread_threads ? "/proc/loadavg" : nullptr) {
  const ProgramSpec& program = spec_.programs.front();
  plan_.weight_bytes = compiled_.packed_bytes + compiled_.vector_bytes;
  for (size_t i = 0; i < program.weights.size(); i++) {
    if (compiled_.is_embedding[i]) plan_.mapped_bytes += program.weights[i].length;
  }
  for (const int64_t bytes : compiled_.group_block_bytes) block_bytes_ = std::max(block_bytes_, round_up(bytes, 64));
  local_bytes_ = round_up(compiled_.local_bytes, 4096);
  work_bytes_ = round_up(static_cast<int64_t>(ModelRunner::work_bytes(spec_, program, compiled_)), 4096);
  shared_bytes_ = round_up(static_cast<int64_t>(ModelRunner::attention_workspace_bytes(spec_, compiled_)), 4096);
  const int64_t batch_bytes = 4 * (int64_t{spec_.max_tokens} + int64_t{spec_.max_outputs} * (width() + 1));
  plan_.scratch_bytes = compiled_.arena_bytes + shared_bytes_ + spec_.num_threads * (local_bytes_ + work_bytes_) + spec_.num_blocks * block_bytes_ + batch_bytes;
}

void EncoderSession::load(const LoadControl& control) {
  pool_ = std::make_unique<ThreadPool>(spec_.num_threads);
  kv_ = std::make_unique<KvPool>(spec_.num_blocks, block_bytes_);
  runner_ = std::make_unique<ModelRunner>(spec_, spec_.programs.front(), compiled_, *kv_);
  gates_ = std::make_unique<WorkGate[]>(compiled_.phases.size());
  arena_ = PageArena(compiled_.arena_bytes, "activations");
  scratch_ = PageArena(shared_bytes_ + spec_.num_threads * (local_bytes_ + work_bytes_), "scratch of threads");
  for (int i = 0; i < spec_.num_threads; i++) {
    uint8_t* base = scratch_.data() + shared_bytes_ + i * (local_bytes_ + work_bytes_);
    thread_scratch_.push_back({base, base + local_bytes_});
  }
  slots_.resize(static_cast<size_t>(spec_.max_rows()));
  rows_.reserve(slots_.size());
  outputs_.reserve(slots_.size());
  runner_->weights().load(*pool_, control);
}

void EncoderSession::check(Span<const int32_t> tokens, Span<const int32_t> lengths) const {
  KVASIR_CHECK(lengths.size() >= 1 && lengths.size() <= spec_.max_outputs, "ERR_INVALID_BATCH", "got ", lengths.size(), " sequences, expected from 1 to ", spec_.max_outputs);
  KVASIR_CHECK(tokens.size() >= 1 && tokens.size() <= spec_.max_tokens, "ERR_INVALID_BATCH", "got ", tokens.size(), " tokens, expected from 1 to ", spec_.max_tokens);
  const ProgramSpec& program = spec_.programs.front();
  int64_t total = 0;
  for (int64_t i = 0; i < lengths.size(); i++) {
    KVASIR_CHECK(lengths[i] >= 1 && lengths[i] <= program.max_positions, "ERR_INVALID_BATCH", "got ", lengths[i], " tokens in sequence ", i, ", expected from 1 to ", program.max_positions);
    total += lengths[i];
  }
  KVASIR_CHECK(total == tokens.size(), "ERR_INVALID_BATCH", "got ", tokens.size(), " tokens, but the lengths add up to ", total, ": expected equal counts");
  for (int64_t i = 0; i < tokens.size(); i++) {
    KVASIR_CHECK(tokens[i] >= 0 && tokens[i] < program.vocab_size, "ERR_INVALID_BATCH", "token ", i, " has id ", tokens[i], ", expected one from 0 to ", program.vocab_size - 1);
  }
}

// Blocks from 1 on, sequence after sequence: check() bounds them.
void EncoderSession::stage(Span<const int32_t> tokens, Span<const int32_t> lengths) {
  rows_.clear();
  outputs_.clear();
  int64_t first = 0;
  int32_t next_block = 1;
  for (int64_t i = 0; i < lengths.size(); i++) {
    Slot& slot = slots_[static_cast<size_t>(i)];
    slot.history.assign(tokens.begin() + first, tokens.begin() + first + lengths[i]);
    slot.tables.resize(1);
    slot.tables[0].clear();
    for (int32_t token = 0; token < lengths[i]; token += spec_.block_size) slot.tables[0].push_back(next_block++);
    StagedRow row;
    row.slot = &slot;
    row.num_known = lengths[i];
    row.first_output = static_cast<int32_t>(i);
    row.num_outputs = 1;
    rows_.push_back(row);
    outputs_.emplace_back();
    first += lengths[i];
  }
  runner_->begin_step();
  for (const StagedRow& row : rows_) runner_->add_row(row, outputs_);
  runner_->plan_step(scratch_.data());
}

void EncoderSession::encode(Span<const int32_t> tokens, Span<const int32_t> lengths, float* vectors) {
  check(tokens, lengths);
  stage(tokens, lengths);
  failed_.store(false);
  failure_ = nullptr;
  compute();
  KVASIR_CHECK(!cancelled_.load(), "ERR_ABORTED", "the batch was stopped because its session closes");
  if (failure_ != nullptr) std::rethrow_exception(failure_);
  for (int64_t i = 0; i < lengths.size(); i++) {
    std::memcpy(vectors + i * width(), runner_->logits(static_cast<int32_t>(i), arena_.data()).logits, static_cast<size_t>(width()) * 4);
  }
}

void EncoderSession::compute() {
  const uint32_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
  for (int32_t i = 0; i < runner_->num_phases(); i++) {
    const int64_t pieces = runner_->num_pieces(i);
    KVASIR_CHECK(pieces <= WorkGate::kMaxPieces, "ERR_INTERNAL", "phase ", i, " has ", pieces, " pieces");
    gates_[i].open(epoch, pieces);
  }
  epoch_.store(epoch, std::memory_order_release);
  spread_.arrive(0);
  pool_->start([](void* self, int thread) { static_cast<EncoderSession*>(self)->work(thread); }, this);
  work(0);
}

void EncoderSession::work(int thread) {
  run_phases(thread);
  spread_.leave(thread);
}

void EncoderSession::run_phases(int thread) {
  const uint32_t epoch = epoch_.load(std::memory_order_acquire);
  for (int32_t i = 0; i < runner_->num_phases(); i++) {
    spread_.arrive(thread);
    for (;;) {
      const int64_t piece = gates_[i].claim(epoch);
      if (piece == WorkGate::kExpired) return;
      if (piece == WorkGate::kNone) break;
      run_piece(i, piece, thread);
      gates_[i].finish();
    }
    if (!gates_[i].wait(epoch)) return;
  }
}

// Does nothing once the batch has failed or is cancelled; pieces are counted all the same, so that nobody waits for ever.
void EncoderSession::run_piece(int32_t phase, int64_t piece, int thread) noexcept {
  if (failed_.load(std::memory_order_relaxed) || cancelled_.load(std::memory_order_relaxed)) return;
  try {
    runner_->run_piece(phase, piece, arena_.data(), thread_scratch_[static_cast<size_t>(thread)]);
  } catch (...) {
    std::lock_guard<std::mutex> lock(failure_mutex_);
    if (failure_ == nullptr) failure_ = std::current_exception();
    failed_.store(true, std::memory_order_relaxed);
  }
}

}  // namespace kvasir
