#include "encoder_wrap.h"

#include <cstring>
#include <utility>

#include "addon.h"
#include "kvasir/check.h"

namespace kvasir {
namespace {

Span<const int32_t> words_of(const Napi::Value& value, const char* what) {
  KVASIR_CHECK(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_int32_array, "ERR_INVALID_BATCH", what, " is not an Int32Array");
  const auto words = value.As<Napi::Int32Array>();
  return {words.Data(), static_cast<int64_t>(words.ElementLength())};
}

}  // namespace

Napi::Function EncoderWrap::define(Napi::Env env) {
  return DefineClass(env, "NativeEncoder",
                     {
                         InstanceMethod<&EncoderWrap::open>("open"),
                         InstanceMethod<&EncoderWrap::abort_open>("abortOpen"),
                         InstanceMethod<&EncoderWrap::encode>("encode"),
                         InstanceMethod<&EncoderWrap::close>("close"),
                     });
}

EncoderWrap::EncoderWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EncoderWrap>(info) {
  guarded(info, [&]() -> Napi::Value {
    KVASIR_CHECK(info.Length() == 3 && info[2].IsObject(), "ERR_INVALID_ARGUMENT", "expected a description, texts and callbacks");
    session_ = std::make_unique<EncoderSession>(session_spec_argument(info, read_encoder_spec));
    callbacks_ = Napi::Persistent(info[2].As<Napi::Object>());
    thread_ = std::make_unique<StepThread>();
    // The channel is made before the cleanup hook: hooks run last in, first out, so the thread is joined while the channel still lives.
    channel_ = Channel::New(info.Env(), "kvasir encoder", 0, 1, this);
    channel_.Unref(info.Env());
    napi_add_env_cleanup_hook(info.Env(), tear_down_hook, this);
    return info.Env().Undefined();
  });
}

EncoderWrap::~EncoderWrap() {
  // Not reached while anything is under way: begin() holds a reference. A session that is dropped without close() ends here.
  if (thread_ != nullptr) {
    napi_remove_env_cleanup_hook(Env(), tear_down_hook, this);
    tear_down();
    channel_.Release();
  }
}

void EncoderWrap::tear_down_hook(void* self) { static_cast<EncoderWrap*>(self)->tear_down(); }

// The environment goes away, or the object: no callback will be called any more. A running batch is stopped, jobs that wait do nothing.
void EncoderWrap::tear_down() {
  if (thread_ == nullptr) return;
  abort_open_.store(true);
  shutting_down_.store(true);
  {
    std::lock_guard<std::mutex> lock(ending_mutex_);
    if (session_ != nullptr) session_->cancel();
  }
  thread_.reset();
  session_.reset();
}

void EncoderWrap::begin(Napi::Env env) {
  if (num_under_way_++ > 0) return;
  Ref();
  channel_.Ref(env);
}

void EncoderWrap::end(Napi::Env env) {
  if (--num_under_way_ > 0) return;
  channel_.Unref(env);
  Unref();
}

void EncoderWrap::emit(Event event) {
  auto* crossing = new Event(std::move(event));
  if (channel_.NonBlockingCall(crossing) != napi_ok) delete crossing;
}

Napi::Value EncoderWrap::open(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    KVASIR_CHECK(thread_ != nullptr && !is_open_, "ERR_INTERNAL", "the session is open already");
    begin(info.Env());
    thread_->submit([this] {
      if (shutting_down_.load()) return;
      const LoadControl control = load_control(abort_open_, reported_bytes_, [this](Event event) { emit(std::move(event)); });
      Event event;
      event.kind = Event::Kind::opened;
      event.failure = attempt([&] { session_->load(control); });
      emit(std::move(event));
    });
    return info.Env().Undefined();
  });
}

Napi::Value EncoderWrap::abort_open(const Napi::CallbackInfo& info) {
  abort_open_.store(true);
  return info.Env().Undefined();
}

Napi::Value EncoderWrap::encode(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    KVASIR_CHECK(thread_ != nullptr && is_open_ && !is_closed_, "ERR_SESSION_CLOSED", "the session is closed: open another");
    KVASIR_CHECK(num_under_way_ == 0, "ERR_INTERNAL", "a batch is under way");
    const Span<const int32_t> tokens = words_of(info[0], "tokenIds"), lengths = words_of(info[1], "lengths");
    tokens_.assign(tokens.begin(), tokens.end());
    lengths_.assign(lengths.begin(), lengths.end());
    begin(info.Env());
    thread_->submit([this] {
      if (shutting_down_.load()) return;
      Event event;
      event.kind = Event::Kind::step;
      event.failure = attempt([&] {
        const auto count = static_cast<int64_t>(lengths_.size());
        KVASIR_CHECK(count <= session_->spec().max_outputs, "ERR_INVALID_BATCH", "got ", count, " sequences, expected from 1 to ", session_->spec().max_outputs);
        vectors_.resize(static_cast<size_t>(count * session_->width()));
        session_->encode({tokens_.data(), static_cast<int64_t>(tokens_.size())}, {lengths_.data(), count}, vectors_.data());
      });
      emit(std::move(event));
    });
    return info.Env().Undefined();
  });
}

Napi::Value EncoderWrap::close(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    KVASIR_CHECK(thread_ != nullptr && !is_closed_, "ERR_SESSION_CLOSED", "the session is closed already");
    is_closed_ = true;
    begin(info.Env());
    thread_->submit([this] {
      if (shutting_down_.load()) return;
      std::unique_ptr<EncoderSession> ending;
      {
        std::lock_guard<std::mutex> lock(ending_mutex_);
        ending = std::move(session_);
      }
      ending.reset();
      emit(Event());
    });
    return info.Env().Undefined();
  });
}

void EncoderWrap::on_event(Napi::Env env, Napi::Function, EncoderWrap* self, Event* event) {
  const std::unique_ptr<Event> owned(event);
  // Without an environment the channel only drains.
  if (static_cast<napi_env>(env) == nullptr || self->thread_ == nullptr) return;
  Napi::HandleScope scope(env);
  try {
    self->handle(env, *owned);
  } catch (const Napi::Error&) {
    // The environment is being terminated: nothing can be called in it any more.
  }
}

// Calls a callback. An exception of its own becomes an uncaught one; an environment that is being terminated calls nothing.
void EncoderWrap::call(Napi::Env env, const char* name, const std::initializer_list<napi_value>& args) {
  call_method(env, callbacks_.Value(), name, args);
}

void EncoderWrap::handle(Napi::Env env, const Event& event) {
  const auto text = [&](const std::string& value) -> Napi::Value {
    return value.empty() ? env.Undefined() : Napi::Value(Napi::String::New(env, value));
  };
  const Napi::Value code = text(event.failure.code), message = text(event.failure.message);
  switch (event.kind) {
    case Event::Kind::progress:
      return call(env, "onProgress", {Napi::Number::New(env, event.loaded), Napi::Number::New(env, event.total)});
    case Event::Kind::opened:
      is_open_ = event.failure.code.empty();
      end(env);
      return call(env, "onOpened", {code, message});
    case Event::Kind::step: {
      const size_t count = event.failure.code.empty() ? vectors_.size() : 0;
      auto vectors = Napi::Float32Array::New(env, count);
      if (count > 0) std::memcpy(vectors.Data(), vectors_.data(), count * 4);
      end(env);
      return call(env, "onBatch", {code, message, vectors});
    }
    case Event::Kind::closed:
      thread_.reset();
      napi_remove_env_cleanup_hook(env, tear_down_hook, this);
      end(env);
      channel_.Release();
      return call(env, "onClosed", {});
  }
}

}  // namespace kvasir
