// The JavaScript object of an encoder session, and its thread. Callbacks are called on the thread of its environment only.
#pragma once
#include <napi.h>

#include <atomic>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <vector>

#include "../session/encoder_session.h"
#include "kvasir/step_thread.h"
#include "session_host.h"

namespace kvasir {

// new NativeEncoder(description, texts, callbacks)
//   callbacks: onProgress(loaded, total), onOpened(code?, message?), onBatch(code?, message?, vectors?), onClosed()
class EncoderWrap : public Napi::ObjectWrap<EncoderWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit EncoderWrap(const Napi::CallbackInfo& info);
  ~EncoderWrap() override;

 private:
  static void on_event(Napi::Env env, Napi::Function, EncoderWrap* self, Event* event);
  using Channel = Napi::TypedThreadSafeFunction<EncoderWrap, Event, on_event>;

  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value abort_open(const Napi::CallbackInfo& info);
  Napi::Value encode(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  void emit(Event event);
  void handle(Napi::Env env, const Event& event);
  void call(Napi::Env env, const char* name, const std::initializer_list<napi_value>& args);
  // Keeps the event loop alive, and this object, while something is under way.
  void begin(Napi::Env env);
  void end(Napi::Env env);
  void tear_down();
  static void tear_down_hook(void* self);

  std::unique_ptr<EncoderSession> session_;
  std::mutex ending_mutex_;  // close() gives the session up on its thread while tear_down() may be cancelling it
  // The batch that is under way; there is one at a time.
  std::vector<int32_t> tokens_;
  std::vector<int32_t> lengths_;
  std::vector<float> vectors_;
  std::atomic<bool> abort_open_{false};
  std::atomic<bool> shutting_down_{false};
  std::atomic<int64_t> reported_bytes_{0};
  Napi::ObjectReference callbacks_;
  Channel channel_;
  int num_under_way_ = 0;
  bool is_open_ = false;
  bool is_closed_ = false;
  std::unique_ptr<StepThread> thread_;
};

}  // namespace kvasir
