// Checks of the C++ tests: report, count and go on; finish() is the exit status.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace kvasir::test {

inline int failures = 0;
inline long checks = 0;

inline bool report(bool ok, const char* file, int line, const char* what) {
  ++checks;
  if (ok) return true;
  if (++failures <= 20) std::fprintf(stderr, "%s:%d: %s\n", file, line, what);
  return false;
}

inline int finish(const char* name) {
  std::printf("%s: %ld checks, %d failures\n", name, checks, failures);
  return failures == 0 ? 0 : 1;
}

// Seed of this run, from KVASIR_TEST_SEED or drawn; printed, so that a failure can be repeated.
inline uint64_t run_seed() {
  const char* given = std::getenv("KVASIR_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("KVASIR_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace kvasir::test

// CHECK_THAT(condition, printf format and values)
#define CHECK_THAT(condition, ...)                                                   \
  do {                                                                               \
    char text_[512];                                                                 \
    std::snprintf(text_, sizeof text_, __VA_ARGS__);                                 \
    ::kvasir::test::report(static_cast<bool>(condition), __FILE__, __LINE__, text_); \
  } while (0)
