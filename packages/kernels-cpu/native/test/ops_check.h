// What the tests of native/ops share: checks that count, seeded random numbers, the paths that this CPU can run.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "../ops/ops.h"
#include "kvasir/fp_state.h"

namespace kvasir::test {

inline int64_t& num_checks() {
  static int64_t count = 0;
  return count;
}

#define CHECK(condition, ...)                                                    \
  do {                                                                           \
    ++::kvasir::test::num_checks();                                              \
    if (!(condition)) {                                                          \
      std::fprintf(stderr, "%s:%d: CHECK(%s): ", __FILE__, __LINE__, #condition); \
      std::fprintf(stderr, __VA_ARGS__);                                         \
      std::fprintf(stderr, "\n");                                                \
      std::exit(1);                                                              \
    }                                                                            \
  } while (0)

// SplitMix64: independent of the code under test.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t bits() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  double unit() { return (static_cast<double>(bits() >> 11) + 0.5) / 9007199254740992.0; }
  int64_t between(int64_t low, int64_t high) { return low + static_cast<int64_t>(bits() % static_cast<uint64_t>(high - low + 1)); }
  float normal(double scale = 1) { return static_cast<float>(scale * std::sqrt(-2 * std::log(unit())) * std::cos(6.283185307179586 * unit())); }
  std::vector<float> normals(int64_t n, double scale = 1) {
    std::vector<float> x(static_cast<size_t>(n));
    for (float& value : x) value = normal(scale);
    return x;
  }

 private:
  uint64_t state_;
};

inline std::vector<const OpKernels*> paths() {
  std::vector<const OpKernels*> tables{&op_kernels(Isa::scalar)};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables.push_back(&op_kernels(Isa::avx2));
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) tables.push_back(&op_kernels(Isa::avx512));
#elif defined(__aarch64__)
  tables.push_back(&op_kernels(Isa::neon));
#endif
  return tables;
}

// An emulator makes everything some fifty times slower, sanitizers some ten times: then fewer cases, of the same kinds.
#if defined(KVASIR_EMULATED)
constexpr bool kEmulated = true;
#else
constexpr bool kEmulated = false;
#endif
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = kEmulated;
#endif

inline bool is_scalar(const OpKernels* path) { return path == &op_kernels(Isa::scalar); }

// The session runs every thread with denormals flushed.
inline void flush_denormals() { set_compute_fp_state(); }

inline bool same_bits(const float* a, const float* b, size_t n) { return n == 0 || std::memcmp(a, b, n * sizeof(float)) == 0; }
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) { return a.size() == b.size() && same_bits(a.data(), b.data(), a.size()); }

// Distance of x from the exact value, in units of the last place of a float32 near it.
inline double ulps(float x, double exact) {
  if (static_cast<double>(x) == exact) return 0;
  int exponent;
  std::frexp(exact, &exponent);
  return std::fabs(static_cast<double>(x) - exact) / std::ldexp(1.0, std::max(exponent, -125) - 24);
}

// A group of tests by name; run_all() says what ran.
struct Case {
  const char* name;
  void (*run)();
};
template <size_t N>
int run_all(const char* suite, const Case (&cases)[N]) {
  std::string listed;
  for (const OpKernels* path : paths()) listed += std::string(" ") + path->name;
  std::printf("%s: paths%s\n", suite, listed.c_str());
  flush_denormals();
  for (const Case& c : cases) {
    const int64_t before = num_checks();
    c.run();
    std::printf("  %-64s %lld checks\n", c.name, static_cast<long long>(num_checks() - before));
    CHECK(num_checks() > before, "%s checked nothing", c.name);
  }
  return 0;
}

}  // namespace kvasir::test
