#include "session_wrap.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "addon.h"
#include "kvasir/check.h"

namespace kvasir {

Napi::Function SessionWrap::define(Napi::Env env) {
  return DefineClass(env, "NativeSession",
                     {
                         InstanceMethod<&SessionWrap::open>("open"),
                         InstanceMethod<&SessionWrap::abort_open>("abortOpen"),
                         InstanceMethod<&SessionWrap::submit>("submit"),
                         InstanceMethod<&SessionWrap::take_result>("takeResult"),
                         InstanceMethod<&SessionWrap::read_block>("readBlock"),
                         InstanceMethod<&SessionWrap::write_block>("writeBlock"),
                         InstanceMethod<&SessionWrap::take_trace>("takeTrace"),
                         InstanceMethod<&SessionWrap::memory>("memory"),
                         InstanceMethod<&SessionWrap::close>("close"),
                     });
}

SessionWrap::SessionWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SessionWrap>(info) {
  guarded(info, [&]() -> Napi::Value {
    KVASIR_CHECK(info.Length() == 3 && info[2].IsObject(), "ERR_INVALID_ARGUMENT", "expected a description, texts and callbacks");
    host_ = std::make_unique<SessionHost>(session_spec_argument(info), [this](Event event) {
      auto* crossing = new Event(std::move(event));
      if (channel_.NonBlockingCall(crossing) != napi_ok) delete crossing;
    });
    callbacks_ = Napi::Persistent(info[2].As<Napi::Object>());
    // The channel is made before the cleanup hook: hooks run last in, first out, so the thread is joined while the channel still lives.
    channel_ = Channel::New(info.Env(), "kvasir session", 0, 1, this);
    channel_.Unref(info.Env());
    napi_add_env_cleanup_hook(info.Env(), tear_down_hook, this);
    return info.Env().Undefined();
  });
}

SessionWrap::~SessionWrap() {
  // Not reached while anything is under way: begin() holds a reference. A session that is dropped without close() ends here.
  if (host_ != nullptr) {
    napi_remove_env_cleanup_hook(Env(), tear_down_hook, this);
    tear_down();
    channel_.Release();
  }
}

void SessionWrap::tear_down_hook(void* self) { static_cast<SessionWrap*>(self)->tear_down(); }

// The environment goes away, or the object: no callback will be called any more.
void SessionWrap::tear_down() {
  if (host_ == nullptr) return;
  host_->shut_down();
  host_.reset();
}

void SessionWrap::begin(Napi::Env env) {
  if (num_under_way_++ > 0) return;
  Ref();
  channel_.Ref(env);
}

void SessionWrap::end(Napi::Env env) {
  if (--num_under_way_ > 0) return;
  channel_.Unref(env);
  Unref();
}

void SessionWrap::expect_idle() const {
  KVASIR_CHECK(host_ != nullptr && is_open_ && !closed_, "ERR_SESSION_CLOSED", "the session is closed: open another");
  KVASIR_CHECK(num_under_way_ == 0, "ERR_INVALID_STEP", num_under_way_, " steps are outstanding: wait for them first");
}

Napi::Value SessionWrap::open(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    KVASIR_CHECK(host_ != nullptr && !is_open_, "ERR_INTERNAL", "the session is open already");
    begin(info.Env());
    host_->open();
    return info.Env().Undefined();
  });
}

Napi::Value SessionWrap::abort_open(const Napi::CallbackInfo& info) {
  if (host_ != nullptr) host_->abort_open();
  return info.Env().Undefined();
}

Napi::Value SessionWrap::submit(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    KVASIR_CHECK(host_ != nullptr && is_open_ && !closed_, "ERR_SESSION_CLOSED", "the session is closed: open another");
    KVASIR_CHECK(num_under_way_ < host_->ring_size(), "ERR_INVALID_STEP", num_under_way_, " steps are outstanding, expected fewer than ", host_->ring_size());
    KVASIR_CHECK(info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_int32_array && info[1].IsNumber(),
                 "ERR_INVALID_STEP", "words is not an Int32Array");
    const auto words = info[0].As<Napi::Int32Array>();
    const double num_words = info[1].As<Napi::Number>().DoubleValue();
    KVASIR_CHECK(num_words >= 0 && num_words <= static_cast<double>(words.ElementLength()), "ERR_INVALID_STEP", "numWords is ", num_words,
                 ", the arena has ", words.ElementLength());
    const auto ring = static_cast<int32_t>(next_step_++ % host_->ring_size());
    host_->submit(ring, words.Data(), static_cast<int64_t>(num_words));
    begin(info.Env());
    return Napi::Number::New(info.Env(), ring);
  });
}

