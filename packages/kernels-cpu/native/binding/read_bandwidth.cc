// How fast this machine reads memory: every thread sums its share of one buffer, several passes, the best counts.
#include "read_bandwidth.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "addon.h"
#include "kvasir/check.h"

namespace kvasir {
namespace {

constexpr int NUM_PASSES = 6;
constexpr int NUM_SUMS = 16;
constexpr int64_t WORDS_PER_LINE = 8;

// Independent sums, so that adding never waits for adding.
uint64_t sum_words(const uint64_t* words, int64_t count) {
  uint64_t sums[NUM_SUMS] = {};
  int64_t i = 0;
  for (; i + NUM_SUMS <= count; i += NUM_SUMS) {
    for (int s = 0; s < NUM_SUMS; s++) sums[s] += words[i + s];
  }
  uint64_t total = 0;
  for (; i < count; i++) total += words[i];
  for (const uint64_t sum : sums) total += sum;
  return total;
}

// Calls work(thread, begin, end) on `num_threads` threads, the caller's among them, for equal shares in whole cache lines.
template <typename Work>
void share_lines(int64_t num_words, int num_threads, const Work& work) {
  const int64_t lines = num_words / WORDS_PER_LINE;
  const auto border = [&](int thread) { return lines * thread / num_threads * WORDS_PER_LINE; };
  std::vector<std::thread> threads;
  struct Joiner {
    std::vector<std::thread>& threads;
    ~Joiner() {
      for (std::thread& thread : threads) thread.join();
    }
  } joiner{threads};
  threads.reserve(static_cast<size_t>(num_threads));
  for (int t = 1; t < num_threads; t++) threads.emplace_back([&work, t, begin = border(t), end = border(t + 1)] { work(t, begin, end); });
  work(0, 0, border(1));
}

class BandwidthWorker : public Napi::AsyncWorker {
 public:
  BandwidthWorker(Napi::Env env, int64_t num_bytes, int num_threads)
      : Napi::AsyncWorker(env, "kvasir:readBandwidth"), deferred_(env), num_words_(num_bytes / 64 * WORDS_PER_LINE), num_threads_(num_threads) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    const std::unique_ptr<uint64_t[]> words(new (std::nothrow) uint64_t[static_cast<size_t>(num_words_)]);
    if (words == nullptr) {
      code_ = "ERR_OUT_OF_MEMORY";
      return SetError("no memory for a buffer of that size");
    }
    // Written by the thread that will read it, so that its pages lie near it.
    share_lines(num_words_, num_threads_, [&](int, int64_t begin, int64_t end) { std::fill(&words[begin], &words[end], uint64_t{1}); });
    std::vector<uint64_t> sums(static_cast<size_t>(num_threads_) * WORDS_PER_LINE);
    double best_seconds = std::numeric_limits<double>::infinity();
    for (int pass = 0; pass < NUM_PASSES; pass++) {
      const auto start = std::chrono::steady_clock::now();
      share_lines(num_words_, num_threads_,
                  [&](int thread, int64_t begin, int64_t end) { sums[static_cast<size_t>(thread) * WORDS_PER_LINE] = sum_words(&words[begin], end - begin); });
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      best_seconds = std::min(best_seconds, elapsed.count());
      uint64_t total = 0;
      for (int t = 0; t < num_threads_; t++) total += sums[static_cast<size_t>(t) * WORDS_PER_LINE];
      // Each word is 1: the total says that every word was read.
      KVASIR_CHECK(total == static_cast<uint64_t>(num_words_), "ERR_INTERNAL", "summed ", total, " of ", num_words_, " words");
    }
    bytes_per_second_ = static_cast<double>(num_words_) * sizeof(uint64_t) / std::max(best_seconds, 1e-9);
  }

  void OnOK() override { deferred_.Resolve(Napi::Number::New(Env(), bytes_per_second_)); }
  void OnError(const Napi::Error& error) override { deferred_.Reject(to_js_error(Env(), code_, error.Message()).Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  int64_t num_words_;
  int num_threads_;
  const char* code_ = "ERR_INTERNAL";  // of what Execute() throws
  double bytes_per_second_ = 0;
};

}  // namespace

Napi::Value measure_read_bandwidth(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto* worker = new BandwidthWorker(info.Env(), info[0].ToNumber().Int64Value(), info[1].ToNumber().Int32Value());
    const Napi::Promise promise = worker->promise();
    worker->Queue();
    return promise;
  });
}

}  // namespace kvasir
