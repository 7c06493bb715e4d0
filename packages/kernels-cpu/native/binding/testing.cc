// Kernels one by one, for property tests in TypeScript.
#include <exception>
#include <vector>

#include "../linear/linear.h"
#include "addon.h"
#include "kvasir/check.h"
#include "kvasir/step_thread.h"

namespace kvasir {
namespace {

Napi::Uint8Array bytes_argument(const Napi::CallbackInfo& info, size_t index) {
  KVASIR_CHECK(info[index].IsTypedArray() && info[index].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array, "ERR_INVALID_ARGUMENT",
               "argument ", index, " is not a Uint8Array");
  return info[index].As<Napi::Uint8Array>();
}

int64_t integer_argument(const Napi::CallbackInfo& info, size_t index, int64_t low, int64_t high) {
  const double value = info[index].ToNumber().DoubleValue();
  KVASIR_CHECK(value >= static_cast<double>(low) && value <= static_cast<double>(high) && value == static_cast<double>(static_cast<int64_t>(value)),
               "ERR_INVALID_ARGUMENT", "argument ", index, " is ", value, ", expected ", low, " to ", high);
  return static_cast<int64_t>(value);
}

WeightEncoding encoding_argument(const Napi::CallbackInfo& info, size_t index) {
  return static_cast<WeightEncoding>(integer_argument(info, index, 0, static_cast<int64_t>(WeightEncoding::q6_k)));
}

// decodeRow(encoding, bytes, k): Float32Array
Napi::Value decode_row_js(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const WeightEncoding encoding = encoding_argument(info, 0);
    const Napi::Uint8Array bytes = bytes_argument(info, 1);
    const int64_t k = integer_argument(info, 2, 1, 1 << 24);
    KVASIR_CHECK(static_cast<int64_t>(bytes.ElementLength()) == encoded_row_bytes(encoding, k), "ERR_INVALID_ARGUMENT", "a row of ",
                 bytes.ElementLength(), " bytes, expected ", encoded_row_bytes(encoding, k));
    auto out = Napi::Float32Array::New(info.Env(), static_cast<size_t>(k));
    decode_row(encoding, bytes.Data(), k, out.Data());
    return out;
  });
}

// linear(n, k, encoding, mode, isa, hasBf16, ropeHeadDim, weights, x): Float32Array [rows of x, n]
Napi::Value linear_js(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    LinearShape shape;
    shape.n = integer_argument(info, 0, 1, 1 << 20);
    shape.k = integer_argument(info, 1, 1, 1 << 20);
    shape.encoding = encoding_argument(info, 2);
    const auto mode = static_cast<NumericMode>(integer_argument(info, 3, 0, 1));
    const auto isa = static_cast<Isa>(integer_argument(info, 4, 0, kNumIsas - 1));
    const bool has_bf16 = info[5].ToBoolean().Value();
    SourceRows source;
    source.interleaved_rope_head_dim = integer_argument(info, 6, 0, 1 << 16);
    const Napi::Uint8Array bytes = bytes_argument(info, 7);
    KVASIR_CHECK(info[8].IsTypedArray() && info[8].As<Napi::TypedArray>().TypedArrayType() == napi_float32_array, "ERR_INVALID_ARGUMENT", "x is not a Float32Array");
    const auto x = info[8].As<Napi::Float32Array>();
    source.bytes = bytes.Data();
    source.row_bytes = encoded_row_bytes(shape.encoding, shape.k);
    KVASIR_CHECK(static_cast<int64_t>(bytes.ElementLength()) == source.row_bytes * shape.n && static_cast<int64_t>(x.ElementLength()) % shape.k == 0,
                 "ERR_INVALID_ARGUMENT", "weights of ", bytes.ElementLength(), " bytes and x of ", x.ElementLength(), " numbers do not fit ", shape.n, " by ", shape.k);
    const int64_t rows = static_cast<int64_t>(x.ElementLength()) / shape.k;
    auto out = Napi::Float32Array::New(info.Env(), static_cast<size_t>(rows * shape.n));
    const auto compute = [&] {
      const auto packed = PackedLinear::plan(shape, mode, isa, has_bf16);
      std::vector<uint8_t> storage(packed->packed_bytes() + 64);
      packed->attach(storage.data() + (64 - reinterpret_cast<uintptr_t>(storage.data()) % 64));
      packed->pack(source, 0, packed->num_panels());
      const size_t row_bytes = activation_row_bytes(packed->activation_form(), shape.k);
      std::vector<uint8_t> activations(row_bytes * static_cast<size_t>(rows) + 64);
      uint8_t* first = activations.data() + (64 - reinterpret_cast<uintptr_t>(activations.data()) % 64);
      for (int64_t row = 0; row < rows; row++) prepare_activation(packed->activation_form(), isa, x.Data() + row * shape.k, shape.k, first + row * static_cast<int64_t>(row_bytes));
      packed->forward(first, rows, out.Data(), shape.n, 0, packed->num_panels());
    };
    // On a thread of its own: compute threads flush subnormals, and this one belongs to JavaScript.
    std::exception_ptr failure;
    StepThread thread;
    thread.submit([&] {
      try {
        compute();
      } catch (...) {
        failure = std::current_exception();
      }
    });
    thread.stop();
    if (failure != nullptr) std::rethrow_exception(failure);
    return out;
  });
}

}  // namespace

Napi::Object make_testing_exports(Napi::Env env) {
  auto object = Napi::Object::New(env);
  object.Set("decodeRow", Napi::Function::New(env, decode_row_js, "decodeRow"));
  object.Set("linear", Napi::Function::New(env, linear_js, "linear"));
  return object;
}

}  // namespace kvasir
