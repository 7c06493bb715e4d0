// A session on its own thread, apart from JavaScript: jobs go in, events come out through a callback of any thread.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../session/session.h"
#include "kvasir/step_thread.h"

namespace kvasir {

// What went wrong, as it crosses to JavaScript; an empty code is success.
struct Failure {
  std::string code;
  std::string message;
};

struct Event {
  enum class Kind { closed, progress, opened, step };
  Kind kind = Kind::closed;
  double loaded = 0;  // progress
  double total = 0;
  int32_t ring = 0;   // step: whose result is there
  Failure failure;
};

// Runs `work`; whatever it throws becomes a failure.
Failure attempt(const std::function<void()>& work);

// Loading that stops by `abort`, and emits its progress now and then; `reported` counts what was emitted.
LoadControl load_control(std::atomic<bool>& abort, std::atomic<int64_t>& reported, const std::function<void(Event)>& emit);

class SessionHost {
 public:
  using Emit = std::function<void(Event)>;

  SessionHost(SessionSpec spec, Emit emit);

  CpuSession& session() { return *session_; }
  const StepResultBuffers& result(int32_t ring) const { return steps_[static_cast<size_t>(ring)].result; }
  int32_t ring_size() const { return static_cast<int32_t>(steps_.size()); }

  void open();
  void abort_open() { abort_open_.store(true, std::memory_order_relaxed); }
  // Copies the words; the result is in `ring` when its event comes.
  void submit(int32_t ring, const int32_t* words, int64_t num_words);
  // Frees everything after the jobs before it, then emits `closed`.
  void close();
  // Stops the running step and joins the thread; jobs that wait do nothing. The last call, from one thread.
  void shut_down();
  // Joins the thread after `closed`.
  void join() { thread_.stop(); }

 private:
  struct Step {
    explicit Step(const SessionSpec& spec) : result(spec) {}
    std::vector<int32_t> words;
    StepResultBuffers result;
  };
  std::unique_ptr<CpuSession> session_;
  std::mutex ending_mutex_;  // close() gives the session up on its thread while shut_down() may be cancelling it
  std::vector<Step> steps_;
  Emit emit_;
  std::atomic<bool> abort_open_{false};
  std::atomic<bool> shutting_down_{false};
  std::atomic<int64_t> reported_bytes_{0};
  StepThread thread_;
};

}  // namespace kvasir
