// Measures how fast memory is read, away from the event loop.
#pragma once
#include <napi.h>

namespace kvasir {

// measureReadBandwidth(bytes, numThreads): Promise<number>, bytes a second. Both are checked in TypeScript.
Napi::Value measure_read_bandwidth(const Napi::CallbackInfo& info);

}  // namespace kvasir
