// Linear layers: y[m, n] = sum_k x[m, k] * w[n, k]. Weights are packed once into column panels of 16 outputs;
// each output element has one accumulator that takes its groups of k in order, so its bits depend neither on how
// many rows share the call, nor on which thread or tile computes it.
//
//   dims: N outputs, K inputs, M rows of the call. A panel is 16 consecutive outputs (the last one padded).
//
// No N-API here. Safe to call from any thread; a PackedLinear is immutable after packing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace kvasir {

constexpr int kPanelWidth = 16;
constexpr int kActivationGroup = 32;

// How the numbers of a weight lie in its source bytes (mirrors `Encoding` of @kvasir/interfaces).
enum class WeightEncoding : int32_t { f32 = 0, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k };

// Kernel paths. `avx512` means AVX-512 F/BW/DQ/VL with VNNI; `neon_dotprod` is `neon` with SDOT.
enum class Isa : int32_t { scalar = 0, avx2 = 1, avx512 = 2, neon = 3, neon_dotprod = 4 };
constexpr int32_t kNumIsas = 5;

enum class NumericMode : int32_t { automatic = 0, float32 = 1 };

// Form in which a linear wants the rows of its input.
enum class ActivationForm : int32_t {
  f32 = 0,    // float[K]
  bf16 = 1,   // bf16[K], K rounded up to 2 with a zero
  int8 = 2,   // groups of 32: int8[32] with scale = absmax / 127, and sums (ActivationBlock of layout.h)
};

struct LinearShape {
  int64_t n = 0;
  int64_t k = 0;
  WeightEncoding encoding = WeightEncoding::f32;
};

// Row order of the source (see RowOrder in @kvasir/interfaces). head_dim = 0: stored in its own order.
struct SourceRows {
  const uint8_t* bytes = nullptr;
  int64_t row_bytes = 0;
  int64_t interleaved_rope_head_dim = 0;
  // Source row that holds output row n.
  int64_t stored_row(int64_t n) const;
};

// Bytes of one row of K elements in `encoding`; throws ERR_INVALID_WEIGHT when K does not fit its blocks.
int64_t encoded_row_bytes(WeightEncoding encoding, int64_t k);

// Decodes one row to float32, exactly as the reference decoders of @kvasir/quant (used for embeddings, norms, f32 mode).
void decode_row(WeightEncoding encoding, const uint8_t* row, int64_t k, float* out);

class PackedLinear {
 public:
  // Chooses kernel and layout for the shape, mode and path; allocates nothing yet.
  // has_bf16: the CPU multiplies bf16 pairs (AVX512-BF16).
  static std::unique_ptr<PackedLinear> plan(const LinearShape& shape, NumericMode mode, Isa isa, bool has_bf16);
  virtual ~PackedLinear() = default;

  const LinearShape& shape() const { return shape_; }
  int64_t num_panels() const { return (shape_.n + kPanelWidth - 1) / kPanelWidth; }
  virtual ActivationForm activation_form() const = 0;
  // Short name of the packed layout, for reports: f32, bf16, u8, u4-super, ...
  virtual const char* layout_name() const = 0;
  // Bytes that the packed weight takes; pack() writes into a buffer of this size, 64-byte aligned, that outlives the object.
  virtual size_t packed_bytes() const = 0;
  virtual void attach(uint8_t* storage) = 0;
  // Packs panels [begin, end); disjoint ranges may be packed by different threads.
  virtual void pack(const SourceRows& source, int64_t begin, int64_t end) = 0;
  // y[m * out_stride + n] for all M rows and the outputs of panels [begin, end). Writes nothing past column N.
  // `activations` holds M rows of activation_row_bytes(activation_form(), K) each.
  void forward(const uint8_t* activations, int64_t rows, float* out, int64_t out_stride, int64_t begin, int64_t end) const;
  // The same for panels [begin, end) of one strip, with `out` at its first output; fetches the beginning of `next` on the way, the packed
  // weight that the caller reads then (null: unknown).
  virtual void forward_strip(const uint8_t* activations, int64_t rows, float* out, int64_t out_stride, int64_t begin, int64_t end,
                             const uint8_t* next) const = 0;
  // First byte of the strip of a panel.
  virtual const uint8_t* panel_data(int64_t panel) const = 0;

 protected:
  explicit PackedLinear(const LinearShape& shape) : shape_(shape) {}
  LinearShape shape_;
};

// Bytes of one prepared activation row, a multiple of 64.
size_t activation_row_bytes(ActivationForm form, int64_t k);
// Bytes from the beginning of a prepared row to its element k, a multiple of kActivationGroup: rows may be prepared in parts.
size_t activation_offset(ActivationForm form, int64_t k);
// Prepares one row. For equal input the same bytes on every path.
void prepare_activation(ActivationForm form, Isa isa, const float* x, int64_t k, uint8_t* out);

}  // namespace kvasir
