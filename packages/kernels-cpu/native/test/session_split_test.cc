// Pieces of a linear phase cover every panel of every group once, in whole strips or halves of one, long pieces first.
#include "../session/panel_split.h"

#include "check.h"
#include "linear_oracle.h"

namespace kvasir::test {
namespace {

void check_split(Random& random) {
  std::vector<LinearGroup> groups(static_cast<size_t>(integer(random, 1, 4)));
  for (LinearGroup& group : groups) {
    group.num_panels = integer(random, 1, integer(random, 0, 9) == 0 ? 5000 : 60);
    group.bytes_per_panel = integer(random, 16, 40000);
    group.maxima = integer(random, 0, 3) == 0 ? 0 : -1;
  }
  const auto threads = static_cast<int>(integer(random, 1, 9));
  size_t group = 0;
  int64_t next = 0;
  for (const PanelPiece& piece : split_panels(groups, threads)) {
    CHECK_THAT(!piece.empty(), "an empty piece");
    for (const PanelRange& range : piece) {
      if (next == groups[group].num_panels) {
        group++;
        next = 0;
      }
      CHECK_THAT(range.group == static_cast<int32_t>(group) && range.begin == next && range.end > next && range.end <= groups[group].num_panels,
                 "panels [%ld, %ld) of group %d, expected %ld of group %zu", static_cast<long>(range.begin), static_cast<long>(range.end), range.group,
                 static_cast<long>(next), group);
      // Groups of 32 columns are prepared whole: borders are even panels.
      CHECK_THAT(range.begin % 2 == 0 && (range.end % 2 == 0 || range.end == groups[group].num_panels), "an odd border at %ld", static_cast<long>(range.end));
      const bool is_whole = range.begin % kStripPanels == 0 && (range.end % kStripPanels == 0 || range.end == groups[group].num_panels);
      CHECK_THAT(groups[group].maxima < 0 || is_whole, "a strip that leaves maxima is cut at %ld", static_cast<long>(range.end));
      next = range.end;
    }
  }
  CHECK_THAT(group + 1 == groups.size() && next == groups[group].num_panels, "panels are left over");
}

}  // namespace
}  // namespace kvasir::test

int main() {
  using namespace kvasir::test;
  Random random(run_seed());
  for (int round = 0; round < 500; round++) check_split(random);
  return finish("session_split_test");
}
