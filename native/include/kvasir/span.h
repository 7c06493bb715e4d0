// A typed view that knows its length. Whoever makes one owns the memory for as long as it is used.
#pragma once
#include <cstddef>
#include <cstdint>

#include "check.h"

namespace kvasir {

template <typename T>
class Span {
 public:
  Span() = default;
  Span(T* data, int64_t size) : data_(data), size_(size) {}

  T* data() const { return data_; }
  int64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* begin() const { return data_; }
  T* end() const { return data_ + size_; }

  T& operator[](int64_t index) const {
    KVASIR_CHECK(static_cast<uint64_t>(index) < static_cast<uint64_t>(size_), "ERR_INTERNAL", "index ", index, " of ", size_);
    return data_[index];
  }

  // Elements [offset, offset + count).
  Span slice(int64_t offset, int64_t count) const {
    KVASIR_CHECK(offset >= 0 && count >= 0 && offset <= size_ && count <= size_ - offset, "ERR_INTERNAL", "range [", offset, ", ",
                 offset, " + ", count, ") of ", size_);
    return {data_ + offset, count};
  }

 private:
  T* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace kvasir
