// The head leaves the maxima of the logits that it leaves, whatever rows, threads and order of pieces, a cap on the logits included.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "../session/cpu_features.h"
#include "../session/linear_phase.h"
#include "check.h"
#include "kvasir/fp_state.h"
#include "kvasir/thread_pool.h"
#include "linear_oracle.h"
#include "tiny_program.h"

namespace kvasir::test {
namespace {

const Buffer& buffer_of(const CompiledProgram& compiled, int32_t id) { return compiled.buffers[static_cast<size_t>(id)]; }

void check_rows(const CompiledProgram& compiled, int64_t rows, int64_t vocab, const uint8_t* arena, const char* what) {
  const Buffer& logits = buffer_of(compiled, compiled.logits);
  const Buffer& maxima = buffer_of(compiled, compiled.logit_maxima);
  for (int64_t row = 0; row < rows; row++) {
    const auto* x = reinterpret_cast<const float*>(arena + logits.offset + row * logits.row_bytes);
    const auto* most = reinterpret_cast<const float*>(arena + maxima.offset + row * maxima.row_bytes);
    for (int64_t tile = 0; tile < vocabulary_tiles(vocab); tile++) {
      const float* begin = x + tile * kVocabularyTile;
      const float expected = *std::max_element(begin, x + std::min(vocab, (tile + 1) * kVocabularyTile));
      CHECK_THAT(most[tile] == expected, "%s: maximum of tile %ld in row %ld of %ld is %g, expected %g", what, static_cast<long>(tile), static_cast<long>(row),
                 static_cast<long>(rows), static_cast<double>(most[tile]), static_cast<double>(expected));
    }
  }
}

void test_head(Random& random, Isa isa, const TinyHead& head) {
  const int threads = static_cast<int>(integer(random, 1, 5));
  const TinyProgram tiny(threads, static_cast<int>(isa), random(), head);
  const SessionSpec session = tiny.spec();
  const ProgramSpec& program = session.programs[0];
  CompiledProgram compiled = compile_program(program, session);
  const Phase& phase = compiled.phases.back();
  CHECK_THAT(phase.kind == PhaseKind::linear && compiled.logit_maxima >= 0 && phase.groups.size() == 1, "the head ends in %s", phase.label.c_str());
  CHECK_THAT((head.cap != 0) == (phase.label.find("+softcap") != std::string::npos), "a cap of %g belongs to %s", head.cap, phase.label.c_str());
  WeightStore weights(program, compiled);
  ThreadPool pool(1);
  weights.load(pool, {});

  const LinearGroup& group = phase.groups[0];
  const LinearCall& call = group.calls[0];
  const Buffer& activations = buffer_of(compiled, call.activations);
  const PageArena arena(compiled.arena_bytes, "activations and logits"), local(std::max<int64_t>(compiled.local_bytes, 64), "local buffers");
  const int64_t rows = integer(random, 1, kMaxOutputs);
  const ActivationForm form = compiled.linears[static_cast<size_t>(call.linear)].packed->activation_form();
  for (int64_t row = 0; row < rows; row++) {
    std::vector<float> x(kHidden);
    for (float& value : x) value = static_cast<float>(uniform(random, -3, 3));
    prepare_activation(form, isa, x.data(), kHidden, arena.data() + activations.offset + row * activations.row_bytes);
  }
  std::vector<PanelPiece> pieces = split_panels(phase.groups, threads);
  std::shuffle(pieces.begin(), pieces.end(), random);
  const LinearPhaseRun run{compiled, weights, op_kernels(isa), isa, rows, arena.data(), local.data()};
  for (const PanelPiece& piece : pieces) run_panel_piece(run, phase.groups, piece);
  check_rows(compiled, rows, head.vocab, arena.data(), head.cap == 0 ? "plain" : "capped");
  if (head.cap == 0) return;
  const Buffer& logits = buffer_of(compiled, compiled.logits);
  for (int64_t i = 0; i < rows * head.vocab; i++) {
    const float logit = reinterpret_cast<const float*>(arena.data() + logits.offset + i / head.vocab * logits.row_bytes)[i % head.vocab];
    CHECK_THAT(std::fabs(logit) <= head.cap, "logit %g over the cap", static_cast<double>(logit));
  }
}

}  // namespace
}  // namespace kvasir::test

int main() {
  using namespace kvasir;
  using namespace kvasir::test;
  set_compute_fp_state();
  Random random(run_seed());
  for (const Isa isa : detect_cpu().paths) {
    for (int round = 0; round < 12; round++) test_head(random, isa, {static_cast<int>(integer(random, 1, round < 6 ? 200 : 5000)), round % 2 == 0 ? 0 : 0.5});
  }
  return finish("session_head_test");
}
