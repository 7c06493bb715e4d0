// State of the addon in one environment (the main thread, or a worker); nothing is shared between environments.
#pragma once
#include <napi.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "../session/program.h"

namespace kvasir {

struct EnvironmentData {
  Napi::FunctionReference session_class;
  Napi::FunctionReference encoder_class;
};

// A JavaScript error with a `code`.
Napi::Error to_js_error(Napi::Env env, const std::string& code, const std::string& message);
// Calls `work` and turns whatever C++ throws into a JavaScript error.
Napi::Value guarded(const Napi::CallbackInfo& info, const std::function<Napi::Value()>& work);
// The description of a session: arguments 0 (Float64Array) and 1 (array of strings).
using ReadSpec = SessionSpec(const double* numbers, int64_t count, const std::vector<std::string>& texts);
SessionSpec session_spec_argument(const Napi::CallbackInfo& info, ReadSpec* read = read_session_spec);
// Calls `object[name]`. An exception of its own becomes an uncaught one; an environment that is being terminated calls nothing.
void call_method(Napi::Env env, const Napi::Object& object, const char* name, const std::initializer_list<napi_value>& args);

// Kernels one by one, for tests.
Napi::Object make_testing_exports(Napi::Env env);

}  // namespace kvasir
