// One piece of a linear phase: strip by strip, the linears of a group and what follows them column by column, while the strip is near.
#pragma once
#include <cstdint>
#include <vector>

#include "../ops/ops.h"
#include "compile.h"
#include "panel_split.h"
#include "weight_store.h"

namespace kvasir {

struct LinearPhaseRun {
  const CompiledProgram& compiled;
  const WeightStore& weights;
  const OpKernels& ops;
  Isa isa;
  int64_t rows;
  uint8_t* arena;
  uint8_t* local;  // of this thread
};

void run_panel_piece(const LinearPhaseRun& run, const std::vector<LinearGroup>& groups, const PanelPiece& piece);

}  // namespace kvasir
