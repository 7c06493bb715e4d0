// Work that several threads take in pieces, and the wait for its end. No thread needs to come: who is late finds the work done,
// so a thread that the system has taken off its core delays the others by the piece it holds at most.
//
//   state   epoch (24 bits) | pieces (20) | next piece (20)      one word, so that a claim proves that its epoch still runs
//   done    pieces finished
//
// The owner opens a gate for a new epoch only after the last one is complete. A thread of an older epoch sees that by the state.
#pragma once
#include <atomic>
#include <cstdint>
#include <thread>

#include "thread_pool.h"

namespace kvasir {

class WorkGate {
 public:
  static constexpr int64_t kMaxPieces = (int64_t{1} << 20) - 1;
  static constexpr int64_t kNone = -1;     // nothing left to take
  static constexpr int64_t kExpired = -2;  // the epoch is over

  // Only by the owner, when the previous epoch is complete. 0 <= pieces <= kMaxPieces.
  void open(uint32_t epoch, int64_t pieces) {
    done_.store(0, std::memory_order_relaxed);
    state_.store(static_cast<uint64_t>(epoch & kEpochMask) << 40 | static_cast<uint64_t>(pieces) << 20, std::memory_order_release);
  }

  // Takes a piece: its index, kNone or kExpired.
  int64_t claim(uint32_t epoch) {
    uint64_t state = state_.load(std::memory_order_acquire);
    for (;;) {
      if (epoch_of(state) != (epoch & kEpochMask)) return kExpired;
      const int64_t next = next_of(state);
      if (next >= pieces_of(state)) return kNone;
      if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel, std::memory_order_acquire)) return next;
    }
  }
  // Hands a claimed piece back, finished; what was written for it is visible to whoever waits.
  void finish() { done_.fetch_add(1, std::memory_order_release); }

  // Waits until every piece is finished; false when the epoch is over.
  bool wait(uint32_t epoch) const {
    for (int spins = 0;; spins++) {
      const uint64_t state = state_.load(std::memory_order_acquire);
      if (epoch_of(state) != (epoch & kEpochMask)) return false;
      if (done_.load(std::memory_order_acquire) >= pieces_of(state)) return true;
      if (spins < kSpins) cpu_relax();
      else std::this_thread::yield();
    }
  }

 private:
  static constexpr uint32_t kEpochMask = 0xffffff;
  static constexpr int kSpins = 2048;
  static uint32_t epoch_of(uint64_t state) { return static_cast<uint32_t>(state >> 40); }
  static int64_t pieces_of(uint64_t state) { return static_cast<int64_t>(state >> 20 & 0xfffff); }
  static int64_t next_of(uint64_t state) { return static_cast<int64_t>(state & 0xfffff); }

  alignas(64) std::atomic<uint64_t> state_{0};
  alignas(64) std::atomic<int64_t> done_{0};
};

}  // namespace kvasir
