#include "compile.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "kvasir/check.h"
#include "place_buffers.h"

namespace kvasir {
namespace {

class Compiler {
 public:
  Compiler(const ProgramSpec& program, const SessionSpec& session) : program_(program), session_(session) {
    current_.assign(program.values.size(), -1);
    linear_of_weight_.assign(program.weights.size(), -1);
    out_.is_embedding.assign(program.weights.size(), false);
    out_.is_vector.assign(program.weights.size(), false);
  }

  CompiledProgram compile() {
    for (const OpSpec& op : program_.ops) add_op(op);
    out_.logits = current_[static_cast<size_t>(program_.logits)];
    add_logit_maxima();
    lay_out_kv();
    place_buffers(out_, session_.max_tokens, session_.max_outputs);
    return std::move(out_);
  }

 private:
  void add_op(const OpSpec& spec) {
    OpSpec op = spec;
    if (op.input >= 0) op.input = current_[static_cast<size_t>(spec.input)];
    if (op.input2 >= 0) op.input2 = current_[static_cast<size_t>(spec.input2)];
    if (op.kind == OpKind::linear) return add_linear(op, spec.out);
    if (op.kind == OpKind::bidirectional_attention) write_keys(op, spec);
    if (op.kind == OpKind::paged_attention || op.kind == OpKind::bidirectional_attention) return add_attention(op, spec.out);
    const int32_t group = epilogue_group(op);
    if (op.kind == OpKind::embed) out_.is_embedding[static_cast<size_t>(op.weight)] = true;
    if (op.kind == OpKind::rms_norm || op.kind == OpKind::layer_norm) use_vector(op.weight);
    if (op.kind == OpKind::layer_norm) use_vector(op.bias);
    if (op.kind == OpKind::rope || op.kind == OpKind::softcap) forget_prepared(op.input);
    if (spec.out >= 0) op.out = new_value(spec.out);
    if (group >= 0) {
      LinearGroup& target = out_.phases.back().groups[static_cast<size_t>(group)];
      target.epilogue.push_back({op, false, ActivationForm::f32});
      if (op.out >= 0) produced_by_[op.out] = group;
      out_.phases.back().label += std::string("+") + op_kind_name(op.kind);
    } else {
      const Rows rows = out_.buffers[static_cast<size_t>(op.out >= 0 ? op.out : op.input)].rows;
      Phase& phase = rows_phase(rows, op);
      phase.row_ops.push_back({op, false, ActivationForm::f32});
      phase.label += std::string(phase.label.empty() ? "" : "+") + op_kind_name(op.kind);
    }
    touch(op.input);
    touch(op.input2);
    touch(op.out);
    written(op.kind == OpKind::rope || op.kind == OpKind::softcap ? op.input : op.out);
  }

  // Group of the current linear phase whose columns hold everything that `op` reads of this phase; -1 when there is none.
  int32_t epilogue_group(const OpSpec& op) {
    const bool is_by_column = op.kind == OpKind::gated_activation || op.kind == OpKind::activation || op.kind == OpKind::add || op.kind == OpKind::softcap;
    if (!is_by_column) return -1;
    if (out_.phases.empty() || out_.phases.back().kind != PhaseKind::linear) return -1;
    Phase& phase = out_.phases.back();
    if (phase.rows != out_.buffers[static_cast<size_t>(op.input)].rows) return -1;
    const auto none = produced_by_.end();
    const auto a = produced_by_.find(op.input), b = op.input2 < 0 ? none : produced_by_.find(op.input2);
    if (a == none && b == none) return -1;
    if (a == none || b == none || a->second == b->second) return (a == none ? b : a)->second;
    const int32_t keep = std::min(a->second, b->second), drop = std::max(a->second, b->second);
    LinearGroup& into = phase.groups[static_cast<size_t>(keep)];
    LinearGroup& from = phase.groups[static_cast<size_t>(drop)];
    if (into.n != from.n) return -1;
    into.bytes_per_panel += from.bytes_per_panel;
    into.calls.insert(into.calls.end(), from.calls.begin(), from.calls.end());
    into.epilogue.insert(into.epilogue.end(), from.epilogue.begin(), from.epilogue.end());
    phase.groups.erase(phase.groups.begin() + drop);
    for (auto& [buffer, group] : produced_by_) {
      if (group == drop) group = keep;
      else if (group > drop) group--;
    }
    return keep;
  }

