// Floating-point state of compute threads: round to nearest, subnormals flushed. Part of what makes bits equal.
#pragma once
#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace kvasir {

// Sets the state of the calling thread for good. Only threads of our own call it; the thread of JavaScript keeps its state.
inline void set_compute_fp_state() {
#if defined(__x86_64__) || defined(_M_X64)
  constexpr uint32_t kAllMasked = 0x1f80, kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  _mm_setcsr(kAllMasked | kFlushToZero | kDenormalsAreZero);
#elif defined(__aarch64__)
  constexpr uint64_t kFlushToZero = uint64_t{1} << 24;
  asm volatile("msr fpcr, %0" ::"r"(kFlushToZero));
#endif
}

}  // namespace kvasir
