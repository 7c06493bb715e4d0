// The weights of one program: packed linears, vectors in float32, and embeddings read from the mapped file.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "compile.h"
#include "kvasir/thread_pool.h"
#include "memory.h"

namespace kvasir {

// How loading reports and is told to stop. `loaded` and `total` count bytes of the checkpoint.
struct LoadControl {
  std::atomic<bool>* abort = nullptr;
  std::function<void(int64_t loaded, int64_t total)> progress;
};

class WeightStore {
 public:
  // Maps the files and allocates; load() fills. `program` and `compiled` outlive the store.
  WeightStore(const ProgramSpec& program, CompiledProgram& compiled);

  // Packs and decodes on all threads of `pool`. Throws ERR_ABORTED when told to stop.
  void load(ThreadPool& pool, const LoadControl& control);

  const float* vector(int32_t weight) const { return vectors_[static_cast<size_t>(weight)]; }
  // Decodes row `row` of an embedding to `out`.
  void embedding_row(int32_t weight, int64_t row, float* out) const;

  static int64_t total_bytes(const ProgramSpec& program, const CompiledProgram& compiled);

 private:
  const uint8_t* bytes_of(const WeightSpec& weight) const { return files_[static_cast<size_t>(weight.file)].data() + weight.offset; }
  void decode_vectors();

  const ProgramSpec& program_;
  CompiledProgram& compiled_;
  std::vector<MappedFile> files_;
  PageArena packed_;
  PageArena vector_arena_;
  std::vector<float*> vectors_;
};

}  // namespace kvasir
