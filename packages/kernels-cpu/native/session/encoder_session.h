// An encoder on a device: whole sequences in, one vector a sequence out. Free of N-API; one thread at a time calls it.
//
// A batch is a step of the decoder's machinery without its memory: each sequence is a row from position 0 whose keys and values live in
// key tiles until the batch is done. What a sequence computes depends on its tokens alone, as for rows of a decoder.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include "compile.h"
#include "kv_pool.h"
#include "kvasir/span.h"
#include "kvasir/thread_pool.h"
#include "kvasir/work_gate.h"
#include "model_runner.h"
#include "thread_spread.h"

namespace kvasir {

// What an encoder session takes, from the description alone.
struct EncoderPlan {
  int64_t weight_bytes = 0;   // packed linears, norms and biases
  int64_t mapped_bytes = 0;   // embeddings that stay in the mapped file
  int64_t scratch_bytes = 0;  // activations, keys and values of a batch, scratch of threads, vectors
};

class EncoderSession {
 public:
  // Of read_encoder_spec(). Compiles; throws for what this backend does not build. Reads nothing, allocates little.
  explicit EncoderSession(SessionSpec spec);

  const SessionSpec& spec() const { return spec_; }
  const EncoderPlan& plan() const { return plan_; }
  int64_t width() const { return compiled_.buffers[static_cast<size_t>(compiled_.logits)].width; }

  // Maps the files, allocates every buffer, packs the weights. Once, before the first batch.
  void load(const LoadControl& control);

  // Writes vectors [lengths.size(), width()]. Throws ERR_INVALID_BATCH before anything was run, or what went wrong.
  void encode(Span<const int32_t> tokens, Span<const int32_t> lengths, float* vectors);

  // Makes the running batch stop early (it throws ERR_ABORTED). From any thread.
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

 private:
  void check(Span<const int32_t> tokens, Span<const int32_t> lengths) const;
  void stage(Span<const int32_t> tokens, Span<const int32_t> lengths);
  void compute();
  void work(int thread);
  void run_phases(int thread);
  void run_piece(int32_t phase, int64_t piece, int thread) noexcept;

  SessionSpec spec_;
  CompiledProgram compiled_;
  EncoderPlan plan_;
  int64_t block_bytes_ = 0;
  int64_t shared_bytes_ = 0;  // scratch_: what threads share, then the own parts of each
  int64_t local_bytes_ = 0;
  int64_t work_bytes_ = 0;
  std::unique_ptr<KvPool> kv_;
  std::unique_ptr<ModelRunner> runner_;
  PageArena arena_;
  PageArena scratch_;
  std::vector<ThreadScratch> thread_scratch_;
  // The batch: a slot and a row a sequence, and an output each.
  std::vector<Slot> slots_;
  std::vector<StagedRow> rows_;
  std::vector<StagedOutput> outputs_;
  // What the current epoch works on; set before its gates open.
  std::unique_ptr<WorkGate[]> gates_;
  std::atomic<uint32_t> epoch_{0};
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> failed_{false};
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
  ThreadSpread spread_;
  std::unique_ptr<ThreadPool> pool_;  // last: its threads look at the gates until they are joined
};

}  // namespace kvasir