// takeResult(ring, arena): writes outputs, rows, topIds and topLogprobs one after the other, and returns how many there are.
// `counts` receives [stepId, numOutputs, numRows, numTop, computeMicros].
Napi::Value SessionWrap::take_result(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    KVASIR_CHECK(host_ != nullptr && info[0].IsNumber() && info[1].IsTypedArray() && info[2].IsTypedArray(), "ERR_INTERNAL", "takeResult(ring, arena, counts)");
    const int32_t ring = info[0].As<Napi::Number>().Int32Value();
    KVASIR_CHECK(ring >= 0 && ring < host_->ring_size(), "ERR_INTERNAL", "ring is ", ring);
    const StepResultBuffers& result = host_->result(ring);
    auto arena = info[1].As<Napi::Int32Array>();
    auto counts = info[2].As<Napi::Float64Array>();
    const size_t num_outputs = static_cast<size_t>(result.num_outputs) * kResultWords, num_rows = static_cast<size_t>(result.num_rows) * kRowResultWords;
    const auto num_top = static_cast<size_t>(result.num_top);
    KVASIR_CHECK(arena.TypedArrayType() == napi_int32_array && arena.ElementLength() >= num_outputs + num_rows + 2 * num_top && counts.ElementLength() >= 5,
                 "ERR_INTERNAL", "the result arena has ", arena.ElementLength(), " words, expected ", num_outputs + num_rows + 2 * num_top);
    int32_t* out = arena.Data();
    out = std::copy_n(result.outputs.data(), num_outputs, out);
    out = std::copy_n(result.rows.data(), num_rows, out);
    out = std::copy_n(result.top_ids.data(), num_top, out);
    if (num_top > 0) std::memcpy(out, result.top_logprobs.data(), num_top * 4);
    double* count = counts.Data();
    count[0] = result.step_id;
    count[1] = result.num_outputs;
    count[2] = result.num_rows;
    count[3] = result.num_top;
    count[4] = result.compute_micros;
    return info.Env().Undefined();
  });
}

Napi::Value SessionWrap::read_block(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    expect_idle();
    const Span<uint8_t> bytes = host_->session().block(info[0].ToNumber().Int32Value(), info[1].ToNumber().Int32Value());
    auto copy = Napi::Uint8Array::New(info.Env(), static_cast<size_t>(bytes.size()));
    std::memcpy(copy.Data(), bytes.data(), static_cast<size_t>(bytes.size()));
    return copy;
  });
}

Napi::Value SessionWrap::write_block(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    expect_idle();
    KVASIR_CHECK(info[2].IsTypedArray() && info[2].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array, "ERR_INVALID_ARGUMENT", "bytes is not a Uint8Array");
    const Span<uint8_t> block = host_->session().block(info[0].ToNumber().Int32Value(), info[1].ToNumber().Int32Value());
    const auto bytes = info[2].As<Napi::Uint8Array>();
    KVASIR_CHECK(static_cast<int64_t>(bytes.ElementLength()) == block.size(), "ERR_INVALID_ARGUMENT", "a block of ", bytes.ElementLength(),
                 " bytes, expected ", block.size());
    std::memcpy(block.data(), bytes.Data(), static_cast<size_t>(block.size()));
    return info.Env().Undefined();
  });
}

Napi::Value SessionWrap::take_trace(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    expect_idle();
    auto entries = Napi::Array::New(info.Env());
    uint32_t index = 0;
    for (const auto& [label, entry] : host_->session().trace().take()) {
      auto object = Napi::Object::New(info.Env());
      object.Set("label", label);
      object.Set("micros", entry.micros);
      object.Set("calls", static_cast<double>(entry.calls));
      entries.Set(index++, object);
    }
    return entries;
  });
}

Napi::Value SessionWrap::memory(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    expect_idle();
    auto object = Napi::Object::New(info.Env());
    object.Set("weightBytes", static_cast<double>(host_->session().weight_bytes_held()));
    object.Set("scratchBytes", static_cast<double>(host_->session().scratch_bytes_held()));
    object.Set("numSlots", host_->session().num_slots());
    return object;
  });
}

Napi::Value SessionWrap::close(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    KVASIR_CHECK(host_ != nullptr && !closed_, "ERR_SESSION_CLOSED", "the session is closed already");
    closed_ = true;
    begin(info.Env());
    host_->close();
    return info.Env().Undefined();
  });
}

void SessionWrap::on_event(Napi::Env env, Napi::Function, SessionWrap* self, Event* event) {
  const std::unique_ptr<Event> owned(event);
  // Without an environment the channel only drains.
  if (static_cast<napi_env>(env) == nullptr || self->host_ == nullptr) return;
  Napi::HandleScope scope(env);
  try {
    self->handle(env, *owned);
  } catch (const Napi::Error&) {
    // The environment is being terminated: nothing can be called in it any more.
  }
}

// Calls a callback. An exception of its own becomes an uncaught one; an environment that is being terminated calls nothing.
void SessionWrap::call(Napi::Env env, const char* name, const std::initializer_list<napi_value>& args) {
  call_method(env, callbacks_.Value(), name, args);
}

void SessionWrap::handle(Napi::Env env, const Event& event) {
  const auto text = [&](const std::string& value) -> Napi::Value {
    return value.empty() ? env.Undefined() : Napi::Value(Napi::String::New(env, value));
  };
  switch (event.kind) {
    case Event::Kind::progress:
      call(env, "onProgress", {Napi::Number::New(env, event.loaded), Napi::Number::New(env, event.total)});
      return;
    case Event::Kind::opened:
      is_open_ = event.failure.code.empty();
      end(env);
      call(env, "onOpened", {text(event.failure.code), text(event.failure.message)});
      return;
    case Event::Kind::step:
      end(env);
      call(env, "onStep", {text(event.failure.code), text(event.failure.message), Napi::Number::New(env, event.ring)});
      return;
    case Event::Kind::closed:
      host_->join();
      host_.reset();
      napi_remove_env_cleanup_hook(env, tear_down_hook, this);
      end(env);
      channel_.Release();
      call(env, "onClosed", {});
      return;
  }
}

}  // namespace kvasir
