#include <algorithm>

#include "encoding.h"
#include "kernels.h"
#include "kvasir/check.h"
#include "linear.h"
#include "pack.h"

namespace kvasir {
namespace {

using PanelPacker = void (*)(const LinearShape&, const SourceRows&, int64_t, int32_t, const PanelTarget&);

// What tells the three layouts apart.
struct Layout {
  ActivationForm form;
  const char* name;
  int64_t panel_bytes;
  int64_t depth;
  PanelPacker pack;
  StripKernel kernel;
};

class StripLinear final : public PackedLinear {
 public:
  StripLinear(const LinearShape& shape, const Layout& layout)
      : PackedLinear(shape), layout_(layout), activation_stride_(activation_row_bytes(layout.form, shape.k)) {}

  ActivationForm activation_form() const override { return layout_.form; }
  const char* layout_name() const override { return layout_.name; }
  size_t packed_bytes() const override { return static_cast<size_t>((num_panels() * layout_.panel_bytes + 63) / 64 * 64); }
  void attach(uint8_t* storage) override { storage_ = storage; }

  void pack(const SourceRows& source, int64_t begin, int64_t end) override {
    check_range(begin, end);
    const int64_t row_bytes = encoded_row_bytes(shape_.encoding, shape_.k);
    KVASIR_CHECK(source.bytes != nullptr && source.row_bytes >= row_bytes, "ERR_INVALID_WEIGHT", "source rows of ", source.row_bytes,
                 " bytes, expected at least ", row_bytes, " for ", shape_.k, " elements of ", encoding_name(shape_.encoding));
    const int64_t head_dim = source.interleaved_rope_head_dim;
    KVASIR_CHECK(head_dim >= 0 && head_dim % 2 == 0 && (head_dim == 0 || shape_.n % head_dim == 0), "ERR_INVALID_WEIGHT", "rope head of ",
                 head_dim, " rows, expected an even divisor of ", shape_.n, " outputs");
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t first = panel * kPanelWidth;
      const auto count = static_cast<int32_t>(std::min<int64_t>(kPanelWidth, shape_.n - first));
      layout_.pack(shape_, source, first, count, {strip(panel), strip_panels(panel), static_cast<int32_t>(panel % kStripPanels)});
    }
  }

  void forward_strip(const uint8_t* activations, int64_t rows, float* out, int64_t out_stride, int64_t begin, int64_t end,
                     const uint8_t* next) const override {
    check_range(begin, end);
    const int64_t panels = strip_panels(begin);
    KVASIR_CHECK(begin % kStripPanels + (end - begin) <= panels, "ERR_INTERNAL", "panels [", begin, ", ", end, ") are more than one strip");
    if (rows <= 0 || begin == end) return;
    StripCall call;
    call.strip = strip(begin);
    call.strip_panels = static_cast<int32_t>(panels);
    call.first_panel = static_cast<int32_t>(begin % kStripPanels);
    call.num_panels = static_cast<int32_t>(end - begin);
    call.strip_bytes = panels * layout_.panel_bytes;
    call.next = next;
    call.depth = layout_.depth;
    call.activations = activations;
    call.activation_stride = activation_stride_;
    call.rows = rows;
    call.out = out;
    call.out_stride = out_stride;
    call.columns = std::min(shape_.n, end * kPanelWidth) - begin * kPanelWidth;
    layout_.kernel(call);
  }

  const uint8_t* panel_data(int64_t panel) const override { return strip(panel); }

 private:
  void check_range(int64_t begin, int64_t end) const {
    KVASIR_CHECK(storage_ != nullptr && 0 <= begin && begin <= end && end <= num_panels(), "ERR_INTERNAL", "panels [", begin, ", ", end,
                 ") of ", num_panels(), ", storage ", storage_ != nullptr ? "attached" : "missing");
  }
  uint8_t* strip(int64_t panel) const { return storage_ + panel / kStripPanels * kStripPanels * layout_.panel_bytes; }
  int32_t strip_panels(int64_t panel) const {
    return static_cast<int32_t>(std::min<int64_t>(kStripPanels, num_panels() - panel / kStripPanels * kStripPanels));
  }

  Layout layout_;
  size_t activation_stride_;
  uint8_t* storage_ = nullptr;
};

constexpr const char* kCodecNames[kNumCodecs] = {"u4", "u4-min", "u4-super", "u5", "u5-min", "u5-super", "u6-super", "u8"};

Layout choose(const LinearShape& shape, NumericMode mode, Isa isa, bool has_bf16) {
  const LinearKernels& kernels = linear_kernels(isa);
  const int64_t k = shape.k;
  if (mode == NumericMode::automatic && is_quantized(shape.encoding)) {
    const Codec codec = codec_of(shape.encoding);
    const auto index = static_cast<int32_t>(codec);
    const int64_t blocks = k / kGroup / traits(codec).groups_per_block;
    return {ActivationForm::int8, kCodecNames[index], integer_panel_bytes(codec, k), blocks, pack_integer_panel, kernels.integer[index]};
  }
  if (mode == NumericMode::automatic && has_bf16 && kernels.bf16 != nullptr) {
    return {ActivationForm::bf16, "bf16", bf16_panel_bytes(k), (k + 1) / 2, pack_bf16_panel, kernels.bf16};
  }
  return {ActivationForm::f32, "f32", f32_panel_bytes(k), k, pack_f32_panel, kernels.f32};
}

}  // namespace

void PackedLinear::forward(const uint8_t* activations, int64_t rows, float* out, int64_t out_stride, int64_t begin, int64_t end) const {
  KVASIR_CHECK(0 <= begin && begin <= end && end <= num_panels(), "ERR_INTERNAL", "panels [", begin, ", ", end, ") of ", num_panels());
  for (int64_t panel = begin; panel < end;) {
    const int64_t until = std::min(end, (panel / kStripPanels + 1) * kStripPanels);
    forward_strip(activations, rows, out + panel * kPanelWidth, out_stride, panel, until, until < end ? panel_data(until) : nullptr);
    panel = until;
  }
}

std::unique_ptr<PackedLinear> PackedLinear::plan(const LinearShape& shape, NumericMode mode, Isa isa, bool has_bf16) {
  KVASIR_CHECK(shape.n > 0, "ERR_INVALID_WEIGHT", "a linear of ", shape.n, " outputs, expected at least 1");
  encoded_row_bytes(shape.encoding, shape.k);
  return std::make_unique<StripLinear>(shape, choose(shape, mode, isa, has_bf16));
}

}  // namespace kvasir
