#include "thread_spread.h"

#include <cstdlib>
#include <cstring>

#if defined(__linux__)
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#endif

namespace kvasir {

#if defined(__linux__)
namespace {

// Threads of the whole system that run or could run: the number before the slash of "0.20 0.18 0.12 1/80 11206"; -1 when unknown.
int num_runnable(int load_file) {
  char text[128];
  const ssize_t length = pread(load_file, text, sizeof text - 1, 0);
  if (length <= 0) return -1;
  text[length] = 0;
  const char* slash = std::strchr(text, '/');
  while (slash != nullptr && slash > text && slash[-1] != ' ') slash--;
  return slash == nullptr ? -1 : std::atoi(slash);
}

}  // namespace

ThreadSpread::ThreadSpread(int num_threads, const char* load_file)
    : num_threads_(num_threads), places_(std::make_unique<Place[]>(static_cast<size_t>(num_threads))) {
  if (load_file != nullptr && num_threads > 1) load_file_ = open(load_file, O_RDONLY | O_CLOEXEC);
}

ThreadSpread::~ThreadSpread() {
  if (load_file_ >= 0) close(load_file_);
}

void ThreadSpread::arrive(int index) {
  if (load_file_ < 0) return;
  const int cpu = sched_getcpu();
  places_[index].cpu.store(cpu, std::memory_order_relaxed);
  if (cpu >= 0 && is_shared(index, cpu)) move(places_[index]);
}

void ThreadSpread::move(Place& own) {
  const auto now = std::chrono::steady_clock::now();
  if (now - own.looked < kPause) return;
  own.looked = now;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < num_threads_) return;
  const int runnable = num_runnable(load_file_);
  if (runnable < 0 || runnable > CPU_COUNT(&allowed)) return;
  cpu_set_t free = allowed;
  for (int i = 0; i < num_threads_; i++) {
    const int cpu = places_[i].cpu.load(std::memory_order_relaxed);
    if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_CLR(cpu, &free);
  }
  if (CPU_COUNT(&free) == 0 || sched_setaffinity(0, sizeof free, &free) != 0) return;
  own.cpu.store(sched_getcpu(), std::memory_order_relaxed);
  sched_setaffinity(0, sizeof allowed, &allowed);
  num_moves_.fetch_add(1, std::memory_order_relaxed);
}

#else

ThreadSpread::ThreadSpread(int num_threads, const char*) : num_threads_(num_threads), places_(std::make_unique<Place[]>(static_cast<size_t>(num_threads))) {}
ThreadSpread::~ThreadSpread() = default;
void ThreadSpread::arrive(int) {}
void ThreadSpread::move(Place&) {}

#endif

bool ThreadSpread::is_shared(int index, int cpu) const {
  for (int i = 0; i < index; i++) {
    if (places_[i].cpu.load(std::memory_order_relaxed) == cpu) return true;
  }
  return false;
}

}  // namespace kvasir
