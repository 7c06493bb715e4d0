#include "cpu_features.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <set>
#include <thread>
#include <utility>

#if defined(__linux__)
#include <sched.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace kvasir {
namespace {

#if defined(__x86_64__)
struct CpuId {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  CpuId(uint32_t leaf, uint32_t subleaf) {
    if (__get_cpuid_max(leaf & 0x80000000u, nullptr) >= leaf) __cpuid_count(leaf, subleaf, a, b, c, d);
  }
};

// Register state that the system saves: without it the instructions fault or lose their contents.
uint64_t saved_state() {
  if ((CpuId(1, 0).c >> 27 & 1) == 0) return 0;
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low | static_cast<uint64_t>(high) << 32;
}

std::string brand_string() {
  std::string brand;
  for (uint32_t leaf = 0x80000002; leaf <= 0x80000004; leaf++) {
    const CpuId id(leaf, 0);
    for (const uint32_t word : {id.a, id.b, id.c, id.d}) brand.append(reinterpret_cast<const char*>(&word), 4);
  }
  brand = brand.c_str();
  const size_t first = brand.find_first_not_of(' ');
  const size_t last = brand.find_last_not_of(' ');
  return first == std::string::npos ? "x86-64" : brand.substr(first, last - first + 1);
}
#endif

#if defined(__aarch64__)
// Capabilities by the kernel's names (Documentation/arch/arm64/elf_hwcaps.rst); Apple's keys of the same features.
struct ArmFeature {
  const char* name;
  bool present;
};

#if defined(__linux__)
std::vector<ArmFeature> arm_features() {
  constexpr unsigned long kAsimdHp = 1ul << 10, kAsimdDp = 1ul << 20, kI8mm = 1ul << 13, kBf16 = 1ul << 14;
  const unsigned long first = getauxval(AT_HWCAP), second = getauxval(AT_HWCAP2);
  return {{"asimdhp", (first & kAsimdHp) != 0}, {"asimddp", (first & kAsimdDp) != 0}, {"i8mm", (second & kI8mm) != 0}, {"bf16", (second & kBf16) != 0}};
}

std::string brand_string() {
  std::ifstream model("/proc/device-tree/model");
  std::string name;
  std::getline(model, name, '\0');
  return name.empty() ? "AArch64" : name;
}
#elif defined(__APPLE__)
bool has_feature(const char* key) {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(key, &value, &size, nullptr, 0) == 0 && value != 0;
}

std::vector<ArmFeature> arm_features() {
  return {{"asimdhp", has_feature("hw.optional.arm.FEAT_FP16")},
          {"asimddp", has_feature("hw.optional.arm.FEAT_DotProd")},
          {"i8mm", has_feature("hw.optional.arm.FEAT_I8MM")},
          {"bf16", has_feature("hw.optional.arm.FEAT_BF16")}};
}

std::string brand_string() {
  char name[128] = {};
  size_t size = sizeof name - 1;
  return sysctlbyname("machdep.cpu.brand_string", name, &size, nullptr, 0) == 0 ? name : "AArch64";
}
#else
std::vector<ArmFeature> arm_features() { return {}; }
std::string brand_string() { return "AArch64"; }
#endif
#endif

#if defined(__linux__)
int64_t read_number(const std::string& path) {
  std::ifstream file(path);
  int64_t value = -1;
  file >> value;
  return file ? value : -1;
}

// CPUs' worth of time that the control group grants; 0 when there is no limit.
double cpu_quota() {
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (v2 >> quota >> period && quota != "max" && period > 0) return std::strtod(quota.c_str(), nullptr) / period;
  const int64_t v1_quota = read_number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), v1_period = read_number("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  return v1_quota > 0 && v1_period > 0 ? static_cast<double>(v1_quota) / static_cast<double>(v1_period) : 0;
}
#endif

}  // namespace

CpuFeatures detect_cpu() {
  CpuFeatures cpu;
#if defined(__x86_64__)
  cpu.brand = brand_string();
  const uint64_t state = saved_state();
  const bool saves_ymm = (state & 0x06) == 0x06, saves_zmm = (state & 0xe6) == 0xe6;
  const CpuId one(1, 0), seven(7, 0), seven_one(7, 1);
  const auto has = [&](const char* name, uint32_t word, int bit, bool saved) {
    const bool present = saved && (word >> bit & 1) != 0;
    if (present) cpu.names.emplace_back(name);
    return present;
  };
  bool avx2 = has("avx2", seven.b, 5, saves_ymm);
  avx2 &= has("fma", one.c, 12, saves_ymm);
  avx2 &= has("f16c", one.c, 29, saves_ymm);
  has("avx_vnni", seven_one.a, 4, saves_ymm);
  bool avx512 = has("avx512f", seven.b, 16, saves_zmm);
  avx512 &= has("avx512bw", seven.b, 30, saves_zmm);
  avx512 &= has("avx512dq", seven.b, 17, saves_zmm);
  avx512 &= has("avx512vl", seven.b, 31, saves_zmm);
  avx512 &= has("avx512_vnni", seven.c, 11, saves_zmm);
  cpu.has_bf16 = has("avx512_bf16", seven_one.a, 5, saves_zmm);
  if (avx2 && avx512) cpu.paths.push_back(Isa::avx512);
  if (avx2) cpu.paths.push_back(Isa::avx2);
#elif defined(__aarch64__)
  cpu.brand = brand_string();
  cpu.names.emplace_back("asimd");
  for (const ArmFeature& feature : arm_features()) {
    if (!feature.present) continue;
    cpu.names.emplace_back(feature.name);
    if (std::strcmp(feature.name, "asimddp") == 0) cpu.paths.push_back(Isa::neon_dotprod);
  }
  cpu.paths.push_back(Isa::neon);
#else
  cpu.brand = "unknown";
#endif
  cpu.paths.push_back(Isa::scalar);
  return cpu;
}

int available_cores() {
  int cores = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    std::set<std::pair<int64_t, int64_t>> physical;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
      if (!CPU_ISSET(cpu, &allowed)) continue;
      const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
      const int64_t core = read_number(topology + "core_id");
      // Where the topology is hidden, each CPU counts as a core.
      physical.emplace(read_number(topology + "physical_package_id"), core >= 0 ? core : -1 - cpu);
    }
    cores = static_cast<int>(physical.size());
  }
  if (const double quota = cpu_quota(); quota > 0) cores = std::min(cores, static_cast<int>(std::ceil(quota)));
#elif defined(__APPLE__)
  int performance = 0;
  size_t size = sizeof performance;
  if (sysctlbyname("hw.perflevel0.physicalcpu", &performance, &size, nullptr, 0) == 0 && performance > 0) cores = performance;
#endif
  return std::max(1, cores);
}

}  // namespace kvasir
