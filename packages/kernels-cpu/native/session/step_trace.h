// Where the time of steps goes, by kind of phase. Kept by thread 0, which waits at every barrier for the others.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace kvasir {

class StepTrace {
 public:
  struct Entry {
    double micros = 0;
    int64_t calls = 0;
  };
  using Clock = std::chrono::steady_clock;

  void start() { last_ = Clock::now(); }
  // Books the time since start() or the last lap under `label`.
  void lap(const std::string& label) {
    const Clock::time_point now = Clock::now();
    Entry& entry = entries_[label];
    entry.micros += std::chrono::duration<double, std::micro>(now - last_).count();
    entry.calls++;
    last_ = now;
  }
  std::map<std::string, Entry> take() { return std::exchange(entries_, {}); }

 private:
  Clock::time_point last_;
  std::map<std::string, Entry> entries_;
};

}  // namespace kvasir
