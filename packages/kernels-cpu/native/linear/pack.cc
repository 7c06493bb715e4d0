#include "pack.h"

#include <cstring>
#include <vector>

#include "encoding.h"
#include "kvasir/check.h"

namespace kvasir {
namespace {

constexpr int kSteps = kGroup / 4;  // four values of k a step, as one dot instruction takes them

// Where the parts of one (group, panel) are.
struct GroupTarget {
  uint8_t* codes;
  uint8_t* high;
  uint8_t* scales;
};

GroupTarget locate(const CodecTraits& t, const PanelTarget& target, uint8_t* group) {
  uint8_t* high = group + target.strip_panels * t.code_bytes;
  uint8_t* scales = high + target.strip_panels * t.high_bytes;
  return {group + target.panel * t.code_bytes, high + target.panel * t.high_bytes, scales + target.panel * t.scale_bytes};
}

uint32_t step_codes(const uint8_t codes[kGroup], int step) { return load_u32(codes + 4 * step); }

void put_nibbles(const uint8_t codes[kGroup], int n, uint8_t* out) {
  for (int i = 0; i < kSteps / 2; ++i) {
    const uint32_t low = step_codes(codes, 2 * i) & 0x0f0f0f0fu;
    const uint32_t high = step_codes(codes, 2 * i + 1) & 0x0f0f0f0fu;
    const uint32_t packed = low | (high << 4);
    std::memcpy(out + 64 * i + 4 * n, &packed, 4);
  }
}

void put_fifth_bits(const uint8_t codes[kGroup], int n, uint8_t* out) {
  for (int s = 0; s < kSteps; ++s) {
    const uint32_t bits = (step_codes(codes, s) >> 4) & 0x01010101u;
    const uint32_t nibble = (bits * 0x10204080u) >> 28;  // byte t to bit t
    uint8_t& byte = out[8 * s + n / 2];
    byte = static_cast<uint8_t>(n % 2 == 0 ? nibble : byte | (nibble << 4));
  }
}

void put_top_pairs(const uint8_t codes[kGroup], int n, uint8_t* out) {
  for (int j = 0; j < 2; ++j) {
    uint32_t packed = 0;
    for (int i = 0; i < 4; ++i) packed |= ((step_codes(codes, 4 * j + i) >> 4) & 0x03030303u) << (2 * i);
    std::memcpy(out + 64 * j + 4 * n, &packed, 4);
  }
}

void put_bytes(const uint8_t codes[kGroup], int n, uint8_t* out) {
  for (int s = 0; s < kSteps; ++s) std::memcpy(out + 64 * s + 4 * n, codes + 4 * s, 4);
}

void put_codes(const CodecTraits& t, const uint8_t codes[kGroup], int n, const GroupTarget& target) {
  if (t.bits == 8) return put_bytes(codes, n, target.codes);
  put_nibbles(codes, n, target.codes);
  if (t.bits == 5) put_fifth_bits(codes, n, target.high);
  if (t.bits == 6) put_top_pairs(codes, n, target.high);
}

// Header of a super-block, output n, from its bytes in the file.
void put_header(Codec codec, const uint8_t* block, int n, uint8_t* out) {
  if (codec == Codec::u6_super) {
    std::memcpy(out + 2 * n, block + 208, 2);
    return;
  }
  for (int word = 0; word < 3; ++word) std::memcpy(out + 64 * word + 4 * n, block + 4 + 4 * word, 4);
  std::memcpy(out + 192 + 2 * n, block, 2);
  std::memcpy(out + 224 + 2 * n, block + 2, 2);
}

// Scales stored with each group, output n; `block` is the file's block, `j` the group within it.
void put_scales(Codec codec, const uint8_t* block, int j, int n, uint8_t* out) {
  switch (codec) {
    case Codec::u4_min:
    case Codec::u5_min:
      std::memcpy(out + 32 + 2 * n, block + 2, 2);
      [[fallthrough]];
    case Codec::u4_zero:
    case Codec::u5_zero:
    case Codec::u8_zero: std::memcpy(out + 2 * n, block, 2); return;
    case Codec::u6_super: {
      const uint8_t* scales = block + 192 + (j / 4) * 8 + (j % 4) * 2;
      out[n] = scales[0];
      out[16 + n] = scales[1];
      return;
    }
    case Codec::u4_super:
    case Codec::u5_super: return;
  }
}

// Decoded rows of a panel, [16][k]; missing outputs are zeros.
std::vector<float> decode_panel(const LinearShape& shape, const SourceRows& source, int64_t first, int32_t count) {
  std::vector<float> rows(static_cast<size_t>(kPanelWidth * shape.k), 0.0f);
  for (int32_t n = 0; n < count; ++n) {
    decode_row(shape.encoding, source.bytes + source.stored_row(first + n) * source.row_bytes, shape.k, rows.data() + n * shape.k);
  }
  return rows;
}

}  // namespace

Codec codec_of(WeightEncoding encoding) {
  switch (encoding) {
    case WeightEncoding::q4_0: return Codec::u4_zero;
    case WeightEncoding::q4_1: return Codec::u4_min;
    case WeightEncoding::q4_k: return Codec::u4_super;
    case WeightEncoding::q5_0: return Codec::u5_zero;
    case WeightEncoding::q5_1: return Codec::u5_min;
    case WeightEncoding::q5_k: return Codec::u5_super;
    case WeightEncoding::q6_k: return Codec::u6_super;
    case WeightEncoding::q8_0: return Codec::u8_zero;
    default: fail("ERR_INVALID_WEIGHT", "pack.cc", __LINE__, encoding_name(encoding), " has no integer layout, expected a quantized encoding");
  }
}

int64_t integer_panel_bytes(Codec codec, int64_t k) { return k / kGroup / traits(codec).groups_per_block * block_bytes(codec); }
int64_t f32_panel_bytes(int64_t k) { return k * kPanelWidth * 4; }
int64_t bf16_panel_bytes(int64_t k) { return (k + 1) / 2 * kPanelWidth * 4; }

void pack_integer_panel(const LinearShape& shape, const SourceRows& source, int64_t first, int32_t count, const PanelTarget& target) {
  const Codec codec = codec_of(shape.encoding);
  const CodecTraits t = traits(codec);
  const BlockGeometry geometry = block_geometry(shape.encoding);
  const uint8_t* rows[kPanelWidth];
  for (int32_t n = 0; n < count; ++n) rows[n] = source.bytes + source.stored_row(first + n) * source.row_bytes;

  uint8_t codes[kGroup];
  uint8_t* position = target.strip;
  for (int64_t block = 0; block < shape.k / geometry.elements; ++block) {
    uint8_t* header = position + target.panel * t.header_bytes;
    if (count < kPanelWidth) std::memset(header, 0, static_cast<size_t>(t.header_bytes));
    if (t.header_bytes > 0) {
      for (int32_t n = 0; n < count; ++n) put_header(codec, rows[n] + block * geometry.bytes, n, header);
    }
    position += target.strip_panels * t.header_bytes;
    for (int j = 0; j < t.groups_per_block; ++j) {
      const GroupTarget group = locate(t, target, position);
      if (count < kPanelWidth) {
        std::memset(group.codes, 0, static_cast<size_t>(t.code_bytes));
        std::memset(group.high, 0, static_cast<size_t>(t.high_bytes));
        std::memset(group.scales, 0, static_cast<size_t>(t.scale_bytes));
      }
      for (int32_t n = 0; n < count; ++n) {
        read_codes(shape.encoding, rows[n], block * t.groups_per_block + j, codes);
        put_codes(t, codes, n, group);
        put_scales(codec, rows[n] + block * geometry.bytes, j, n, group.scales);
      }
      position += target.strip_panels * group_bytes(codec);
    }
  }
}

void pack_f32_panel(const LinearShape& shape, const SourceRows& source, int64_t first, int32_t count, const PanelTarget& target) {
  const std::vector<float> rows = decode_panel(shape, source, first, count);
  auto* out = reinterpret_cast<float*>(target.strip) + target.panel * kPanelWidth;
  for (int64_t k = 0; k < shape.k; ++k, out += target.strip_panels * kPanelWidth) {
    for (int n = 0; n < kPanelWidth; ++n) out[n] = rows[static_cast<size_t>(n * shape.k + k)];
  }
}

void pack_bf16_panel(const LinearShape& shape, const SourceRows& source, int64_t first, int32_t count, const PanelTarget& target) {
  const int64_t padded = (shape.k + 1) / 2 * 2;
  std::vector<uint16_t> rows(static_cast<size_t>(kPanelWidth * padded), 0);
  if (shape.encoding == WeightEncoding::bf16) {
    for (int32_t n = 0; n < count; ++n) {
      std::memcpy(rows.data() + n * padded, source.bytes + source.stored_row(first + n) * source.row_bytes, static_cast<size_t>(shape.k) * 2);
    }
  } else {
    const std::vector<float> decoded = decode_panel(shape, source, first, count);
    for (int32_t n = 0; n < count; ++n) f32_to_bf16(decoded.data() + n * shape.k, shape.k, rows.data() + n * padded);
  }
  auto* out = reinterpret_cast<uint16_t*>(target.strip) + target.panel * kPanelWidth * 2;
  for (int64_t k = 0; k < padded; k += 2, out += target.strip_panels * kPanelWidth * 2) {
    for (int n = 0; n < kPanelWidth; ++n) std::memcpy(out + 2 * n, rows.data() + n * padded + k, 4);
  }
}

}  // namespace kvasir
