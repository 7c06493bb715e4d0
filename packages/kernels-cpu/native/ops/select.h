// Candidates of sampling and their order: logit descending, then id ascending. Plain integers, the same code on every path.
#pragma once
#include <cstdint>

namespace kvasir {

// A candidate is one number whose ascending order is the order of candidates.
using Candidate = uint64_t;

// Monotone: a larger float has a larger key. NaN and -0 must not occur.
inline uint32_t order_key(float logit) {
  uint32_t bits;
  __builtin_memcpy(&bits, &logit, 4);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

inline Candidate candidate_of(float logit, uint32_t id) { return static_cast<uint64_t>(~order_key(logit)) << 32 | id; }
inline int32_t id_of(Candidate candidate) { return static_cast<int32_t>(candidate & 0xffffffffu); }
inline float logit_of(Candidate candidate) {
  const uint32_t key = ~static_cast<uint32_t>(candidate >> 32);
  const uint32_t bits = key & 0x80000000u ? key & 0x7fffffffu : ~key;
  float logit;
  __builtin_memcpy(&logit, &bits, 4);
  return logit;
}

// Sorts `count` candidates that come in ascending id; `spare` is as large.
void sort_candidates(Candidate* candidates, Candidate* spare, int64_t count);

}  // namespace kvasir
