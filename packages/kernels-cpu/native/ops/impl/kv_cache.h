// The paged KV cache: element types and the write of one token. Layout: KvLayout in ops.h.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

struct KvF32 {
  using Element = float;
  static inline F32x16 load16(const float* p) { return load(p); }
  static inline void store16(float* p, F32x16 x) { store(p, x); }
};
struct KvF16 {
  using Element = uint16_t;
  static inline F32x16 load16(const uint16_t* p) { return load_f16(p); }
  static inline void store16(uint16_t* p, F32x16 x) { store_f16(p, x); }
};
struct KvBf16 {
  using Element = uint16_t;
  static inline F32x16 load16(const uint16_t* p) { return load_bf16(p); }
  // Round to nearest even in integers; NaN stays NaN.
  static inline void store16(uint16_t* p, F32x16 x) {
    const I32x16 bits = as_i32(x);
    const I32x16 upper = shift_right<16>(bits);
    const I32x16 rounded = add(add(bits, set1_i32(0x7fff)), bit_and(upper, set1_i32(1)));
    const I32x16 quiet = bit_xor(upper, sub(set1_i32(0x40), bit_and(upper, set1_i32(0x40))));
    store_u16(p, select(equal(x, x), shift_right<16>(rounded), quiet));
  }
};

template <class Kv>
static inline F32x16 load_kv_first(const typename Kv::Element* p, int lanes) {
  typename Kv::Element padded[16] = {};
  for (int i = 0; i < lanes; i++) padded[i] = p[i];
  return Kv::load16(padded);
}

template <class Kv>
static void write_token(const KvLayout& layout, uint8_t* block, int32_t slot, const float* key, const float* value) {
  using Element = typename Kv::Element;
  const int64_t dim = layout.head_dim;
  const int64_t head_elements = 2 * dim * layout.block_size;
  Element* head = reinterpret_cast<Element*>(block + layout.layer_offset);
  for (int32_t h = 0; h < layout.num_kv_heads; h++, head += head_elements, key += dim, value += dim) {
    Element* keys = head + (slot / kKvTile) * dim * kKvTile + slot % kKvTile;
    Element* values = head + dim * layout.block_size + slot * dim;
    for_vectors(dim, [&](int64_t i, int lanes) {
      Element rounded[16];
      Kv::store16(rounded, load_lanes(key + i, lanes));
      for (int j = 0; j < lanes; j++) keys[(i + j) * kKvTile] = rounded[j];
      if (lanes == 16) return Kv::store16(values + i, load(value + i));
      Kv::store16(rounded, load_first(value + i, lanes));
      for (int j = 0; j < lanes; j++) values[i + j] = rounded[j];
    });
  }
}

static void kv_write(const KvLayout& layout, uint8_t* block, int32_t slot_in_block, const float* key, const float* value) {
  switch (layout.dtype) {
    case KvDtype::f32: return write_token<KvF32>(layout, block, slot_in_block, key, value);
    case KvDtype::f16: return write_token<KvF16>(layout, block, slot_in_block, key, value);
    case KvDtype::bf16: return write_token<KvBf16>(layout, block, slot_in_block, key, value);
  }
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
