// Pages from the system: zero until touched, given back when the owner goes.
#pragma once
#include <cstdint>
#include <string>
#include <utility>

namespace kvasir {

// An anonymous mapping. Large ones ask for huge pages.
class PageArena {
 public:
  PageArena() = default;
  PageArena(int64_t bytes, const char* purpose);
  ~PageArena();
  PageArena(PageArena&& other) noexcept { *this = std::move(other); }
  PageArena& operator=(PageArena&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  uint8_t* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  uint8_t* data_ = nullptr;
  int64_t bytes_ = 0;
};

// A mapping of a file that only this process knows: created, its size reserved, and removed from its folder while it is mapped.
class ScratchFile {
 public:
  ScratchFile() = default;
  // Throws ERR_HOST_TIER when there is such a file already, no right to create it or no room for it; then nothing stays behind.
  ScratchFile(const std::string& path, int64_t bytes);
  ~ScratchFile();
  ScratchFile(ScratchFile&& other) noexcept { *this = std::move(other); }
  ScratchFile& operator=(ScratchFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  uint8_t* data() const { return data_; }

 private:
  uint8_t* data_ = nullptr;
  int64_t bytes_ = 0;
};

// A read-only mapping of a whole file of a known size.
class MappedFile {
 public:
  // Throws ERR_WEIGHT_FILE when the file is missing, unreadable or not `expected_bytes` long.
  MappedFile(const std::string& path, int64_t expected_bytes);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
  MappedFile& operator=(MappedFile&&) = delete;

  const uint8_t* data() const { return data_; }
  // Says that these bytes will be read soon, or that they will not be read again; a hint, contents stay.
  void will_need(int64_t offset, int64_t length) const;
  void release(int64_t offset, int64_t length) const;

 private:
  uint8_t* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace kvasir
