// Two compute threads on one CPU part when another is idle, and only then; their affinity masks stay as they were.
#include "../session/thread_spread.h"

#include <cstdio>
#include <string>
#include <thread>

#include "check.h"

#if defined(__linux__)
#include <sched.h>
#include <unistd.h>

namespace kvasir::test {
namespace {

cpu_set_t mask_of_thread() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  sched_getaffinity(0, sizeof mask, &mask);
  return mask;
}

void go_to(int cpu, const cpu_set_t& allowed) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  sched_setaffinity(0, sizeof only, &only);
  sched_setaffinity(0, sizeof allowed, &allowed);
}

struct LoadFile {
  explicit LoadFile(const std::string& text) {
    std::snprintf(path, sizeof path, "%s/kvasir-load-XXXXXX", std::getenv("TMPDIR") == nullptr ? "/tmp" : std::getenv("TMPDIR"));
    const int file = mkstemp(path);
    CHECK_THAT(file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()), "no scratch file");
    close(file);
  }
  ~LoadFile() { unlink(path); }
  char path[256];
};

// Moves of thread 1 when it arrives on the CPU of thread 0.
int64_t moves_with(const char* load, int num_threads, bool leave_first) {
  const LoadFile file(load);
  const cpu_set_t allowed = mask_of_thread();
  int cpu = 0;
  while (!CPU_ISSET(cpu, &allowed)) cpu++;
  ThreadSpread spread(num_threads, file.path);
  bool same_mask = false, moved = false;
  int64_t moves = 0;
  // The system may move either in between, so the two arrive in turn on one thread that goes to the CPU before each.
  std::thread([&] {
    for (int attempt = 0; attempt < 20; attempt++) {
      go_to(cpu, allowed);
      spread.arrive(0);
      if (leave_first) spread.leave(0);
      go_to(cpu, allowed);
      const int64_t before = spread.num_moves();
      spread.arrive(1);
      moved |= spread.num_moves() > before;
      const cpu_set_t after = mask_of_thread();
      same_mask = CPU_EQUAL(&after, &allowed) != 0;
      spread.leave(0);
      spread.leave(1);
      usleep(300);
    }
    moves = spread.num_moves();
  }).join();
  CHECK_THAT(same_mask, "the affinity mask changed");
  CHECK_THAT(moved == (moves > 0), "%ld moves", static_cast<long>(moves));
  return moves;
}

}  // namespace
}  // namespace kvasir::test

int main() {
  using namespace kvasir::test;
  const cpu_set_t allowed = mask_of_thread();
  const int cpus = CPU_COUNT(&allowed);
  CHECK_THAT(moves_with("0.00 0.00 0.00 2000/4000 7\n", 2, false) == 0, "moved on a busy machine");
  CHECK_THAT(moves_with("nonsense", 2, false) == 0, "moved without knowing the load");
  CHECK_THAT(moves_with("0.00 0.00 0.00 1/400 7\n", cpus + 1, false) == 0, "moved with more threads than CPUs");
  CHECK_THAT(moves_with("0.00 0.00 0.00 1/400 7\n", 2, true) == 0, "moved away from a thread that had left");
  if (cpus < 2) {
    std::printf("session_spread_test: one CPU, nowhere to move\n");
  } else {
    CHECK_THAT(moves_with("0.00 0.00 0.00 2/400 7\n", 2, false) > 0, "stayed on a shared CPU of an idle machine");
  }
  return finish("session_spread_test");
}
#else
int main() { return kvasir::test::finish("session_spread_test"); }
#endif
