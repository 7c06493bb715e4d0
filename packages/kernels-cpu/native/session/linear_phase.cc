#include "linear_phase.h"

#include <algorithm>

#include "../linear/layout.h"

namespace kvasir {
namespace {

// Columns [column, column + count) of rows [row, row + rows): panels [begin, end) of one strip.
struct Block {
  int64_t row, rows;
  int64_t begin, end;
  int64_t column, count;
};

class StripRun {
 public:
  StripRun(const LinearPhaseRun& run, const LinearGroup& group) : run_(run), group_(group) {}

  // `next` is the weight that this thread reads after these strips, or null.
  void run(int64_t begin, int64_t end, const uint8_t* next) const {
    for (int64_t panel = begin; panel < end;) {
      const int64_t until = std::min(end, (panel / kStripPanels + 1) * kStripPanels);
      const uint8_t* after = until < end ? packed(group_.calls.front()).panel_data(until) : next;
      const int64_t column = panel * kPanelWidth;
      const int64_t count = std::min(group_.n, until * kPanelWidth) - column;
      for (int64_t row = 0; row < run_.rows; row += kStripRows) {
        const int64_t rows = std::min(kStripRows, run_.rows - row);
        const bool is_last = row + rows == run_.rows;
        linears({row, rows, panel, until, column, count}, is_last ? after : nullptr);
        epilogue({row, rows, panel, until, column, count});
        if (group_.maxima >= 0) leave_maxima({row, rows, panel, until, column, count});
      }
      panel = until;
    }
  }

 private:
  const PackedLinear& packed(const LinearCall& call) const { return *run_.compiled.linears[static_cast<size_t>(call.linear)].packed; }
  const Buffer& buffer(int32_t id) const { return run_.compiled.buffers[static_cast<size_t>(id)]; }

  int64_t stride(int32_t id) const { return buffer(id).strip ? kStripColumns * 4 : buffer(id).row_bytes; }
  // Row `row` of the block in buffer `id`; column `column` of the matrix begins `offset` bytes into a row of the arena.
  uint8_t* at(int32_t id, const Block& block, int64_t row, int64_t offset) const {
    const Buffer& b = buffer(id);
    if (b.strip) return run_.local + b.offset + row * stride(id);
    return run_.arena + b.offset + (block.row + row) * b.row_bytes + offset;
  }
  float* values(int32_t id, const Block& block, int64_t row) const { return reinterpret_cast<float*>(at(id, block, row, block.column * 4)); }

  void linears(const Block& block, const uint8_t* next) const {
    for (size_t i = 0; i < group_.calls.size(); i++) {
      const LinearCall& call = group_.calls[i];
      const uint8_t* after = i + 1 < group_.calls.size() ? packed(group_.calls[i + 1]).panel_data(block.begin) : next;
      packed(call).forward_strip(at(call.activations, block, 0, 0), block.rows, values(call.out, block, 0), stride(call.out) / 4, block.begin, block.end, after);
      if (call.bias < 0) continue;
      const float* bias = run_.weights.vector(call.bias) + block.column;
      for (int64_t row = 0; row < block.rows; row++) run_.ops.add(values(call.out, block, row), bias, block.count, values(call.out, block, row));
    }
  }

  void epilogue(const Block& block) const {
    for (const RowOp& row_op : group_.epilogue) {
      const OpSpec& op = row_op.op;
      for (int64_t row = 0; row < block.rows; row++) {
        if (row_op.is_prepare) {
          const auto offset = static_cast<int64_t>(activation_offset(row_op.form, block.column));
          prepare_activation(row_op.form, run_.isa, values(op.input, block, row), block.count, at(op.out, block, row, offset));
        } else if (op.kind == OpKind::softcap) {
          run_.ops.softcap(values(op.input, block, row), block.count, op.cap);
        } else if (op.kind == OpKind::activation) {
          run_.ops.activation(op.activation, values(op.input, block, row), block.count, values(op.out, block, row));
        } else if (op.kind == OpKind::add) {
          run_.ops.add(values(op.input, block, row), values(op.input2, block, row), block.count, values(op.out, block, row));
        } else {
          run_.ops.gated_activation(op.activation, values(op.input, block, row), values(op.input2, block, row), block.count, values(op.out, block, row));
        }
      }
    }
  }

  // The block is one tile of the vocabulary: see split_panels().
  void leave_maxima(const Block& block) const {
    for (int64_t row = 0; row < block.rows; row++) {
      auto* maximum = reinterpret_cast<float*>(at(group_.maxima, block, row, block.column / kVocabularyTile * 4));
      run_.ops.tile_maxima(values(group_.logits, block, row), block.count, maximum);
    }
  }

  const LinearPhaseRun& run_;
  const LinearGroup& group_;
};

}  // namespace

void run_panel_piece(const LinearPhaseRun& run, const std::vector<LinearGroup>& groups, const PanelPiece& piece) {
  for (size_t i = 0; i < piece.size(); i++) {
    const PanelRange& range = piece[i];
    const uint8_t* next = nullptr;
    if (i + 1 < piece.size()) {
      const LinearCall& call = groups[static_cast<size_t>(piece[i + 1].group)].calls.front();
      next = run.compiled.linears[static_cast<size_t>(call.linear)].packed->panel_data(piece[i + 1].begin);
    }
    StripRun(run, groups[static_cast<size_t>(range.group)]).run(range.begin, range.end, next);
  }
}

}  // namespace kvasir
