// The ceiling of integer matrix products: the dot-product instruction of the best path from registers, every thread at once, the best pass counts.
#include "int8_peak.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "../session/cpu_features.h"
#include "addon.h"
#include "kvasir/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kvasir {
namespace {

constexpr int NUM_PASSES = 5;
constexpr int64_t NUM_ROUNDS = 1 << 20;

struct DotLoop {
  int64_t (*run)(int64_t rounds);
  double ops_per_round;
};

#if defined(__x86_64__)
// More accumulators than latency times issue width, so that no dot product waits for another; the barrier keeps each round.
__attribute__((target("avx512f,avx512bw,avx512vnni"))) int64_t dot_avx512(int64_t rounds) {
  constexpr int N = 12;
  __m512i sums[N];
  for (auto& sum : sums) sum = _mm512_setzero_si512();
  __m512i a = _mm512_set1_epi8(1), b = _mm512_set1_epi8(2);
  for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 12
    for (int i = 0; i < N; i++) sums[i] = _mm512_dpbusd_epi32(sums[i], a, b);
    asm volatile("" : "+v"(a), "+v"(b));
  }
  int64_t total = 0;
  for (const auto& sum : sums) total += _mm512_reduce_add_epi32(sum);
  return total;
}

__attribute__((target("avx2"))) int64_t dot_avx2(int64_t rounds) {
  constexpr int N = 8;
  __m256i sums[N];
  for (auto& sum : sums) sum = _mm256_setzero_si256();
  __m256i a = _mm256_set1_epi8(1), b = _mm256_set1_epi8(2);
  const __m256i ones = _mm256_set1_epi16(1);
  for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 8
    for (int i = 0; i < N; i++) sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
    asm volatile("" : "+x"(a), "+x"(b));
  }
  alignas(32) int32_t lanes[8];
  int64_t total = 0;
  for (const auto& sum : sums) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), sum);
    for (const int32_t lane : lanes) total += lane;
  }
  return total;
}
#endif

// The loop of the best path that has one; each lane sums four products of 1 and 2 a round.
DotLoop best_loop() {
#if defined(__x86_64__)
  const std::vector<Isa> paths = detect_cpu().paths;
  if (paths.front() == Isa::avx512) return {dot_avx512, 12 * 64 * 2};
  if (paths.front() == Isa::avx2) return {dot_avx2, 8 * 32 * 2};
#endif
  return {nullptr, 0};
}

class PeakWorker : public Napi::AsyncWorker {
 public:
  PeakWorker(Napi::Env env, int num_threads) : Napi::AsyncWorker(env, "kvasir:int8Peak"), deferred_(env), num_threads_(num_threads) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    const DotLoop loop = best_loop();
    if (loop.run == nullptr) return;
    double best_seconds = 1e300;
    std::vector<int64_t> totals(static_cast<size_t>(num_threads_));
    for (int pass = 0; pass < NUM_PASSES; pass++) {
      const auto start = std::chrono::steady_clock::now();
      std::vector<std::thread> threads;
      for (int t = 1; t < num_threads_; t++) threads.emplace_back([&, t] { totals[static_cast<size_t>(t)] = loop.run(NUM_ROUNDS); });
      totals[0] = loop.run(NUM_ROUNDS);
      for (std::thread& thread : threads) thread.join();
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      best_seconds = std::min(best_seconds, elapsed.count());
      // Each operation pair adds 2: the total says that all were done.
      for (const int64_t total : totals) {
        KVASIR_CHECK(static_cast<double>(total) == loop.ops_per_round * NUM_ROUNDS, "ERR_INTERNAL", "dot products summed to ", total);
      }
    }
    ops_per_second_ = loop.ops_per_round * NUM_ROUNDS * num_threads_ / std::max(best_seconds, 1e-9);
  }

  void OnOK() override { deferred_.Resolve(Napi::Number::New(Env(), ops_per_second_)); }
  void OnError(const Napi::Error& error) override { deferred_.Reject(to_js_error(Env(), "ERR_INTERNAL", error.Message()).Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  int num_threads_;
  double ops_per_second_ = 0;
};

}  // namespace

Napi::Value measure_int8_peak(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto* worker = new PeakWorker(info.Env(), info[0].ToNumber().Int32Value());
    const Napi::Promise promise = worker->promise();
    worker->Queue();
    return promise;
  });
}

}  // namespace kvasir
