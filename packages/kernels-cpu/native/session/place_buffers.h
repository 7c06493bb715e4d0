// Where buffers lie: local ones in the scratch of a thread, the others in one arena, by the phases they live in.
#pragma once
#include "compile.h"

namespace kvasir {

void place_buffers(CompiledProgram& program, int64_t max_tokens, int64_t max_outputs);

}  // namespace kvasir
