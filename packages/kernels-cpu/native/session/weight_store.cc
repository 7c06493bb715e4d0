#include "weight_store.h"

#include <algorithm>
#include <exception>
#include <mutex>

#include "kvasir/check.h"

namespace kvasir {
namespace {

constexpr int64_t kChunkPanels = 16;

// A range of panels of one linear.
struct PackItem {
  size_t linear;
  int64_t begin, end;
};

}  // namespace

WeightStore::WeightStore(const ProgramSpec& program, CompiledProgram& compiled)
    : program_(program), compiled_(compiled), packed_(compiled.packed_bytes, "packed weights"), vector_arena_(compiled.vector_bytes, "norm weights") {
  for (const FileSpec& file : program.files) files_.emplace_back(file.path, file.size_bytes);
  for (PlannedLinear& linear : compiled.linears) linear.packed->attach(packed_.data() + linear.offset);
  vectors_.assign(program.weights.size(), nullptr);
}

int64_t WeightStore::total_bytes(const ProgramSpec& program, const CompiledProgram& compiled) {
  int64_t total = 0;
  for (const PlannedLinear& linear : compiled.linears) total += program.weights[static_cast<size_t>(linear.weight)].length;
  return total;
}

void WeightStore::decode_vectors() {
  int64_t offset = 0;
  for (size_t i = 0; i < program_.weights.size(); i++) {
    if (!compiled_.is_vector[i]) continue;
    const WeightSpec& weight = program_.weights[i];
    vectors_[i] = reinterpret_cast<float*>(vector_arena_.data() + offset);
    offset += round_up(weight.columns() * 4, 64);
    decode_row(weight.encoding, bytes_of(weight), weight.columns(), vectors_[i]);
    if (weight.interleaved_rope_head_dim == 0) continue;
    // A bias lies in the order of the rows that it is added to.
    const std::vector<float> stored(vectors_[i], vectors_[i] + weight.columns());
    const SourceRows order{nullptr, 0, weight.interleaved_rope_head_dim};
    for (int64_t n = 0; n < weight.columns(); n++) vectors_[i][n] = stored[static_cast<size_t>(order.stored_row(n))];
  }
}

void WeightStore::load(ThreadPool& pool, const LoadControl& control) {
  decode_vectors();
  // In the order of the file, so that a cold file is read once from front to back.
  std::vector<size_t> order(compiled_.linears.size());
  for (size_t i = 0; i < order.size(); i++) order[i] = i;
  const auto spec_of = [&](size_t linear) -> const WeightSpec& { return program_.weights[static_cast<size_t>(compiled_.linears[linear].weight)]; };
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::make_pair(spec_of(a).file, spec_of(a).offset) < std::make_pair(spec_of(b).file, spec_of(b).offset);
  });
  std::vector<PackItem> items;
  for (const size_t linear : order) {
    const int64_t panels = compiled_.linears[linear].packed->num_panels();
    for (int64_t begin = 0; begin < panels; begin += kChunkPanels) items.push_back({linear, begin, std::min(panels, begin + kChunkPanels)});
  }
  const int64_t total = total_bytes(program_, compiled_);
  std::atomic<size_t> next{0};
  std::atomic<int64_t> loaded{0};
  std::mutex mutex;
  std::exception_ptr failure;
  std::atomic<bool> failed{false};
  std::vector<std::atomic<int64_t>> panels_left(compiled_.linears.size());
  for (size_t i = 0; i < panels_left.size(); i++) panels_left[i] = compiled_.linears[i].packed->num_panels();

  pool.run([&](int) {
    try {
      for (;;) {
        if (failed.load(std::memory_order_relaxed) || (control.abort != nullptr && control.abort->load(std::memory_order_relaxed))) return;
        const size_t index = next.fetch_add(1, std::memory_order_relaxed);
        if (index >= items.size()) return;
        const PackItem& item = items[index];
        const WeightSpec& weight = spec_of(item.linear);
        const int64_t row_bytes = encoded_row_bytes(weight.encoding, weight.columns());
        compiled_.linears[item.linear].packed->pack({bytes_of(weight), row_bytes, weight.interleaved_rope_head_dim}, item.begin, item.end);
        const int64_t panels = item.end - item.begin;
        if (panels_left[item.linear].fetch_sub(panels, std::memory_order_acq_rel) == panels) {
          files_[static_cast<size_t>(weight.file)].release(weight.offset, weight.length);
        }
        const int64_t rows = std::min(weight.rows(), item.end * kPanelWidth) - item.begin * kPanelWidth;
        const int64_t sum = loaded.fetch_add(rows * row_bytes, std::memory_order_relaxed) + rows * row_bytes;
        if (control.progress) control.progress(sum, total);
      }
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex);
      if (failure == nullptr) failure = std::current_exception();
      failed.store(true, std::memory_order_relaxed);
    }
  });
  if (failure != nullptr) std::rethrow_exception(failure);
  KVASIR_CHECK(control.abort == nullptr || !control.abort->load(), "ERR_ABORTED", "loading was aborted after ", loaded.load(), " of ", total, " bytes");
}

void WeightStore::embedding_row(int32_t weight, int64_t row, float* out) const {
  const WeightSpec& spec = program_.weights[static_cast<size_t>(weight)];
  const int64_t row_bytes = encoded_row_bytes(spec.encoding, spec.columns());
  decode_row(spec.encoding, bytes_of(spec) + row * row_bytes, spec.columns(), out);
}

}  // namespace kvasir
