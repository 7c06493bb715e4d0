// How threads share the panels of a linear phase.
#pragma once
#include <cstdint>
#include <vector>

#include "compile.h"

namespace kvasir {

// Panels [begin, end) of one group.
struct PanelRange {
  int32_t group;
  int64_t begin, end;
};

struct PanelSplit {
  // A few rows: long ranges first, so that each thread streams memory, short ones last, so that threads end together.
  std::vector<PanelRange> streaming;
  // Many rows: strips, each a good piece of work by itself.
  std::vector<PanelRange> strips;
};

PanelSplit split_panels(const std::vector<LinearGroup>& groups, int num_threads);

}  // namespace kvasir