  void add_linear(const OpSpec& op, int32_t out_value) {
    const int32_t linear = linear_of(op.weight);
    const PackedLinear& packed = *out_.linears[static_cast<size_t>(linear)].packed;
    const Rows rows = out_.buffers[static_cast<size_t>(op.input)].rows;
    if (op.bias >= 0) use_vector(op.bias);
    const int32_t activations = prepared(op.input, packed.activation_form());
    int32_t target = linear_phase_for(activations, rows);
    if (target < 0) {
      new_phase(PhaseKind::linear, rows);
      target = last_phase();
    }
    Phase& phase = out_.phases[static_cast<size_t>(target)];
    LinearGroup group;
    group.n = packed.shape().n;
    group.num_panels = packed.num_panels();
    group.bytes_per_panel = static_cast<int64_t>(packed.packed_bytes()) / group.num_panels;
    const int32_t out = new_value(out_value);
    group.calls.push_back({linear, activations, out, op.bias});
    if (target == last_phase()) produced_by_[out] = static_cast<int32_t>(phase.groups.size());
    phase.groups.push_back(std::move(group));
    phase.label += (phase.label.empty() ? "linear " : ", ") + kind_of_weight(op.weight);
    touch(activations, target);
    touch(out, target);
    written(out, target);
  }

  // The latest linear phase on such rows that begins after `activations` are ready; -1 when there is none.
  int32_t linear_phase_for(int32_t activations, Rows rows) const {
    for (int32_t i = last_phase(); i > out_.buffers[static_cast<size_t>(activations)].written_in; i--) {
      const Phase& phase = out_.phases[static_cast<size_t>(i)];
      if (phase.kind == PhaseKind::linear && phase.rows == rows) return i;
    }
    return -1;
  }

  // Keys and values of a bidirectional attention go through a cache, so that they lie as the kernel reads them.
  void write_keys(OpSpec& op, const OpSpec& spec) {
    OpSpec write;
    write.kind = OpKind::kv_write;
    write.input = spec.input2;
    write.input2 = spec.input3;
    write.layer = spec.layer;
    add_op(write);
    op.input2 = -1;
  }

  void add_attention(OpSpec op, int32_t out_value) {
    Phase& phase = new_phase(PhaseKind::attention, Rows::tokens);
    op.out = new_value(out_value);
    phase.attention = op;
    phase.label = "attention";
    touch(op.input);
    touch(op.out);
    written(op.out);
  }

  // Name of a weight without its layer, for labels: `blk.3.attn_q.weight` and `blk.4.attn_q.weight` share a line.
  std::string kind_of_weight(int32_t weight) const {
    std::string name;
    for (const char c : program_.weights[static_cast<size_t>(weight)].name) {
      if (c >= '0' && c <= '9') {
        if (name.empty() || name.back() != '*') name += '*';
      } else {
        name += c;
      }
    }
    return name;
  }

  int32_t linear_of(int32_t weight) {
    int32_t& index = linear_of_weight_[static_cast<size_t>(weight)];
    if (index >= 0) return index;
    const WeightSpec& spec = program_.weights[static_cast<size_t>(weight)];
    PlannedLinear linear;
    linear.weight = weight;
    linear.packed = PackedLinear::plan({spec.rows(), spec.columns(), spec.encoding}, session_.mode, session_.isa, session_.has_bf16);
    linear.offset = out_.packed_bytes;
    out_.packed_bytes += round_up(static_cast<int64_t>(linear.packed->packed_bytes()), 4096);
    index = static_cast<int32_t>(out_.linears.size());
    out_.linears.push_back(std::move(linear));
    return index;
  }

  void use_vector(int32_t weight) {
    const auto at = static_cast<size_t>(weight);
    if (out_.is_vector[at]) return;
    out_.is_vector[at] = true;
    out_.vector_bytes += round_up(program_.weights[at].columns() * 4, 64);
  }

  // Buffer that holds the rows of `value` in `form`; adds the op that prepares them where it is not done yet.
  int32_t prepared(int32_t value, ActivationForm form) {
    const Buffer source = out_.buffers[static_cast<size_t>(value)];
    const auto row_bytes = static_cast<int64_t>(activation_row_bytes(form, source.width));
    // Rows of float32 buffers lie as a linear wants them.
    if (form == ActivationForm::f32 && row_bytes == source.row_bytes) return value;
    const auto key = std::make_pair(value, form);
    if (const auto found = prepared_.find(key); found != prepared_.end()) return found->second;
    Buffer buffer;
    buffer.rows = source.rows;
    buffer.width = row_bytes;
    buffer.row_bytes = row_bytes;
    const int32_t out = new_buffer(buffer);
    OpSpec op;
    op.input = value;
    op.out = out;
    // Groups of columns lie within strips: what a linear phase has made can be prepared there.
    const auto producer = produced_by_.find(value);
    const bool in_epilogue = producer != produced_by_.end() && out_.phases.back().rows == source.rows;
    Phase& phase = in_epilogue ? out_.phases.back() : rows_phase(source.rows, op);
    (in_epilogue ? phase.groups[static_cast<size_t>(producer->second)].epilogue : phase.row_ops).push_back({op, true, form});
    phase.label += phase.label.empty() ? "prepare" : "+prepare";
    touch(value);
    touch(out);
    written(out);
    prepared_[key] = out;
    return out;
  }

