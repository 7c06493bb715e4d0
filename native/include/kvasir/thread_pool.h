// A few threads that run one function together: every thread gets its index, and they meet at barriers inside.
//
//   caller (index 0)   run(f) ── f(0) ──┬─ barrier ─┬─ ... ── returns when all have returned
//   worker i           asleep ── f(i) ──┴───────────┴─ ... ── spins a little, then sleeps
//
// Inside a run, waiting threads spin, then yield: a barrier costs a fraction of a microsecond. Between runs they sleep.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "fp_state.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace kvasir {

inline void cpu_relax() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class ThreadPool {
 public:
  explicit ThreadPool(int num_threads) : num_threads_(num_threads) {
    for (int index = 1; index < num_threads; index++) workers_.emplace_back([this, index] { work(index); });
  }
  ~ThreadPool() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const { return num_threads_; }

  // Calls body(index) on every thread, the caller's included, and returns when all have. The body must not throw.
  template <typename Body>
  void run(Body&& body) {
    if (num_threads_ == 1) return body(0);
    body_ = [](void* context, int index) { (*static_cast<std::remove_reference_t<Body>*>(context))(index); };
    context_ = &body;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    body(0);
    barrier();
  }

  // Waits until every thread of the run is here; what they wrote before is visible afterwards.
  void barrier() {
    if (num_threads_ == 1) return;
    const uint32_t phase = phase_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == num_threads_) {
      arrived_.store(0, std::memory_order_relaxed);
      phase_.store(phase + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; phase_.load(std::memory_order_acquire) == phase; spins++) {
      if (spins < kBarrierSpins) cpu_relax();
      else std::this_thread::yield();
    }
  }

 private:
  static constexpr int kBarrierSpins = 4096;
  static constexpr int kIdleSpins = 256;

  void work(int index) {
    set_compute_fp_state();
    uint32_t seen = 0;
    for (;;) {
      for (int spins = 0; spins < kIdleSpins && generation_.load(std::memory_order_acquire) == seen; spins++) cpu_relax();
      if (generation_.load(std::memory_order_acquire) == seen) {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load(std::memory_order_acquire) != seen; });
      }
      seen = generation_.load(std::memory_order_acquire);
      if (stopping_) return;
      body_(context_, index);
      barrier();
    }
  }

  const int num_threads_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  void (*body_)(void*, int) = nullptr;
  void* context_ = nullptr;
  alignas(64) std::atomic<uint32_t> generation_{0};
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<uint32_t> phase_{0};
};

}  // namespace kvasir
