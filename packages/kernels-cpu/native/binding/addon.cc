#include "addon.h"

#include <new>

#include "../session/cpu_features.h"
#include "../session/session.h"
#include "encoder_wrap.h"
#include "int8_peak.h"
#include "kvasir/check.h"
#include "read_bandwidth.h"
#include "session_wrap.h"

namespace kvasir {
namespace {

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::scalar: return "scalar";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
    case Isa::neon: return "neon";
    case Isa::neon_dotprod: return "neon-dotprod";
  }
  return "unknown";
}

Napi::Array strings(Napi::Env env, const std::vector<std::string>& values) {
  auto array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); i++) array.Set(static_cast<uint32_t>(i), values[i]);
  return array;
}

Napi::Value cpu_info(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const CpuFeatures cpu = detect_cpu();
    std::vector<std::string> paths;
    for (const Isa isa : cpu.paths) paths.emplace_back(isa_name(isa));
    auto object = Napi::Object::New(info.Env());
    object.Set("brand", cpu.brand);
    object.Set("features", strings(info.Env(), cpu.names));
    object.Set("isas", strings(info.Env(), paths));
    object.Set("hasBf16", cpu.has_bf16);
    object.Set("availableCores", available_cores());
    return object;
  });
}

Napi::Value plan_session(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const CpuSession session(session_spec_argument(info));
    const SessionPlan& plan = session.plan();
    auto object = Napi::Object::New(info.Env());
    object.Set("weightBytes", static_cast<double>(plan.weight_bytes));
    object.Set("mappedBytes", static_cast<double>(plan.mapped_bytes));
    object.Set("scratchBytes", static_cast<double>(plan.scratch_bytes));
    object.Set("hostTierBytes", static_cast<double>(plan.host_tier_bytes));
    object.Set("bytesPerBlock", static_cast<double>(plan.block_bytes));
    return object;
  });
}

Napi::Value plan_encoder(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const EncoderSession session(session_spec_argument(info, read_encoder_spec));
    auto object = Napi::Object::New(info.Env());
    object.Set("weightBytes", static_cast<double>(session.plan().weight_bytes));
    object.Set("mappedBytes", static_cast<double>(session.plan().mapped_bytes));
    object.Set("scratchBytes", static_cast<double>(session.plan().scratch_bytes));
    return object;
  });
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  auto* data = new EnvironmentData();
  env.SetInstanceData(data);
  const Napi::Function session_class = SessionWrap::define(env);
  data->session_class = Napi::Persistent(session_class);
  exports.Set("NativeSession", session_class);
  const Napi::Function encoder_class = EncoderWrap::define(env);
  data->encoder_class = Napi::Persistent(encoder_class);
  exports.Set("NativeEncoder", encoder_class);
  exports.Set("planEncoder", Napi::Function::New(env, plan_encoder, "planEncoder"));
  exports.Set("cpuInfo", Napi::Function::New(env, cpu_info, "cpuInfo"));
  exports.Set("measureInt8Peak", Napi::Function::New(env, measure_int8_peak, "measureInt8Peak"));
  exports.Set("measureReadBandwidth", Napi::Function::New(env, measure_read_bandwidth, "measureReadBandwidth"));
  exports.Set("planSession", Napi::Function::New(env, plan_session, "planSession"));
  exports.Set("testing", make_testing_exports(env));
  return exports;
}

}  // namespace

Napi::Error to_js_error(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

Napi::Value guarded(const Napi::CallbackInfo& info, const std::function<Napi::Value()>& work) {
  try {
    return work();
  } catch (const Napi::Error&) {
    throw;
  } catch (const Error& error) {
    throw to_js_error(info.Env(), error.code(), error.what());
  } catch (const std::bad_alloc&) {
    throw to_js_error(info.Env(), "ERR_OUT_OF_MEMORY", "out of memory");
  } catch (const std::exception& error) {
    throw to_js_error(info.Env(), "ERR_INTERNAL", error.what());
  }
}

void call_method(Napi::Env env, const Napi::Object& object, const char* name, const std::initializer_list<napi_value>& args) {
  napi_value function;
  if (napi_get_named_property(env, object, name, &function) != napi_ok) return;
  if (napi_call_function(env, object, function, args.size(), args.begin(), nullptr) != napi_pending_exception) return;
  napi_value error;
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

SessionSpec session_spec_argument(const Napi::CallbackInfo& info, ReadSpec* read) {
  KVASIR_CHECK(info.Length() >= 2 && info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_float64_array && info[1].IsArray(),
               "ERR_INVALID_ARGUMENT", "expected a Float64Array and an array of strings");
  const auto numbers = info[0].As<Napi::Float64Array>();
  const auto list = info[1].As<Napi::Array>();
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < list.Length(); i++) texts.push_back(list.Get(i).ToString().Utf8Value());
  return read(numbers.Data(), static_cast<int64_t>(numbers.ElementLength()), texts);
}

NODE_API_MODULE(kernels_cpu, initialize)

}  // namespace kvasir
