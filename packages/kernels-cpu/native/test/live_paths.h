// Kernel paths that this CPU and system can run, asked of cpuid and XGETBV (compilers' own tests differ in what they check),
// or of the capabilities that Linux hands an AArch64 process.
#pragma once
#include <cstdint>
#include <cstdio>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#include "../linear/linear.h"

namespace kvasir::test {

struct Path {
  Isa isa;
  bool bf16;
  const char* name;
};

struct CpuFeatures {
  bool avx2 = false, avx512 = false, bf16 = false, neon = false, dotprod = false;
};

inline CpuFeatures cpu_features() {
  CpuFeatures found;
#if defined(__x86_64__)
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return found;
  const bool has_xsave = c >> 27 & 1, has_fma = c >> 12 & 1, has_f16c = c >> 29 & 1;
  if (!has_xsave) return found;
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return found;
  const bool saves_ymm = (low & 0x06) == 0x06, saves_zmm = (low & 0xe6) == 0xe6;
  found.avx2 = saves_ymm && has_fma && has_f16c && (b >> 5 & 1);
  const uint32_t f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
  found.avx512 = found.avx2 && saves_zmm && (b & f_dq_bw_vl) == f_dq_bw_vl && (c >> 11 & 1);
  found.bf16 = found.avx512 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
#elif defined(__aarch64__)
  found.neon = true;
#if defined(__linux__)
  found.dotprod = getauxval(AT_HWCAP) >> 20 & 1;  // HWCAP_ASIMDDP
#elif defined(__APPLE__)
  found.dotprod = true;  // of every Mac
#endif
#endif
  return found;
}

// Scalar first; says which ones are left out.
inline std::vector<Path> live_paths() {
  const CpuFeatures cpu = cpu_features();
  std::vector<Path> paths = {{Isa::scalar, false, "scalar"}};
  const auto add = [&](bool is_live, Path path) {
    if (is_live) {
      paths.push_back(path);
    } else {
      std::printf("skipped: %s (this machine has none)\n", path.name);
    }
  };
#if defined(__aarch64__)
  add(cpu.neon, {Isa::neon, false, "neon"});
  add(cpu.dotprod, {Isa::neon_dotprod, false, "neon-dotprod"});
#else
  add(cpu.avx2, {Isa::avx2, false, "avx2"});
  add(cpu.avx512, {Isa::avx512, false, "avx512"});
  add(cpu.bf16, {Isa::avx512, true, "avx512+bf16"});
#endif
  return paths;
}

}  // namespace kvasir::test
