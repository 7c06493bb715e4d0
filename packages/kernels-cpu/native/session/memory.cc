#include "memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
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

namespace {

// Reserves room now: a write to a mapped page that finds none would end the process.
int reserve(int descriptor, int64_t bytes) {
  // Asked first: where the file system cannot reserve, the library writes until it is full.
  struct statvfs room {};
  if (fstatvfs(descriptor, &room) == 0 && static_cast<uint64_t>(room.f_bavail) * room.f_frsize < static_cast<uint64_t>(bytes)) return ENOSPC;
#if defined(__APPLE__)
  fstore_t store = {F_ALLOCATEALL, F_PEOFPOSMODE, 0, static_cast<off_t>(bytes), 0};
  if (fcntl(descriptor, F_PREALLOCATE, &store) != 0) return errno;
  return ftruncate(descriptor, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
#else
  for (;;) {
    const int error = posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
    if (error != EINTR) return error;
  }
#endif
}

}  // namespace

ScratchFile::ScratchFile(const std::string& path, int64_t bytes) : bytes_(bytes) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  KVASIR_CHECK(descriptor >= 0, "ERR_HOST_TIER", "cannot create '", path, "' for the host tier: ", std::strerror(errno),
               errno == EEXIST ? ": the file of a tier is made for one session, name one that does not exist" : "");
  int error = reserve(descriptor, bytes);
  void* data = MAP_FAILED;
  if (error == 0) {
    data = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    error = data == MAP_FAILED ? errno : 0;
  }
  unlink(path.c_str());
  close(descriptor);
  KVASIR_CHECK(error == 0, "ERR_HOST_TIER", "cannot reserve ", bytes, " bytes in '", path, "' for the host tier: ", std::strerror(error),
               ": lower hostTier.numBlocks, or choose a folder with room");
  data_ = static_cast<uint8_t*>(data);
}

ScratchFile::~ScratchFile() {
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
