// Errors of native code: CHECK throws, nothing exits the process.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

namespace kvasir {

// A failed CHECK. `code` is the stable name that JavaScript sees.
class Error : public std::runtime_error {
 public:
  Error(const char* code, const std::string& message) : std::runtime_error(message), code_(code) {}
  const char* code() const { return code_; }

 private:
  const char* code_;
};

template <typename... Values>
[[noreturn]] void fail(const char* code, const char* file, int line, const Values&... values) {
  std::ostringstream text;
  (text << ... << values);
  text << " [" << file << ":" << line << "]";
  throw Error(code, text.str());
}

}  // namespace kvasir

#define KVASIR_FILE_NAME (__builtin_strrchr(__FILE__, '/') ? __builtin_strrchr(__FILE__, '/') + 1 : __FILE__)
// Broken invariant or unusable input: throws kvasir::Error with file, line and the values given.
#define KVASIR_CHECK(condition, code, ...) \
  do {                                     \
    if (__builtin_expect(!(condition), 0)) ::kvasir::fail(code, KVASIR_FILE_NAME, __LINE__, __VA_ARGS__); \
  } while (0)
