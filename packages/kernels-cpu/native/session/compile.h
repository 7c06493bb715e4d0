// A Program compiled to phases. A phase is one parallel piece of work between two barriers:
//
//   rows       a chain of ops that work on one row each (norm, rope, KV write, add, prepare); threads share the rows
//   linear     linears whose inputs are prepared, and what follows them column by column (bias, gate, residual, softcap, preparing the next input);
//              threads share the panels
//   attention  items of one layer; threads take them as they come
//
// Ops join the phase before them as long as nothing of another row or column is needed; a linear also joins an earlier linear phase
// that its input was ready for (query, key and value, with norms in between). Which thread computes a row, a panel
// or an item changes no bit, so fusing and splitting are free choices.
//
// Values become buffers: one a write (a value that is written twice has two). A buffer whose whole life lies in one rows phase
// is local: one row in the scratch of each thread. One whose whole life lies in one linear phase is a strip: some rows of the columns of
// one strip of panels, in the scratch of each thread. The others share one arena, placed by the phases they live in.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../linear/layout.h"
#include "program.h"

namespace kvasir {

struct Buffer {
  Rows rows = Rows::tokens;
  int64_t width = 0;       // floats, or bytes of a prepared row
  int64_t row_bytes = 0;   // a multiple of 64
  int32_t first_phase = -1;
  int32_t last_phase = -1;
  int32_t written_in = -1; // last phase that writes it
  bool local = false;      // offset counts within the scratch of a thread, and there is one row
  bool strip = false;      // the same, and there are kStripRows rows of kStripColumns
  int64_t offset = 0;
};

constexpr int64_t kStripColumns = kPanelWidth * kStripPanels;
static_assert(kStripColumns == kVocabularyTile, "a strip of the head leaves the maximum of one tile");
// Rows of a strip that go through a linear and its epilogue at once: a multiple of the rows of every tile.
constexpr int64_t kStripRows = 192;

// A linear of the program; one a weight, however often it is used.
struct PlannedLinear {
  int32_t weight = -1;
  std::unique_ptr<PackedLinear> packed;
  int64_t offset = 0;  // in the packed arena
};

// Also the epilogue of linears, where it works on columns of all rows.
struct RowOp {
  OpSpec op;  // input, input2 and out are buffers
  bool is_prepare = false;
  ActivationForm form = ActivationForm::f32;
};

struct LinearCall {
  int32_t linear = -1;
  int32_t activations = -1;  // buffer
  int32_t out = -1;
  int32_t bias = -1;
};

// Linears with the same outputs, split alike, and the ops on their columns.
struct LinearGroup {
  int64_t n = 0;
  int64_t num_panels = 0;
  int64_t bytes_per_panel = 0;
  std::vector<LinearCall> calls;
  std::vector<RowOp> epilogue;
  int32_t logits = -1;  // buffer of this group whose maxima a strip leaves in `maxima`, after the epilogue; -1: none
  int32_t maxima = -1;
};

enum class PhaseKind : int32_t { rows = 0, linear, attention };

struct Phase {
  PhaseKind kind = PhaseKind::rows;
  Rows rows = Rows::tokens;
  std::string label;
  std::vector<RowOp> row_ops;
  std::vector<LinearGroup> groups;
  OpSpec attention;
};

struct CompiledProgram {
  std::vector<Phase> phases;
  std::vector<Buffer> buffers;
  std::vector<PlannedLinear> linears;
  std::vector<KvLayout> kv_layouts;       // one a KV layer
  std::vector<int64_t> group_block_bytes; // before padding to the session's block
  std::vector<bool> is_embedding;         // weights read row by row from the file
  std::vector<bool> is_vector;            // weights decoded to float32
  int32_t logits = -1;
  int32_t logit_maxima = -1;              // of the tiles of each row; -1 when no linear phase ends the logits
  int64_t arena_bytes = 0;
  int64_t local_bytes = 0;                // of each thread
  int64_t packed_bytes = 0;
  int64_t vector_bytes = 0;
};

constexpr int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

CompiledProgram compile_program(const ProgramSpec& program, const SessionSpec& session);

}  // namespace kvasir
