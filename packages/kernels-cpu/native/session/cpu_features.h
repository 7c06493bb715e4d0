// What the processor can do and the system lets it do, and how many cores this process may use.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "../linear/linear.h"

namespace kvasir {

struct CpuFeatures {
  std::string brand;
  std::vector<std::string> names;  // those that kernels care about, for example avx512_vnni
  std::vector<Isa> paths;          // best first; scalar is always there
  bool has_bf16 = false;           // AVX512-BF16
};

CpuFeatures detect_cpu();
// Physical cores in this process's affinity mask, at most the CPU quota of its control group; 1 at least.
int available_cores();

}  // namespace kvasir
