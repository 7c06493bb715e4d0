// A few threads that run one function together; every thread gets its index, the caller is number 0. Between calls they sleep.
//
//   run(f)    returns when f has returned on every thread
//   start(f)  wakes the others and returns: they call f once for this or a later start, as soon as the system lets them.
//             f decides what is left to do (see WorkGate); the caller waits for the work, not for the threads
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
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
    try {
      for (int index = 1; index < num_threads; index++) workers_.emplace_back([this, index] { work(index); });
    } catch (...) {
      // The system gives no more threads: those that run are ended, or their destructors would end the process.
      stop();
      throw;
    }
  }
  ~ThreadPool() { stop(); }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const { return num_threads_; }

  // Calls body(index) on every thread, the caller's included, and returns when all have. The body must not throw.
  template <typename Body>
  void run(Body&& body) {
    if (num_threads_ == 1) return body(0);
    active_.store(num_threads_ - 1, std::memory_order_relaxed);
    wake([](void* context, int index) { (*static_cast<std::remove_reference_t<Body>*>(context))(index); }, &body);
    body(0);
    for (int spins = 0; active_.load(std::memory_order_acquire) > 0; spins++) {
      if (spins < kSpins) cpu_relax();
      else std::this_thread::yield();
    }
  }

  // Wakes the workers to call body(context, index). Both stay valid for the life of the pool, and every start gives the same;
  // a run() before the first start is over by then.
  void start(void (*body)(void*, int), void* context) {
    if (num_threads_ > 1) wake(body, context);
  }

 private:
  using Body = void (*)(void*, int);
  static constexpr int kSpins = 4096;
  // A worker waits this long before it sleeps. More would keep the thread of JavaScript off its core where cores are few.
  static constexpr std::chrono::microseconds kIdleSpin{5};

  void stop() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  void wake(Body body, void* context) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      body_ = body;
      context_ = context;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
  }

  void await_soon(uint32_t seen) const {
    const auto deadline = std::chrono::steady_clock::now() + kIdleSpin;
    while (std::chrono::steady_clock::now() < deadline) {
      for (int i = 0; i < 32; i++) {
        if (generation_.load(std::memory_order_acquire) != seen) return;
        cpu_relax();
      }
    }
  }

  void work(int index) {
    set_compute_fp_state();
    uint32_t seen = 0;
    for (;;) {
      await_soon(seen);
      Body body;
      void* context;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
        seen = generation_.load(std::memory_order_relaxed);
        if (stopping_) return;
        body = body_;
        context = context_;
      }
      body(context, index);
      active_.fetch_sub(1, std::memory_order_release);
    }
  }

  const int num_threads_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  Body body_ = nullptr;
  void* context_ = nullptr;
  alignas(64) std::atomic<uint32_t> generation_{0};
  alignas(64) std::atomic<int> active_{0};  // workers still in run()
};

}  // namespace kvasir
