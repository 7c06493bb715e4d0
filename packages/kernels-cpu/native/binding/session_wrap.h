// The JavaScript object of a session. Its callbacks are called on the thread of its environment only.
#pragma once
#include <napi.h>

#include <initializer_list>
#include <memory>

#include "session_host.h"

namespace kvasir {

// new NativeSession(description, texts, callbacks)
//   callbacks: onProgress(loaded, total), onOpened(code?, message?), onStep(code?, message?, ring), onClosed()
class SessionWrap : public Napi::ObjectWrap<SessionWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit SessionWrap(const Napi::CallbackInfo& info);
  ~SessionWrap() override;

 private:
  static void on_event(Napi::Env env, Napi::Function, SessionWrap* self, Event* event);
  using Channel = Napi::TypedThreadSafeFunction<SessionWrap, Event, on_event>;

  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value abort_open(const Napi::CallbackInfo& info);
  Napi::Value submit(const Napi::CallbackInfo& info);
  Napi::Value take_result(const Napi::CallbackInfo& info);
  Napi::Value read_block(const Napi::CallbackInfo& info);
  Napi::Value write_block(const Napi::CallbackInfo& info);
  Napi::Value take_trace(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  void handle(Napi::Env env, const Event& event);
  void call(Napi::Env env, const char* name, const std::initializer_list<napi_value>& args);
  // Keeps the event loop alive, and this object, while something is under way.
  void begin(Napi::Env env);
  void end(Napi::Env env);
  void tear_down();
  static void tear_down_hook(void* self);
  void expect_idle() const;

  std::unique_ptr<SessionHost> host_;
  Napi::ObjectReference callbacks_;
  Channel channel_;
  int num_under_way_ = 0;
  int64_t next_step_ = 0;
  bool is_open_ = false;
  bool closed_ = false;
};

}  // namespace kvasir