  void forget_prepared(int32_t value) {
    for (auto it = prepared_.begin(); it != prepared_.end();) it = it->first.first == value ? prepared_.erase(it) : std::next(it);
  }

  // The current phase if it works on such rows; outputs are other rows than tokens, so a gather begins a phase of its own.
  Phase& rows_phase(Rows rows, const OpSpec& op) {
    const bool gathers = op.kind == OpKind::gather_outputs;
    if (!out_.phases.empty() && out_.phases.back().kind == PhaseKind::rows && out_.phases.back().rows == rows && !gathers) {
      return out_.phases.back();
    }
    return new_phase(PhaseKind::rows, rows);
  }

  Phase& new_phase(PhaseKind kind, Rows rows) {
    produced_by_.clear();
    Phase phase;
    phase.kind = kind;
    phase.rows = rows;
    out_.phases.push_back(std::move(phase));
    return out_.phases.back();
  }

  int32_t new_value(int32_t value) {
    const ValueSpec& spec = program_.values[static_cast<size_t>(value)];
    Buffer buffer;
    buffer.rows = spec.rows;
    buffer.width = spec.width;
    buffer.row_bytes = round_up(spec.width * 4, 64);
    return current_[static_cast<size_t>(value)] = new_buffer(buffer);
  }

  int32_t new_buffer(const Buffer& buffer) {
    out_.buffers.push_back(buffer);
    return static_cast<int32_t>(out_.buffers.size()) - 1;
  }

  int32_t last_phase() const { return static_cast<int32_t>(out_.phases.size()) - 1; }

  // Phase `phase` (the last one, unless it is named) writes or reads `id`.
  void touch(int32_t id) { touch(id, last_phase()); }
  void touch(int32_t id, int32_t phase) {
    if (id < 0) return;
    Buffer& buffer = out_.buffers[static_cast<size_t>(id)];
    if (buffer.first_phase < 0) buffer.first_phase = phase;
    buffer.last_phase = std::max(buffer.last_phase, phase);
  }
  void written(int32_t id) { written(id, last_phase()); }
  void written(int32_t id, int32_t phase) {
    if (id >= 0) out_.buffers[static_cast<size_t>(id)].written_in = phase;
  }

  // Sampling wants the maxima of the tiles of the logits: a linear phase that writes them last leaves those as well.
  void add_logit_maxima() {
    const Buffer logits = out_.buffers[static_cast<size_t>(out_.logits)];
    for (LinearGroup& group : out_.phases[static_cast<size_t>(logits.written_in)].groups) {
      const auto is_call = [&](const LinearCall& call) { return call.out == out_.logits; };
      const auto is_op = [&](const RowOp& op) { return op.op.out == out_.logits; };
      if (std::none_of(group.calls.begin(), group.calls.end(), is_call) && std::none_of(group.epilogue.begin(), group.epilogue.end(), is_op)) continue;
      Buffer maxima;
      maxima.rows = logits.rows;
      maxima.width = vocabulary_tiles(logits.width);
      maxima.row_bytes = round_up(maxima.width * 4, 64);
      group.logits = out_.logits;
      group.maxima = out_.logit_maxima = new_buffer(maxima);
      touch(group.maxima, logits.written_in);
      written(group.maxima, logits.written_in);
    }
  }

  void lay_out_kv() {
    out_.kv_layouts.resize(program_.kv_layers.size());
    for (const KvGroupSpec& group : program_.kv_groups) {
      int64_t offset = 0;
      for (const int32_t index : group.layers) {
        const KvLayerSpec& layer = program_.kv_layers[static_cast<size_t>(index)];
        KvLayout layout{session_.kv_dtype, layer.num_kv_heads, layer.head_dim, session_.block_size, offset, 0};
        offset += round_up(layout.layer_bytes(), 64);
        out_.kv_layouts[static_cast<size_t>(index)] = layout;
      }
      out_.group_block_bytes.push_back(offset);
    }
  }

  const ProgramSpec& program_;
  const SessionSpec& session_;
  CompiledProgram out_;
  std::vector<int32_t> current_;  // buffer that holds each value now
  std::vector<int32_t> linear_of_weight_;
  std::map<std::pair<int32_t, ActivationForm>, int32_t> prepared_;
  std::map<int32_t, int32_t> produced_by_;  // buffers that the current linear phase writes -> group
};

}  // namespace

CompiledProgram compile_program(const ProgramSpec& program, const SessionSpec& session) { return Compiler(program, session).compile(); }

}  // namespace kvasir
