// The value of an encoded element is a real number (d * (q - zero), d * q + m, d * sc * q - dmin * mn, ...);
// decoding rounds it to float32 once, to nearest even. Every product below is exact in float32 (f16 scale: 11 bits,
// sub-scale: 6 or 8, code: at most 8; Q6_K alone needs 25 bits for the last product), so the one operation that
// rounds is the last, and the order of the others cannot matter.
#include <cstring>

#include "kvasir/check.h"
#include "encoding.h"

namespace kvasir {
namespace {

void decode_group(WeightEncoding encoding, const uint8_t* block, int j, const uint8_t codes[kGroup], float* out) {
  const float d = f16_to_f32(load_u16(block));
  switch (encoding) {
    case WeightEncoding::q4_0:
    case WeightEncoding::q5_0:
    case WeightEncoding::q8_0: {
      const int32_t zero = code_zero(encoding);
      for (int l = 0; l < kGroup; ++l) out[l] = d * static_cast<float>(codes[l] - zero);
      return;
    }
    case WeightEncoding::q4_1:
    case WeightEncoding::q5_1: {
      const float m = f16_to_f32(load_u16(block + 2));
      for (int l = 0; l < kGroup; ++l) out[l] = d * static_cast<float>(codes[l]) + m;
      return;
    }
    case WeightEncoding::q4_k:
    case WeightEncoding::q5_k: {
      int32_t scale, minimum;
      read_super_scale(block + 4, j, &scale, &minimum);
      const float s = d * static_cast<float>(scale);
      const float m = f16_to_f32(load_u16(block + 2)) * static_cast<float>(minimum);
      for (int l = 0; l < kGroup; ++l) out[l] = s * static_cast<float>(codes[l]) - m;
      return;
    }
    case WeightEncoding::q6_k: {
      const float super = f16_to_f32(load_u16(block + 208));
      for (int l = 0; l < kGroup; ++l) {
        // Sub-scale index: 8 a half of 128, then the 32 within it (2 apart), then the 16 within those.
        const auto scale = static_cast<int8_t>(block[192 + (j / 4) * 8 + (j % 4) * 2 + l / 16]);
        out[l] = super * static_cast<float>(scale) * static_cast<float>(codes[l] - 32);
      }
      return;
    }
    default: return;
  }
}

}  // namespace

void decode_row(WeightEncoding encoding, const uint8_t* row, int64_t k, float* out) {
  encoded_row_bytes(encoding, k);
  switch (encoding) {
    case WeightEncoding::f32: std::memcpy(out, row, static_cast<size_t>(k) * 4); return;
    case WeightEncoding::f16: return f16_to_f32(row, k, out);
    case WeightEncoding::bf16:
      for (int64_t i = 0; i < k; ++i) out[i] = bf16_to_f32(load_u16(row + 2 * i));
      return;
    default: break;
  }
  const BlockGeometry geometry = block_geometry(encoding);
  const int64_t groups_per_block = geometry.elements / kGroup;
  uint8_t codes[kGroup];
  for (int64_t group = 0; group < k / kGroup; ++group) {
    read_codes(encoding, row, group, codes);
    decode_group(encoding, row + group / groups_per_block * geometry.bytes, static_cast<int>(group % groups_per_block), codes, out + group * kGroup);
  }
}

}  // namespace kvasir
