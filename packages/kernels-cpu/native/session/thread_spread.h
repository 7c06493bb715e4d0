// Keeps the compute threads of a session from taking turns on one CPU while another idles. The system puts a thread that is woken while
// its last CPU is busy for a moment on the CPU of its waker, and there the two may share a core for many steps. No thread is bound to a
// CPU: one that finds a sibling on its own moves, within its affinity mask, and the system may move it again.
//
// Only an idle CPU is worth it: on a busy machine threads that wait for each other do better on one CPU, where waiting lets the other run.
// So a thread moves only when the system counts no more runnable threads than the mask has CPUs: two of them share one, so one is idle.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

namespace kvasir {

class ThreadSpread {
 public:
  // `load_file` reads like /proc/loadavg; where it cannot be read, and with null, threads are left alone.
  ThreadSpread(int num_threads, const char* load_file);
  ~ThreadSpread();
  ThreadSpread(const ThreadSpread&) = delete;
  ThreadSpread& operator=(const ThreadSpread&) = delete;

  // Thread `index` works from now on, or still. Moves it when one with a lower index works on the same CPU and an allowed CPU is idle;
  // looks for one once in kPause at most.
  void arrive(int index);
  // Thread `index` has stopped working.
  void leave(int index) { places_[index].cpu.store(kNowhere, std::memory_order_relaxed); }

  int64_t num_moves() const { return num_moves_.load(std::memory_order_relaxed); }

 private:
  static constexpr int kNowhere = -1;
  static constexpr std::chrono::microseconds kPause{200};
  struct alignas(64) Place {
    std::atomic<int> cpu{kNowhere};
    std::chrono::steady_clock::time_point looked{};
  };
  bool is_shared(int index, int cpu) const;
  void move(Place& own);

  const int num_threads_;
  int load_file_ = -1;
  std::unique_ptr<Place[]> places_;
  std::atomic<int64_t> num_moves_{0};
};

}  // namespace kvasir
