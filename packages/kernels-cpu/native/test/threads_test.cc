// The shared headers that threads meet in: work gates, the pool and the step thread. Counts are exact, whoever comes late.
#include <atomic>
#include <vector>

#include "check.h"
#include "kvasir/step_thread.h"
#include "kvasir/thread_pool.h"
#include "kvasir/work_gate.h"

namespace kvasir::test {
namespace {

void test_gate_states() {
  WorkGate gate;
  gate.open(7, 2);
  CHECK_THAT(gate.claim(6) == WorkGate::kExpired && gate.claim(8) == WorkGate::kExpired, "another epoch takes nothing");
  CHECK_THAT(gate.claim(7) == 0 && gate.claim(7) == 1 && gate.claim(7) == WorkGate::kNone, "two pieces, once each");
  CHECK_THAT(!gate.wait(6), "who waits for an epoch that is over is told so");
  gate.finish();
  gate.finish();
  CHECK_THAT(gate.wait(7), "both pieces are finished");
  gate.open(8, 0);
  CHECK_THAT(gate.claim(8) == WorkGate::kNone && gate.wait(8), "an empty gate is complete");
  CHECK_THAT(gate.claim(7) == WorkGate::kExpired && !gate.wait(7), "the last epoch is over");
  // Epochs count in 24 bits.
  gate.open(0x1000000, 1);
  CHECK_THAT(gate.claim(0) == 0 && gate.claim(0xffffff) == WorkGate::kExpired, "epochs wrap");
  gate.open(1, WorkGate::kMaxPieces);
  for (int64_t i = 0; i < WorkGate::kMaxPieces; i++) gate.claim(1);
  CHECK_THAT(gate.claim(1) == WorkGate::kNone && gate.claim(1) == WorkGate::kNone && gate.claim(2) == WorkGate::kExpired, "pieces do not run over into the epoch");
}

// What a session does with its gates: epochs of several phases, each of which reads all that the one before wrote.
struct Phases {
  static constexpr int kCount = 3;
  static constexpr int64_t kMostPieces = 40;
  WorkGate gates[kCount];
  std::atomic<uint32_t> epoch{0};
  int64_t pieces = 0;
  int64_t written[kCount][kMostPieces] = {};  // plain memory: gates order its writes and reads

  void work() {
    const uint32_t now = epoch.load(std::memory_order_acquire);
    for (int phase = 0; phase < kCount; phase++) {
      for (;;) {
        const int64_t piece = gates[phase].claim(now);
        if (piece == WorkGate::kExpired) return;
        if (piece == WorkGate::kNone) break;
        // Some pieces are slow, as if their thread had lost its core.
        if (piece % 5 == 1) std::this_thread::yield();
        written[phase][piece] = phase == 0 ? now : written[phase - 1][pieces - 1 - piece] + 1;
        gates[phase].finish();
      }
      if (!gates[phase].wait(now)) return;
    }
  }
};

void test_phases(int num_threads) {
  Phases phases;
  ThreadPool pool(num_threads);
  for (uint32_t epoch = 1; epoch <= 3000; epoch++) {
    phases.pieces = 1 + epoch % Phases::kMostPieces;
    for (WorkGate& gate : phases.gates) gate.open(epoch, phases.pieces);
    phases.epoch.store(epoch, std::memory_order_release);
    pool.start([](void* context, int) { static_cast<Phases*>(context)->work(); }, &phases);
    phases.work();
    for (int64_t i = 0; i < phases.pieces; i++) {
      const int64_t got = phases.written[Phases::kCount - 1][i];
      CHECK_THAT(got == int64_t{epoch} + Phases::kCount - 1, "piece %d of epoch %u holds %lld", static_cast<int>(i), epoch, static_cast<long long>(got));
    }
  }
}

void test_run(int num_threads) {
  ThreadPool pool(num_threads);
  std::vector<int> calls(static_cast<size_t>(num_threads));
  for (int round = 1; round <= 2000; round++) {
    pool.run([&](int thread) { calls[static_cast<size_t>(thread)]++; });
    for (const int count : calls) CHECK_THAT(count == round, "a thread ran %d of %d calls", count, round);
  }
}

void test_step_thread() {
  std::vector<int> order;
  StepThread thread;
  for (int i = 0; i < 100; i++) thread.submit([&order, i] { order.push_back(i); });
  thread.stop();
  bool in_order = order.size() == 100;
  for (size_t i = 0; i < order.size(); i++) in_order &= order[i] == static_cast<int>(i);
  CHECK_THAT(in_order, "%zu of 100 jobs ran, or not in order", order.size());
  thread.stop();
}

#if defined(__x86_64__)
// Modes of the caller that would change bits: round toward zero, subnormals kept.
constexpr uint32_t kForeignModes = 0x1f80 | 0x6000;
constexpr uint32_t kComputeModes = 0x1f80 | 0x8040;
constexpr uint32_t kModesMask = 0xffc0;

// What the threads of a session compute with, whatever the thread that made them had: bits depend on it.
void test_floating_point_state() {
  const uint32_t own = _mm_getcsr();
  _mm_setcsr(kForeignModes);
  uint32_t step_modes = 0;
  float flushed = 1;
  std::vector<uint32_t> modes(4, 0);
  {
    StepThread thread;
    ThreadPool pool(4);
    thread.submit([&] {
      step_modes = _mm_getcsr();
      volatile float tiny = 1e-30f;
      flushed = tiny * 1e-10f;
      pool.run([&](int index) { modes[static_cast<size_t>(index)] = _mm_getcsr(); });
    });
    thread.stop();
  }
  CHECK_THAT((_mm_getcsr() & kModesMask) == kForeignModes, "the caller's state is its own");
  _mm_setcsr(own);
  CHECK_THAT((step_modes & kModesMask) == kComputeModes && flushed == 0.0f, "the step thread has modes %x", step_modes);
  for (const uint32_t each : modes) CHECK_THAT((each & kModesMask) == kComputeModes, "a compute thread has modes %x", each);
}
#else
void test_floating_point_state() {}
#endif

void test_ends() {
  for (int i = 0; i < 200; i++) {
    std::atomic<int> calls{0};
    {
      ThreadPool pool(3);
      if (i % 2 == 0) pool.start([](void* context, int) { ++*static_cast<std::atomic<int>*>(context); }, &calls);
    }
    CHECK_THAT(calls <= 2, "%d calls of two workers", calls.load());
  }
}

}  // namespace
}  // namespace kvasir::test

int main() {
  using namespace kvasir::test;
  test_gate_states();
  for (const int num_threads : {1, 2, 5}) {
    test_phases(num_threads);
    test_run(num_threads);
  }
  test_step_thread();
  test_floating_point_state();
  test_ends();
  return finish("threads");
}
