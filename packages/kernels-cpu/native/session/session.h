// A session: weights, KV pool and slots, and the steps that run on them. Free of N-API; one thread at a time calls it.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include "compile.h"
#include "host_tier.h"
#include "kv_pool.h"
#include "kvasir/thread_pool.h"
#include "kvasir/work_gate.h"
#include "model_runner.h"
#include "slots.h"
#include "step_trace.h"
#include "thread_spread.h"

namespace kvasir {

// What a session takes, from the description alone.
struct SessionPlan {
  int64_t weight_bytes = 0;   // packed linears, norm vectors, rope tables
  int64_t mapped_bytes = 0;   // embeddings that stay in the mapped file
  int64_t scratch_bytes = 0;  // activations, logits, scratch of threads, batches and results
  int64_t host_tier_bytes = 0;
  int64_t block_bytes = 0;    // one block of any group
};

// Results of one step; sized for the limits of the session, of which the first numbers count.
struct StepResultBuffers {
  explicit StepResultBuffers(const SessionSpec& session);
  static int64_t bytes(const SessionSpec& session);

  int32_t step_id = 0;
  int32_t num_outputs = 0;
  int32_t num_rows = 0;
  int32_t num_top = 0;
  double compute_micros = 0;
  std::vector<int32_t> outputs;
  std::vector<int32_t> rows;
  std::vector<int32_t> top_ids;
  std::vector<float> top_logprobs;
};

class CpuSession {
 public:
  // Compiles; throws for what this backend does not build or a shape that does not fit. Reads nothing, allocates little.
  explicit CpuSession(SessionSpec spec);

  const SessionSpec& spec() const { return spec_; }
  const SessionPlan& plan() const { return plan_; }

  // Maps the files, allocates every buffer, packs the weights. Once, before the first step.
  void load(const LoadControl& control);

  // Runs a step. Throws ERR_INVALID_STEP before anything was run, or what went wrong in it; either way slots are as before.
  void run_step(const int32_t* words, int64_t num_words, StepResultBuffers& result);

  // Makes the running step stop early (it throws ERR_ABORTED). From any thread.
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

  Span<uint8_t> block(int32_t group, int32_t block);
  int32_t num_slots() const { return slots_.num_used(); }
  // Bytes that were really allocated, by the same division as the plan: weights, then scratch.
  int64_t weight_bytes_held() const;
  int64_t scratch_bytes_held() const;
  StepTrace& trace() { return trace_; }

 private:
  void compute(const StagedStep& step, StepResultBuffers& result);
  void transfer(const BlockTransfer& transfer);
  void run_program(ModelRunner& runner);
  // What each thread does of the current epoch: pieces of one phase after the other, sampling last.
  void work(int thread);
  void run_phases(int thread);
  void run_piece(int32_t phase, int64_t piece, int thread) noexcept;
  void sample(const StagedOutput& output, const LogitRow& row, uint8_t* scratch, StepResultBuffers& result);
  void finish(const StagedStep& step, StepResultBuffers& result);
  void finish_row(const StagedStep& step, size_t index, StepResultBuffers& result);
  void prepare_result(const StagedStep& step, StepResultBuffers& result) const;

  SessionSpec spec_;
  std::vector<CompiledProgram> compiled_;
  SessionPlan plan_;
  int64_t shared_bytes_ = 0;  // scratch_: what threads share, then the own parts of each
  int64_t local_bytes_ = 0;
  int64_t work_bytes_ = 0;
  SlotTable slots_;
  std::unique_ptr<KvPool> kv_;
  std::unique_ptr<HostTier> host_tier_;
  std::vector<std::unique_ptr<ModelRunner>> runners_;
  PageArena arena_;
  PageArena scratch_;
  std::vector<ThreadScratch> thread_scratch_;
  std::vector<TokenLogprob> top_scratch_;
  // What the current epoch works on; set before its gates open.
  std::unique_ptr<WorkGate[]> gates_;  // one a phase, one more for sampling
  std::atomic<uint32_t> epoch_{0};
  std::atomic<int32_t> num_gates_{0};
  ModelRunner* running_ = nullptr;
  const StagedStep* step_ = nullptr;
  StepResultBuffers* result_ = nullptr;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> failed_{false};
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
  StepTrace trace_;
  ThreadSpread spread_;
  std::unique_ptr<ThreadPool> pool_;  // last: its threads look at the gates until they are joined
};

}  // namespace kvasir
