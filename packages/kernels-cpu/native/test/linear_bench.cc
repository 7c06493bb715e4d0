// Linear kernels on one and two threads against the machine: bytes of weights a second over a read-only loop of the same size,
// and operations a second over the peak of the dot instruction, all interleaved in one process. Ratios are medians of rounds.
//   linear_bench [rounds] [shape filter] [most rows] [threads]      KVASIR_CPU_ISA=avx2|scalar: a lower path
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "../linear/linear.h"
#include "linear_oracle.h"
#include "live_paths.h"

namespace kvasir::test {
namespace {

// Seconds of processor time of this thread, so that other programs on a shared machine do not count; wall time where there is no such clock.
double thread_seconds() {
#if defined(CLOCK_THREAD_CPUTIME_ID)
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
#else
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
#endif
}

// One worker besides the caller; both spin. run() takes as long as the slower of the two.
class Pair {
 public:
  explicit Pair(int threads) : threads_(threads), worker_([this] { loop(); }) {}
  ~Pair() {
    stop_ = true;
    worker_.join();
  }
  double run(const std::function<void(int)>& work) {
    work_ = &work;
    done_.store(threads_ == 1, std::memory_order_relaxed);
    ready_.store(threads_ == 2, std::memory_order_release);
    const double own = timed(0);
    while (!done_.load(std::memory_order_acquire)) {
    }
    return threads_ == 1 ? own : std::max(own, other_);
  }

 private:
  double timed(int thread) {
    const double start = thread_seconds();
    (*work_)(thread);
    return thread_seconds() - start;
  }
  void loop() {
    while (!stop_.load(std::memory_order_relaxed)) {
      if (threads_ == 1) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      if (!ready_.exchange(false, std::memory_order_acquire)) continue;
      other_ = timed(1);
      done_.store(true, std::memory_order_release);
    }
  }
  int threads_;
  double other_ = 0;
  std::atomic<bool> stop_{false}, ready_{false}, done_{false};
  const std::function<void(int)>* work_ = nullptr;
  std::thread worker_;
};

// Reads every byte, several lines at a time, with prefetch.
typedef uint64_t Line __attribute__((vector_size(64), aligned(64), may_alias));

#define KVASIR_READ_BYTES(name, attributes)                                      \
  attributes uint64_t name(const uint8_t* data, size_t bytes) {                  \
    Line a = {}, b = {}, c = {}, d = {};                                         \
    for (size_t i = 0; i + 256 <= bytes; i += 256) {                             \
      const auto* v = reinterpret_cast<const Line*>(data + i);                   \
      __builtin_prefetch(data + i + 4096);                                       \
      __builtin_prefetch(data + i + 4160);                                       \
      __builtin_prefetch(data + i + 4224);                                       \
      __builtin_prefetch(data + i + 4288);                                       \
      a ^= v[0];                                                                 \
      b ^= v[1];                                                                 \
      c ^= v[2];                                                                 \
      d ^= v[3];                                                                 \
    }                                                                            \
    a ^= b ^ c ^ d;                                                              \
    return a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7];                \
  }
#if defined(__x86_64__)
KVASIR_READ_BYTES(read_bytes_avx512, __attribute__((target("avx512f"))))
KVASIR_READ_BYTES(read_bytes_avx2, __attribute__((target("avx2"))))
#endif
KVASIR_READ_BYTES(read_bytes_plain, )

// By the widest loads of the machine, whatever path is measured.
uint64_t read_bytes(const uint8_t* data, size_t bytes) {
#if defined(__x86_64__)
  static const CpuFeatures cpu = cpu_features();
  if (cpu.avx512) return read_bytes_avx512(data, bytes);
  if (cpu.avx2) return read_bytes_avx2(data, bytes);
#endif
  return read_bytes_plain(data, bytes);
}

struct Shape {
  const char* name;
  int64_t n, k;
  WeightEncoding encoding;
  NumericMode mode;
  int64_t copies;  // matrices in turn, so that the weights come from where a model's would
};

uint8_t* allocate(size_t bytes) {
  auto* data = static_cast<uint8_t*>(std::aligned_alloc(size_t{1} << 21, (bytes + (size_t{1} << 21) - 1) >> 21 << 21));
#if defined(__linux__)
  madvise(data, bytes, MADV_HUGEPAGE);
#endif
  return data;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

constexpr int64_t kRows[] = {1, 2, 3, 4, 6, 8, 16, 32, 64, 512};
std::atomic<uint64_t> sink;

void measure(const Shape& shape, Isa isa, bool bf16, int rounds, int64_t max_rows, int threads) {
  Random random(1);
  const int64_t row_bytes = encoded_row_bytes(shape.encoding, shape.k);
  std::vector<uint8_t> source(static_cast<size_t>(64 * row_bytes));
  for (int64_t i = 0; i < 64; ++i) random_row(random, shape.encoding, shape.k, source.data() + i * row_bytes);
  const auto probe = PackedLinear::plan({shape.n, shape.k, shape.encoding}, shape.mode, isa, bf16);
  const size_t bytes = probe->packed_bytes();
  uint8_t* storage = allocate(bytes * static_cast<size_t>(shape.copies));
  {
    // Pack 64 outputs once and repeat the strip: timing does not depend on values.
    const int64_t strip_rows = std::min<int64_t>(64, shape.n);
    const auto strip = PackedLinear::plan({strip_rows, shape.k, shape.encoding}, shape.mode, isa, bf16);
    std::vector<uint8_t> packed(strip->packed_bytes());
    strip->attach(packed.data());
    strip->pack({source.data(), row_bytes, 0}, 0, strip->num_panels());
    const size_t total = bytes * static_cast<size_t>(shape.copies);
    for (size_t at = 0; at < total; at += packed.size()) std::memcpy(storage + at, packed.data(), std::min(packed.size(), total - at));
  }
  std::vector<std::unique_ptr<PackedLinear>> linears;
  for (int64_t i = 0; i < shape.copies; ++i) {
    linears.push_back(PackedLinear::plan({shape.n, shape.k, shape.encoding}, shape.mode, isa, bf16));
    linears.back()->attach(storage + static_cast<size_t>(i) * bytes);
  }
  const ActivationForm form = probe->activation_form();
  const size_t stride = activation_row_bytes(form, shape.k);
  uint8_t* activations = allocate(stride * 512);
  std::vector<float> x(static_cast<size_t>(shape.k));
  for (int64_t m = 0; m < 512; ++m) {
    for (float& v : x) v = static_cast<float>(uniform(random, -1, 1));
    prepare_activation(form, isa, x.data(), shape.k, activations + static_cast<size_t>(m) * stride);
  }
  auto* out = reinterpret_cast<float*>(allocate(static_cast<size_t>(512 * shape.n) * 4));
  const int64_t panels = probe->num_panels();
  const int64_t half = threads == 1 ? panels : panels / 2;
  const double total_bytes = static_cast<double>(bytes) * static_cast<double>(shape.copies);
  Pair pair(threads);
  for (const int64_t rows : kRows) {
    const double operations = 2.0 * static_cast<double>(shape.n * shape.k * shape.copies * rows);
    if (operations > 4e11 || rows > max_rows) continue;
    std::vector<double> ratios, rates, reads;
    for (int round = 0; round < std::max(3, operations > 4e10 ? rounds / 5 : rounds); ++round) {
      const double read = pair.run([&](int thread) {
        for (int64_t i = 0; i < shape.copies; ++i) {
          const size_t begin = thread == 0 ? 0 : bytes / 2, end = thread == 0 && threads == 2 ? bytes / 2 : bytes;
          sink += read_bytes(storage + static_cast<size_t>(i) * bytes + begin / 64 * 64, end - begin);
        }
      });
      const double time = pair.run([&](int thread) {
        for (const auto& linear : linears) {
          if (thread == 0) {
            linear->forward(activations, rows, out, shape.n, 0, half);
          } else {
            linear->forward(activations, rows, out, shape.n, half, panels);
          }
        }
      });
      ratios.push_back(read / time);
      rates.push_back(operations / time);
      reads.push_back(total_bytes / read);
    }
    const double rate = median(rates);
    std::printf("%-26s %-8s %d %4ld  %7.1f GB/s  %5.2f of read (%.0f GB/s)  %7.1f GOPS\n", shape.name, probe->layout_name(), threads, static_cast<long>(rows),
                rate / (operations / total_bytes) / 1e9, median(ratios), median(reads) / 1e9, rate / 1e9);
    std::fflush(stdout);
  }
  std::free(out);
  std::free(activations);
  std::free(storage);
}

}  // namespace
}  // namespace kvasir::test

