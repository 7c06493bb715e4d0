// Measures how many int8 multiply-adds the cores can do, away from the event loop.
#pragma once
#include <napi.h>

namespace kvasir {

// measureInt8Peak(numThreads): Promise<number>, operations a second (a multiply and an add are two); 0 where the best path has no int8 dot product.
Napi::Value measure_int8_peak(const Napi::CallbackInfo& info);

}  // namespace kvasir
