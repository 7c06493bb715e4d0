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

// What a thread takes at once: ranges that follow each other in memory, or in the next group.
using PanelPiece = std::vector<PanelRange>;

// Long pieces first, one for each thread, so that each streams memory; ever shorter ones after them, so that threads end together. Ranges
// are whole strips but for the last pieces, which may be half strips unless the group leaves the maximum of each strip.
std::vector<PanelPiece> split_panels(const std::vector<LinearGroup>& groups, int num_threads);

}  // namespace kvasir
