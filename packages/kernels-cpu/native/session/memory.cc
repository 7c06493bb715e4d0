#include "memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kvasir/check.h"

namespace kvasir {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;

int64_t page_bytes() {
  static const int64_t bytes = sysconf(_SC_PAGESIZE);
  return bytes;
}

}  // namespace

PageArena::PageArena(int64_t bytes, const char* purpose) : bytes_(bytes) {
  if (bytes == 0) return;
  void* data = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  KVASIR_CHECK(data != MAP_FAILED, "ERR_OUT_OF_MEMORY", "cannot get ", bytes, " bytes for ", purpose, ": ", std::strerror(errno));
  data_ = static_cast<uint8_t*>(data);
#ifdef MADV_HUGEPAGE
  if (bytes >= kHugePage) madvise(data, static_cast<size_t>(bytes), MADV_HUGEPAGE);
#endif
}

PageArena::~PageArena() {
  if (data_ != nullptr) munmap(data_, static_cast<size_t>(bytes_));
}

MappedFile::MappedFile(const std::string& path, int64_t expected_bytes) : bytes_(expected_bytes) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  KVASIR_CHECK(descriptor >= 0, "ERR_WEIGHT_FILE", "cannot open '", path, "': ", std::strerror(errno));
  struct stat status {};
  const bool known = fstat(descriptor, &status) == 0;
  if (!known || static_cast<int64_t>(status.st_size) != expected_bytes) {
    close(descriptor);
    KVASIR_CHECK(known, "ERR_WEIGHT_FILE", "cannot read the size of '", path, "'");
    KVASIR_CHECK(false, "ERR_WEIGHT_FILE", "'", path, "' has ", static_cast<int64_t>(status.st_size), " bytes, expected ", expected_bytes,
                 ": it was truncated or replaced since its header was read, fetch it again");
  }
  void* data = mmap(nullptr, static_cast<size_t>(expected_bytes), PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int error = errno;
  close(descriptor);
  KVASIR_CHECK(data != MAP_FAILED, "ERR_WEIGHT_FILE", "cannot map '", path, "': ", std::strerror(error));
  data_ = static_cast<uint8_t*>(data);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, static_cast<size_t>(bytes_));
}

void MappedFile::will_need(int64_t offset, int64_t length) const {
  const int64_t begin = offset / page_bytes() * page_bytes();
  madvise(data_ + begin, static_cast<size_t>(offset + length - begin), MADV_WILLNEED);
}

void MappedFile::release(int64_t offset, int64_t length) const {
  const int64_t begin = (offset + page_bytes() - 1) / page_bytes() * page_bytes();
  const int64_t end = (offset + length) / page_bytes() * page_bytes();
  if (begin < end) madvise(data_ + begin, static_cast<size_t>(end - begin), MADV_DONTNEED);
}

}  // namespace kvasir
