// Source rows into strips (see layout.h).
#pragma once
#include <cstdint>

#include "layout.h"
#include "linear.h"

namespace kvasir {

// Where panel `panel` of a strip goes.
struct PanelTarget {
  uint8_t* strip;
  int32_t strip_panels;
  int32_t panel;
};

Codec codec_of(WeightEncoding encoding);

// Bytes of one panel over all of K.
int64_t integer_panel_bytes(Codec codec, int64_t k);
int64_t f32_panel_bytes(int64_t k);
int64_t bf16_panel_bytes(int64_t k);

// Each packs the outputs [first, first + count) of a panel, count 1..16; missing outputs become zeros.
void pack_integer_panel(const LinearShape& shape, const SourceRows& source, int64_t first, int32_t count, const PanelTarget& target);
void pack_f32_panel(const LinearShape& shape, const SourceRows& source, int64_t first, int32_t count, const PanelTarget& target);
void pack_bf16_panel(const LinearShape& shape, const SourceRows& source, int64_t first, int32_t count, const PanelTarget& target);

}  // namespace kvasir
