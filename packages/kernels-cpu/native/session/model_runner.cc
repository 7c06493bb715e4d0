#include "model_runner.h"

#include <algorithm>
#include <cstring>

#include "linear_phase.h"
#include "sample_slot.h"

namespace kvasir {
namespace {

AttentionWorkspace workspace_of(const SessionSpec& session, const CompiledProgram& compiled, const OpSpec& op) {
  const KvLayout& layout = compiled.kv_layouts[static_cast<size_t>(op.layer)];
  return AttentionWorkspace(layout, op.num_heads, session.max_model_len, session.num_threads);
}

}  // namespace

ModelRunner::ModelRunner(const SessionSpec& session, const ProgramSpec& program, CompiledProgram& compiled, KvPool& pool)
    : session_(session), program_(program), compiled_(compiled), pool_(pool), ops_(op_kernels(session.isa)), weights_(program, compiled) {
  for (const RopeSpec& rope : program.rope_tables) ropes_.emplace_back(rope);
  for (KvLayout& layout : compiled.kv_layouts) layout.block_bytes = pool.block_bytes();
  for (const Phase& phase : compiled.phases) pieces_.push_back(split_panels(phase.groups, session.num_threads));
  attention_rows_.resize(program.kv_groups.size());
  plan_of_phase_.resize(compiled.phases.size());
  for (size_t i = 0; i < compiled.phases.size(); i++) {
    if (compiled.phases[i].kind == PhaseKind::attention) add_attention_plan(i);
  }
  tokens_.reserve(static_cast<size_t>(session.max_tokens));
  outputs_.reserve(static_cast<size_t>(session.max_outputs));
  output_token_.reserve(static_cast<size_t>(session.max_outputs));
  rows_.reserve(static_cast<size_t>(session.max_rows()));
}

size_t ModelRunner::work_bytes(const SessionSpec& session, const ProgramSpec& program, const CompiledProgram& compiled) {
  const OpKernels& ops = op_kernels(session.isa);
  size_t bytes = program.is_encoder ? 0 : sample_slot_scratch_bytes(ops, program.vocab_size);
  for (const Phase& phase : compiled.phases) {
    if (phase.kind != PhaseKind::attention) continue;
    const KvLayout& layout = compiled.kv_layouts[static_cast<size_t>(phase.attention.layer)];
    bytes = std::max(bytes, ops.attention_scratch_bytes(layout, phase.attention.num_heads));
  }
  return bytes;
}

size_t ModelRunner::attention_workspace_bytes(const SessionSpec& session, const CompiledProgram& compiled) {
  size_t bytes = 0;
  for (const Phase& phase : compiled.phases) {
    if (phase.kind == PhaseKind::attention) bytes = std::max(bytes, workspace_of(session, compiled, phase.attention).bytes());
  }
  return bytes;
}

void ModelRunner::add_attention_plan(size_t phase) {
  const OpSpec& op = compiled_.phases[phase].attention;
  const KvLayout& layout = compiled_.kv_layouts[static_cast<size_t>(op.layer)];
  const auto group = static_cast<size_t>(program_.kv_layers[static_cast<size_t>(op.layer)].group);
  const AttentionShape shape{op.num_heads, layout.num_kv_heads, op.window, program_.is_encoder};
  const auto same = [&](const AttentionPlan& plan) { return plan.group == group && plan.shape == shape; };
  const auto found = std::find_if(plans_.begin(), plans_.end(), same);
  plan_of_phase_[phase] = static_cast<size_t>(found - plans_.begin());
  if (found == plans_.end()) plans_.push_back({group, shape, workspace_of(session_, compiled_, op), {}});
}

void ModelRunner::plan_step(uint8_t* attention_workspace) {
  attention_workspace_ = attention_workspace;
  for (AttentionPlan& plan : plans_) {
    const std::vector<AttentionRow>& rows = attention_rows_[plan.group];
    plan_attention(plan.shape, rows.data(), static_cast<int32_t>(rows.size()), session_.num_threads, plan.workspace, plan.items);
    // A step that failed may have left some behind.
    std::memset(attention_workspace, 0, plan.workspace.counter_bytes());
  }
}

void ModelRunner::begin_step() {
  tokens_.clear();
  outputs_.clear();
  output_token_.clear();
  rows_.clear();
  for (std::vector<AttentionRow>& rows : attention_rows_) rows.clear();
}

void ModelRunner::add_row(const StagedRow& row, const std::vector<StagedOutput>& outputs) {
  const auto first_token = static_cast<int32_t>(tokens_.size());
  const int32_t num_tokens = row.num_tokens();
  for (int32_t i = 0; i < num_tokens; i++) tokens_.push_back({row.token(i), row.start + i, static_cast<int32_t>(rows_.size())});
  rows_.push_back(&row);
  for (size_t group = 0; group < attention_rows_.size(); group++) {
    attention_rows_[group].push_back({row.slot->tables[group].data(), row.start, num_tokens, first_token});
  }
  for (int32_t i = row.first_output; i < row.first_output + row.num_outputs; i++) {
    outputs_.push_back(i);
    output_token_.push_back(first_token + outputs[static_cast<size_t>(i)].token_index);
  }
  for (RopeCache& rope : ropes_) rope.grow(row.start + num_tokens);
}

LogitRow ModelRunner::logits(int32_t i, uint8_t* arena) const {
  const auto row = [&](int32_t id) {
    const Buffer& buffer = compiled_.buffers[static_cast<size_t>(id)];
    return reinterpret_cast<const float*>(arena + buffer.offset + i * buffer.row_bytes);
  };
  return {row(compiled_.logits), program_.vocab_size, compiled_.logit_maxima < 0 ? nullptr : row(compiled_.logit_maxima)};
}

float* ModelRunner::row_of(int32_t id, int64_t row, uint8_t* arena, const ThreadScratch& scratch) const {
  const Buffer& buffer = compiled_.buffers[static_cast<size_t>(id)];
  return reinterpret_cast<float*>(buffer.local ? scratch.local + buffer.offset : arena + buffer.offset + row * buffer.row_bytes);
}

float* ModelRunner::rows_of(int32_t id, uint8_t* arena) const {
  return reinterpret_cast<float*>(arena + compiled_.buffers[static_cast<size_t>(id)].offset);
}

int64_t ModelRunner::rows_per_piece(Rows rows) const { return std::max<int64_t>(1, num_rows(rows) / (4 * session_.num_threads)); }

int64_t ModelRunner::num_pieces(int32_t index) const {
  const Phase& phase = this->phase(index);
  const int64_t rows = num_rows(phase.rows);
  if (rows == 0) return 0;
  switch (phase.kind) {
    case PhaseKind::rows: return (rows + rows_per_piece(phase.rows) - 1) / rows_per_piece(phase.rows);
    case PhaseKind::linear: return static_cast<int64_t>(pieces_[static_cast<size_t>(index)].size());
    case PhaseKind::attention: return static_cast<int64_t>(plans_[plan_of_phase_[static_cast<size_t>(index)]].items.size());
  }
  return 0;
}

void ModelRunner::run_piece(int32_t index, int64_t piece, uint8_t* arena, const ThreadScratch& scratch) {
  const Phase& phase = this->phase(index);
  switch (phase.kind) {
    case PhaseKind::rows: return run_rows(phase, piece, arena, scratch);
    case PhaseKind::linear: {
      const LinearPhaseRun run{compiled_, weights_, ops_, session_.isa, num_rows(phase.rows), arena, scratch.local};
      return run_panel_piece(run, phase.groups, pieces_[static_cast<size_t>(index)][static_cast<size_t>(piece)]);
    }
    case PhaseKind::attention: {
      const AttentionPlan& plan = plans_[plan_of_phase_[static_cast<size_t>(index)]];
      return ops_.attention_item(attention_args(phase.attention, plan, arena), plan.items[static_cast<size_t>(piece)], scratch.work);
    }
  }
}

void ModelRunner::run_rows(const Phase& phase, int64_t piece, uint8_t* arena, const ThreadScratch& scratch) {
  const int64_t per_piece = rows_per_piece(phase.rows);
  const int64_t end = std::min(num_rows(phase.rows), (piece + 1) * per_piece);
  for (int64_t row = piece * per_piece; row < end; row++) {
    for (const RowOp& op : phase.row_ops) run_row_op(op, row, arena, scratch);
  }
}

void ModelRunner::run_row_op(const RowOp& row_op, int64_t row, uint8_t* arena, const ThreadScratch& scratch) {
  const OpSpec& op = row_op.op;
  const auto at = [&](int32_t buffer) { return row_of(buffer, row, arena, scratch); };
  const auto width = [&](int32_t buffer) { return compiled_.buffers[static_cast<size_t>(buffer)].width; };
  if (row_op.is_prepare) {
    return prepare_activation(row_op.form, session_.isa, at(op.input), width(op.input), reinterpret_cast<uint8_t*>(at(op.out)));
  }
  switch (op.kind) {
    case OpKind::embed: {
      float* out = at(op.out);
      const Token& token = tokens_[static_cast<size_t>(row)];
      weights_.embedding_row(op.weight, op.index == EmbedIndex::token ? token.id : op.index == EmbedIndex::position ? token.position : 0, out);
      if (op.scale != 1.0f) {
        for (int64_t i = 0; i < width(op.out); i++) out[i] *= op.scale;
      }
      return;
    }
    case OpKind::rms_norm:
      return ops_.rms_norm(at(op.input), weights_.vector(op.weight), op.weight_offset, op.eps, op.group_width, width(op.input) / op.group_width, at(op.out));
    case OpKind::rope: {
      const RopeCache& rope = ropes_[static_cast<size_t>(op.table)];
      const int32_t position = tokens_[static_cast<size_t>(row)].position;
      return ops_.rope(at(op.input), rope.cosines(position), rope.sines(position), op.num_heads, op.head_dim, rope.half());
    }
    case OpKind::kv_write: {
      const Token& token = tokens_[static_cast<size_t>(row)];
      const auto group = static_cast<size_t>(program_.kv_layers[static_cast<size_t>(op.layer)].group);
      const int32_t block = rows_[static_cast<size_t>(token.row)]->slot->tables[group][static_cast<size_t>(token.position / session_.block_size)];
      return ops_.kv_write(compiled_.kv_layouts[static_cast<size_t>(op.layer)], pool_.block(block), token.position % session_.block_size, at(op.input), at(op.input2));
    }
    case OpKind::gated_activation: return ops_.gated_activation(op.activation, at(op.input), at(op.input2), width(op.out), at(op.out));
    case OpKind::add: return ops_.add(at(op.input), at(op.input2), width(op.out), at(op.out));
    case OpKind::gather_outputs: {
      const int64_t token = output_token_[static_cast<size_t>(row)];
      std::memcpy(at(op.out), row_of(op.input, token, arena, scratch), static_cast<size_t>(width(op.out)) * 4);
      return;
    }
    case OpKind::layer_norm:
      return ops_.layer_norm(at(op.input), weights_.vector(op.weight), weights_.vector(op.bias), op.eps, width(op.input), at(op.out));
    case OpKind::activation: return ops_.activation(op.activation, at(op.input), width(op.out), at(op.out));
    case OpKind::pool: {
      const int64_t first = output_token_[static_cast<size_t>(row)];
      const int64_t count = rows_[static_cast<size_t>(tokens_[static_cast<size_t>(first)].row)]->num_tokens();
      const int64_t stride = compiled_.buffers[static_cast<size_t>(op.input)].row_bytes / 4;
      return ops_.pool(op.pooling, row_of(op.input, first, arena, scratch), stride, count, width(op.input), op.normalize, at(op.out));
    }
    case OpKind::softcap: return ops_.softcap(at(op.input), width(op.input), op.cap);
    case OpKind::linear:
    case OpKind::paged_attention:
    case OpKind::bidirectional_attention: return;  // phases of their own
  }
}

AttentionArgs ModelRunner::attention_args(const OpSpec& op, const AttentionPlan& plan, uint8_t* arena) const {
  AttentionArgs args;
  args.pool = pool_.data();
  args.layout = compiled_.kv_layouts[static_cast<size_t>(op.layer)];
  args.rows = attention_rows_[plan.group].data();
  args.num_rows = static_cast<int32_t>(attention_rows_[plan.group].size());
  args.num_heads = op.num_heads;
  args.scale = op.scale;
  args.softcap = op.cap;
  args.window = op.window;
  args.bidirectional = program_.is_encoder;
  args.query = rows_of(op.input, arena);
  args.query_stride = compiled_.buffers[static_cast<size_t>(op.input)].row_bytes / 4;
  args.out = rows_of(op.out, arena);
  args.out_stride = compiled_.buffers[static_cast<size_t>(op.out)].row_bytes / 4;
  args.workspace = attention_workspace_;
  args.workspace_pairs = plan.workspace.num_pairs();
  return args;
}

}  // namespace kvasir
