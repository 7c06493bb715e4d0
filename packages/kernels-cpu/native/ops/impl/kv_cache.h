// The paged KV cache: element types and the write of one token. Layout: KvLayout in ops.h.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

struct KvF32 {
  using Element = float;
  static constexpr bool kScaled = false;
  static inline F32x16 load16(const float* p) { return load(p); }
  static inline void store16(float* p, F32x16 x) { store(p, x); }
};
struct KvF16 {
  using Element = uint16_t;
  static constexpr bool kScaled = false;
  static inline F32x16 load16(const uint16_t* p) { return load_f16(p); }
  static inline void store16(uint16_t* p, F32x16 x) { store_f16(p, x); }
};
struct KvBf16 {
  using Element = uint16_t;
  static constexpr bool kScaled = false;
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

// Codes; what they mean is a factor of each token, which attention applies to scores and weights.
struct KvI8 {
  using Element = int8_t;
  static constexpr bool kScaled = true;
  static inline F32x16 load16(const int8_t* p) { return load_i8(p); }
  // Of numbers within [-127, 127]: the sum holds the nearest integer in its low bits.
  static inline void store16(int8_t* p, F32x16 x) {
    int32_t codes[16];
    store_i32(codes, sub(as_i32(add(x, set1(12582912.0f))), set1_i32(0x4b400000)));
    for (int i = 0; i < 16; i++) p[i] = static_cast<int8_t>(codes[i]);
  }
};

template <class Kv>
static inline F32x16 load_kv_first(const typename Kv::Element* p, int lanes) {
  typename Kv::Element padded[16] = {};
  for (int i = 0; i < lanes; i++) padded[i] = p[i];
  return Kv::load16(padded);
}

// Factor that makes codes of numbers, and the one that makes numbers of codes. All zeros stay so; a number that is not finite makes the whole
// vector NaN, as it would make every score and sum that it enters.
struct CodeScale {
  float encode, decode;
};
static inline CodeScale code_scale_of(const float* x, int64_t dim) {
  F32x16 most = zero(), probe = zero();
  for_vectors(dim, [&](int64_t i, int lanes) {
    const F32x16 v = load_lanes(x + i, lanes);
    most = max(absolute(v), most);
    probe = fma(v, zero(), probe);
  });
  const float peak = reduce_max(most), nan_or_zero = reduce_add(probe);
  const bool usable = peak >= 0x1p-100f && peak <= 3e38f;
  return {usable ? 127.0f / peak : 0.0f, (usable ? peak / 127.0f : 0.0f) + nan_or_zero};
}

template <class Kv>
static inline F32x16 encoded(F32x16 x, CodeScale scale) {
  if (!Kv::kScaled) return x;
  const F32x16 code = mul(x, set1(scale.encode));
  return select(equal(code, code), code, zero());
}

template <class Kv>
static void write_token(const KvLayout& layout, uint8_t* block, int32_t slot, const float* key, const float* value) {
  using Element = typename Kv::Element;
  const int64_t dim = layout.head_dim;
  uint8_t* head = block + layout.layer_offset;
  for (int32_t h = 0; h < layout.num_kv_heads; h++, head += layout.head_bytes(), key += dim, value += dim) {
    CodeScale key_scale{}, value_scale{};
    if (Kv::kScaled) {
      key_scale = code_scale_of(key, dim);
      value_scale = code_scale_of(value, dim);
      float* scales = reinterpret_cast<float*>(head);
      scales[slot] = key_scale.decode;
      scales[layout.block_size + slot] = value_scale.decode;
    }
    Element* elements = reinterpret_cast<Element*>(head + layout.scales_bytes());
    Element* keys = elements + (slot / kKvTile) * dim * kKvTile + slot % kKvTile;
    Element* values = elements + dim * layout.block_size + slot * dim;
    for_vectors(dim, [&](int64_t i, int lanes) {
      Element rounded[16];
      Kv::store16(rounded, encoded<Kv>(load_lanes(key + i, lanes), key_scale));
      for (int j = 0; j < lanes; j++) keys[(i + j) * kKvTile] = rounded[j];
      if (lanes == 16) return Kv::store16(values + i, encoded<Kv>(load(value + i), value_scale));
      Kv::store16(rounded, encoded<Kv>(load_first(value + i, lanes), value_scale));
      for (int j = 0; j < lanes; j++) values[i + j] = rounded[j];
    });
  }
}

static void kv_write(const KvLayout& layout, uint8_t* block, int32_t slot_in_block, const float* key, const float* value) {
  switch (layout.dtype) {
    case KvDtype::f32: return write_token<KvF32>(layout, block, slot_in_block, key, value);
    case KvDtype::f16: return write_token<KvF16>(layout, block, slot_in_block, key, value);
    case KvDtype::bf16: return write_token<KvBf16>(layout, block, slot_in_block, key, value);
    case KvDtype::i8: return write_token<KvI8>(layout, block, slot_in_block, key, value);
  }
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
