#include "place_buffers.h"

#include <algorithm>
#include <vector>

namespace kvasir {
namespace {

bool live_together(const Buffer& a, const Buffer& b) { return a.first_phase <= b.last_phase && b.first_phase <= a.last_phase; }

struct Placed {
  int64_t begin, end;
  const Buffer* buffer;
};

// Lowest offset at which `size` bytes overlap nothing that lives at the same time.
int64_t first_fit(std::vector<Placed>& placed, const Buffer& buffer, int64_t size) {
  int64_t offset = 0;
  for (const Placed& other : placed) {  // by begin
    if (!live_together(*other.buffer, buffer) || other.end <= offset) continue;
    if (other.begin >= offset + size) break;
    offset = other.end;
  }
  const Placed entry{offset, offset + size, &buffer};
  placed.insert(std::upper_bound(placed.begin(), placed.end(), entry, [](const Placed& a, const Placed& b) { return a.begin < b.begin; }), entry);
  return offset;
}

}  // namespace

void place_buffers(CompiledProgram& program, int64_t max_tokens, int64_t max_outputs) {
  std::vector<Buffer*> order;
  std::vector<Placed> locals;
  for (size_t id = 0; id < program.buffers.size(); id++) {
    Buffer& buffer = program.buffers[id];
    if (buffer.first_phase < 0) continue;
    const bool is_result = static_cast<int32_t>(id) == program.logits || static_cast<int32_t>(id) == program.logit_maxima;
    const bool is_short = buffer.first_phase == buffer.last_phase && !is_result;
    const PhaseKind kind = program.phases[static_cast<size_t>(buffer.first_phase)].kind;
    buffer.local = is_short && kind == PhaseKind::rows;
    buffer.strip = is_short && kind == PhaseKind::linear;
    if (buffer.local || buffer.strip) {
      const int64_t size = buffer.local ? buffer.row_bytes : kStripRows * kStripColumns * 4;
      buffer.offset = first_fit(locals, buffer, size);
      program.local_bytes = std::max(program.local_bytes, buffer.offset + size);
    } else {
      // Results are read after the last phase.
      if (is_result) buffer.last_phase = static_cast<int32_t>(program.phases.size());
      order.push_back(&buffer);
    }
  }
  const auto bytes = [&](const Buffer& buffer) { return buffer.row_bytes * (buffer.rows == Rows::tokens ? max_tokens : max_outputs); };
  std::stable_sort(order.begin(), order.end(), [&](const Buffer* a, const Buffer* b) { return bytes(*a) > bytes(*b); });
  std::vector<Placed> placed;
  for (Buffer* buffer : order) {
    buffer->offset = first_fit(placed, *buffer, bytes(*buffer));
    program.arena_bytes = std::max(program.arena_bytes, buffer->offset + bytes(*buffer));
  }
}

}  // namespace kvasir
