#include "session_host.h"

#include <new>
#include <utility>

#include "kvasir/check.h"

namespace kvasir {
namespace {

constexpr int64_t kProgressBytes = int64_t{8} << 20;

}  // namespace

SessionHost::SessionHost(SessionSpec spec, Emit emit) : session_(std::make_unique<CpuSession>(std::move(spec))), emit_(std::move(emit)) {
  for (int32_t i = 0; i < session_->spec().max_in_flight; i++) steps_.emplace_back(session_->spec());
}

Failure attempt(const std::function<void()>& work) {
  try {
    work();
    return {};
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    return {"ERR_OUT_OF_MEMORY", "the session ran out of memory"};
  } catch (const std::exception& error) {
    return {"ERR_INTERNAL", error.what()};
  }
}

LoadControl load_control(std::atomic<bool>& abort, std::atomic<int64_t>& reported, const std::function<void(Event)>& emit) {
  LoadControl control;
  control.abort = &abort;
  control.progress = [&reported, emit](int64_t loaded, int64_t total) {
    int64_t before = reported.load(std::memory_order_relaxed);
    if (loaded < before + kProgressBytes && loaded < total) return;
    if (!reported.compare_exchange_strong(before, loaded)) return;
    Event event;
    event.kind = Event::Kind::progress;
    event.loaded = static_cast<double>(loaded);
    event.total = static_cast<double>(total);
    emit(std::move(event));
  };
  return control;
}

void SessionHost::open() {
  thread_.submit([this] {
    if (shutting_down_.load()) return;
    const LoadControl control = load_control(abort_open_, reported_bytes_, emit_);
    Event event;
    event.kind = Event::Kind::opened;
    event.failure = attempt([&] { session_->load(control); });
    emit_(std::move(event));
  });
}

void SessionHost::submit(int32_t ring, const int32_t* words, int64_t num_words) {
  Step& step = steps_[static_cast<size_t>(ring)];
  step.words.assign(words, words + num_words);
  thread_.submit([this, ring, &step] {
    if (shutting_down_.load()) return;
    Event event;
    event.kind = Event::Kind::step;
    event.ring = ring;
    event.failure = attempt([&] { session_->run_step(step.words.data(), static_cast<int64_t>(step.words.size()), step.result); });
    emit_(std::move(event));
  });
}

void SessionHost::close() {
  thread_.submit([this] {
    if (shutting_down_.load()) return;
    std::unique_ptr<CpuSession> ending;
    {
      std::lock_guard<std::mutex> lock(ending_mutex_);
      ending = std::move(session_);
    }
    ending.reset();
    emit_(Event());
  });
}

void SessionHost::shut_down() {
  abort_open();
  shutting_down_.store(true);
  {
    std::lock_guard<std::mutex> lock(ending_mutex_);
    if (session_ != nullptr) session_->cancel();
  }
  thread_.stop();
}

}  // namespace kvasir