int main(int argc, char** argv) {
  using namespace kvasir;
  using namespace kvasir::test;
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 15;
  const std::string filter = argc > 2 ? argv[2] : "";
  const int64_t max_rows = argc > 3 ? std::atoi(argv[3]) : 512;
  const int only_threads = argc > 4 ? std::atoi(argv[4]) : 0;
  const char* forced = std::getenv("KVASIR_CPU_ISA");
  const std::string wanted = forced == nullptr ? "avx512" : forced;
  const CpuFeatures cpu = cpu_features();
  const Isa isa = wanted == "avx512" && cpu.avx512 ? Isa::avx512 : wanted != "scalar" && cpu.avx2 ? Isa::avx2 : Isa::scalar;
  const bool bf16 = isa == Isa::avx512 && cpu.bf16;
  const auto automatic = NumericMode::automatic;
  // Copies: the layers of the model, so that a small matrix is not read from the first-level cache each time.
  const Shape shapes[] = {
      {"smollm2 attn 576x576", 576, 576, WeightEncoding::q4_1, automatic, 60},
      {"smollm2 gate-up 3072x576", 3072, 576, WeightEncoding::q4_1, automatic, 30},
      {"smollm2 down 576x1536", 576, 1536, WeightEncoding::q4_1, automatic, 30},
      {"smollm2 head 49152x576", 49152, 576, WeightEncoding::q8_0, automatic, 1},
      {"gate-up 3072x576 q8_0", 3072, 576, WeightEncoding::q8_0, automatic, 30},
      {"gemma3 gate-up 4096x640", 4096, 640, WeightEncoding::q5_0, automatic, 18},
      {"gemma3 down 640x2048 q4_k", 640, 2048, WeightEncoding::q4_k, automatic, 18},
      {"gemma3 down 640x2048 q6_k", 640, 2048, WeightEncoding::q6_k, automatic, 18},
      {"gemma3 head 262144x640", 262144, 640, WeightEncoding::q8_0, automatic, 1},
      {"1b down 2048x8192 q4_0", 2048, 8192, WeightEncoding::q4_0, automatic, 8},
      {"1b gate-up 16384x2048 q4_k", 16384, 2048, WeightEncoding::q4_k, automatic, 4},
      {"gate-up 3072x576 bf16", 3072, 576, WeightEncoding::bf16, automatic, 30},
      {"gate-up 3072x576 f32", 3072, 576, WeightEncoding::q4_1, NumericMode::float32, 30},
  };
  std::printf("%-26s %-8s T    M\n", "shape (outputs x inputs)", "layout");
  for (const auto& shape : shapes) {
    if (std::string(shape.name).find(filter) == std::string::npos) continue;
    for (const int threads : {1, 2}) {
      if (only_threads == 0 || only_threads == threads) measure(shape, isa, bf16, rounds, max_rows, threads);
    }
  }
}
