#include "panel_split.h"

#include <algorithm>

namespace kvasir {
namespace {

// Part of a phase that the first piece of each thread takes together: what is left evens out that threads do not run alike.
constexpr double kFirstRound = 0.75;
// A longer piece would make the others wait long when its thread loses its core.
constexpr double kLongestBytes = 1 << 20;
constexpr int64_t kHalfStrip = kStripPanels / 2;

}  // namespace

std::vector<PanelPiece> split_panels(const std::vector<LinearGroup>& groups, int num_threads) {
  double bytes_left = 0;
  for (const LinearGroup& group : groups) bytes_left += static_cast<double>(group.num_panels * group.bytes_per_panel);
  std::vector<PanelPiece> pieces;
  double target = num_threads == 1 ? bytes_left : bytes_left * kFirstRound / num_threads;
  double open = 0;  // bytes that the last piece still wants
  for (size_t g = 0; g < groups.size(); g++) {
    const LinearGroup& group = groups[g];
    const auto panel_bytes = static_cast<double>(group.bytes_per_panel);
    const int64_t least = group.maxima < 0 ? kHalfStrip : kStripPanels;
    for (int64_t begin = 0; begin < group.num_panels;) {
      if (open < static_cast<double>(least) * panel_bytes) {
        // After a round of all threads, half of what is left is shared out again.
        if (!pieces.empty() && pieces.size() % static_cast<size_t>(num_threads) == 0) target = bytes_left / (2 * num_threads);
        pieces.emplace_back();
        open = std::min(target, kLongestBytes);
      }
      const auto wanted = static_cast<int64_t>(open / panel_bytes);
      const int64_t border = wanted < kStripPanels ? begin + least : (begin + wanted) / kStripPanels * kStripPanels;
      const int64_t end = std::min(group.num_panels, border);
      pieces.back().push_back({static_cast<int32_t>(g), begin, end});
      const double bytes = static_cast<double>(end - begin) * panel_bytes;
      bytes_left -= bytes;
      open -= bytes;
      begin = end;
    }
  }
  return pieces;
}

}  // namespace kvasir
