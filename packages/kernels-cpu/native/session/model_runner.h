// Runs the phases of one program over the rows of a step, on every thread of a pool.
#pragma once
#include <cstdint>
#include <vector>

#include "../ops/attention_plan.h"
#include "compile.h"
#include "kv_pool.h"
#include "panel_split.h"
#include "rope_cache.h"
#include "slots.h"
#include "weight_store.h"

namespace kvasir {

// Scratch of each thread: local buffers, attention or sampling.
struct ThreadScratch {
  uint8_t* local;
  uint8_t* work;
};


class ModelRunner {
 public:
  ModelRunner(const SessionSpec& session, const ProgramSpec& program, CompiledProgram& compiled, KvPool& pool);

  WeightStore& weights() { return weights_; }

  // Takes rows of this program. `rows` stay valid until the step ends; outputs are the batch's, in order.
  void begin_step();
  void add_row(const StagedRow& row, const std::vector<StagedOutput>& outputs);
  // Cuts the work of the rows that were added. `attention_workspace` has attention_workspace_bytes().
  void plan_step(uint8_t* attention_workspace);
  bool empty() const { return tokens_.empty(); }

  int32_t num_phases() const { return static_cast<int32_t>(compiled_.phases.size()); }
  const Phase& phase(int32_t index) const { return compiled_.phases[static_cast<size_t>(index)]; }
  // Pieces of a phase for the rows of this step. Pieces of one phase run in any order, on any thread; phases one after the other.
  int64_t num_pieces(int32_t index) const;
  void run_piece(int32_t index, int64_t piece, uint8_t* arena, const ThreadScratch& scratch);

  // Outputs of the batch that this program computes, and their logits.
  int32_t num_outputs() const { return static_cast<int32_t>(outputs_.size()); }
  int32_t output(int32_t i) const { return outputs_[static_cast<size_t>(i)]; }
  LogitRow logits(int32_t i, uint8_t* arena) const;

  static size_t work_bytes(const SessionSpec& session, const ProgramSpec& program, const CompiledProgram& compiled);
  static size_t attention_workspace_bytes(const SessionSpec& session, const CompiledProgram& compiled);

 private:
  struct Token {
    int32_t id;
    int32_t position;
    int32_t row;
  };
  void run_rows(const Phase& phase, int64_t piece, uint8_t* arena, const ThreadScratch& scratch);
  void run_row_op(const RowOp& row_op, int64_t row, uint8_t* arena, const ThreadScratch& scratch);
  // Items of the layers that agree in KV group and shape.
  struct AttentionPlan {
    size_t group;
    AttentionShape shape;
    AttentionWorkspace workspace;
    std::vector<AttentionItem> items;
  };
  void add_attention_plan(size_t phase);
  AttentionArgs attention_args(const OpSpec& op, const AttentionPlan& plan, uint8_t* arena) const;
  int64_t rows_per_piece(Rows rows) const;
  int64_t num_rows(Rows rows) const { return static_cast<int64_t>(rows == Rows::tokens ? tokens_.size() : outputs_.size()); }
  float* row_of(int32_t buffer, int64_t row, uint8_t* arena, const ThreadScratch& scratch) const;
  float* rows_of(int32_t buffer, uint8_t* arena) const;

  const SessionSpec& session_;
  const ProgramSpec& program_;
  CompiledProgram& compiled_;
  KvPool& pool_;
  const OpKernels& ops_;
  WeightStore weights_;
  std::vector<RopeCache> ropes_;
  std::vector<std::vector<PanelPiece>> pieces_;         // of each linear phase
  std::vector<Token> tokens_;
  std::vector<int32_t> outputs_;                         // index in the batch
  std::vector<int32_t> output_token_;                    // token among those of the step
  std::vector<const StagedRow*> rows_;
  std::vector<std::vector<AttentionRow>> attention_rows_;  // one list a KV group
  std::vector<AttentionPlan> plans_;
  std::vector<size_t> plan_of_phase_;                      // index in plans_, of attention phases
  uint8_t* attention_workspace_ = nullptr;
};

}  // namespace kvasir
