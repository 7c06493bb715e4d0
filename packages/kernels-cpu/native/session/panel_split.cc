#include "panel_split.h"

#include <algorithm>

namespace kvasir {
namespace {

constexpr int64_t kStripPanels = 4;
// Bounds of a streaming range: taking a shorter one costs as much as reading it; a longer one would make the others wait long
// when its thread loses its core.
constexpr int64_t kShortestBytes = int64_t{8} << 10;
constexpr int64_t kLongestBytes = int64_t{512} << 10;

}  // namespace

PanelSplit split_panels(const std::vector<LinearGroup>& groups, int num_threads) {
  PanelSplit split;
  int64_t bytes_left = 0;
  for (const LinearGroup& group : groups) bytes_left += group.num_panels * group.bytes_per_panel;
  int taken = 0;
  int64_t target = bytes_left / (2 * num_threads);
  for (size_t g = 0; g < groups.size(); g++) {
    const LinearGroup& group = groups[g];
    const auto index = static_cast<int32_t>(g);
    for (int64_t begin = 0; begin < group.num_panels; begin += kStripPanels) {
      split.strips.push_back({index, begin, std::min(group.num_panels, begin + kStripPanels)});
    }
    for (int64_t begin = 0; begin < group.num_panels;) {
      const int64_t bytes = num_threads == 1 ? bytes_left : std::clamp(target, kShortestBytes, kLongestBytes);
      const int64_t end = std::min(group.num_panels, begin + std::max<int64_t>(1, bytes / group.bytes_per_panel));
      split.streaming.push_back({index, begin, end});
      bytes_left -= (end - begin) * group.bytes_per_panel;
      begin = end;
      // After a round of all threads, half of what is left is shared out again.
      if (++taken % num_threads == 0) target = bytes_left / (2 * num_threads);
    }
  }
  return split;
}

}  // namespace kvasir
