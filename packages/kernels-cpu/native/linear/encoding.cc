#include "encoding.h"

#include <cstring>

#include "kvasir/check.h"

namespace kvasir {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weight files are read in place: little-endian only");

uint16_t load_u16(const uint8_t* bytes) {
  uint16_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

uint32_t load_u32(const uint8_t* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

namespace {

float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

uint32_t to_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// Without branches, and without subnormal operands, which a thread may be set to flush: a subnormal half is (1 + m) * 2^-14 - 2^-14.
float widen_f16(uint16_t bits) {
  const uint32_t magnitude = static_cast<uint32_t>(bits & 0x7fff) << 13;
  const uint32_t normal = magnitude + (112u << 23);
  const uint32_t special = (magnitude + (224u << 23)) | (magnitude > (31u << 23) ? 0x400000u : 0u);  // infinite; NaN made quiet
  const uint32_t subnormal = to_bits(from_bits(magnitude + (113u << 23)) - 0x1p-14f);
  const uint32_t result = magnitude >= (31u << 23) ? special : magnitude < (1u << 23) ? subnormal : normal;
  return from_bits(result | static_cast<uint32_t>(bits & 0x8000) << 16);
}

// 16 bytes to 32 codes: low nibbles first, then high nibbles.
void split_nibbles(const uint8_t* packed, uint8_t codes[kGroup]) {
  for (int j = 0; j < 16; ++j) {
    codes[j] = packed[j] & 15;
    codes[j + 16] = packed[j] >> 4;
  }
}

void add_fifth_bits(uint32_t high, uint8_t codes[kGroup]) {
  for (int j = 0; j < kGroup; ++j) codes[j] |= static_cast<uint8_t>(((high >> j) & 1) << 4);
}

// Sub-block j of a K-quant: 32 bytes hold two sub-blocks, the even one in the low nibbles.
void super_nibbles(const uint8_t* qs, int j, uint8_t codes[kGroup]) {
  const uint8_t* packed = qs + (j / 2) * 32;
  if (j % 2 == 0) {
    for (int l = 0; l < kGroup; ++l) codes[l] = packed[l] & 15;
  } else {
    for (int l = 0; l < kGroup; ++l) codes[l] = packed[l] >> 4;
  }
}

void read_q6_k(const uint8_t* block, int j, uint8_t codes[kGroup]) {
  const int quarter = j % 4;  // which 32 of the 128
  const uint8_t* low = block + (j / 4) * 64 + (quarter % 2) * 32;
  const uint8_t* high = block + 128 + (j / 4) * 32;
  const int low_shift = quarter < 2 ? 0 : 4;
  const int high_shift = quarter * 2;
  for (int l = 0; l < kGroup; ++l) {
    codes[l] = static_cast<uint8_t>(((low[l] >> low_shift) & 15) | (((high[l] >> high_shift) & 3) << 4));
  }
}

}  // namespace

float f16_to_f32(uint16_t bits) { return widen_f16(bits); }

void f16_to_f32(const uint8_t* halves, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = widen_f16(load_u16(halves + 2 * i));
}

float bf16_to_f32(uint16_t bits) { return from_bits(static_cast<uint32_t>(bits) << 16); }

void f32_to_bf16(const float* values, int64_t count, uint16_t* out) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = to_bits(values[i]);
    const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16;
    const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
    out[i] = static_cast<uint16_t>(is_nan ? (bits >> 16) | 0x40 : rounded);
  }
}

BlockGeometry block_geometry(WeightEncoding encoding) {
  switch (encoding) {
    case WeightEncoding::f32: return {1, 4};
    case WeightEncoding::f16: return {1, 2};
    case WeightEncoding::bf16: return {1, 2};
    case WeightEncoding::q4_0: return {32, 18};
    case WeightEncoding::q4_1: return {32, 20};
    case WeightEncoding::q5_0: return {32, 22};
    case WeightEncoding::q5_1: return {32, 24};
    case WeightEncoding::q8_0: return {32, 34};
    case WeightEncoding::q4_k: return {256, 144};
    case WeightEncoding::q5_k: return {256, 176};
    case WeightEncoding::q6_k: return {256, 210};
  }
  fail("ERR_INVALID_WEIGHT", "encoding.cc", __LINE__, "weight encoding ", static_cast<int32_t>(encoding), " is unknown, expected 0 to 10");
}

const char* encoding_name(WeightEncoding encoding) {
  static constexpr const char* kNames[] = {"f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q4_k", "q5_k", "q6_k"};
  block_geometry(encoding);
  return kNames[static_cast<int32_t>(encoding)];
}

bool is_quantized(WeightEncoding encoding) { return block_geometry(encoding).elements > 1; }

int64_t encoded_row_bytes(WeightEncoding encoding, int64_t k) {
  const BlockGeometry block = block_geometry(encoding);
  KVASIR_CHECK(k > 0 && k % block.elements == 0, "ERR_INVALID_WEIGHT", "a row of ", k, " elements cannot be ", encoding_name(encoding),
               ": expected a positive multiple of ", block.elements);
  return k / block.elements * block.bytes;
}

int64_t SourceRows::stored_row(int64_t n) const {
  if (interleaved_rope_head_dim == 0) return n;
  const int64_t half = interleaved_rope_head_dim / 2;
  const int64_t head = n / interleaved_rope_head_dim;
  const int64_t r = n % interleaved_rope_head_dim;
  return head * interleaved_rope_head_dim + 2 * (r % half) + r / half;
}

int32_t code_zero(WeightEncoding encoding) {
  switch (encoding) {
    case WeightEncoding::q4_0: return 8;
    case WeightEncoding::q5_0: return 16;
    case WeightEncoding::q8_0: return 128;
    case WeightEncoding::q6_k: return 32;
    default: return 0;
  }
}

void read_super_scale(const uint8_t packed[12], int j, int32_t* scale, int32_t* minimum) {
  if (j < 4) {
    *scale = packed[j] & 63;
    *minimum = packed[j + 4] & 63;
  } else {
    *scale = (packed[j + 4] & 15) | ((packed[j - 4] >> 6) << 4);
    *minimum = (packed[j + 4] >> 4) | ((packed[j] >> 6) << 4);
  }
}

void read_codes(WeightEncoding encoding, const uint8_t* row, int64_t group, uint8_t codes[kGroup]) {
  const BlockGeometry geometry = block_geometry(encoding);
  const int64_t groups_per_block = geometry.elements / kGroup;
  const uint8_t* block = row + group / groups_per_block * geometry.bytes;
  const int j = static_cast<int>(group % groups_per_block);
  switch (encoding) {
    case WeightEncoding::q4_0: return split_nibbles(block + 2, codes);
    case WeightEncoding::q4_1: return split_nibbles(block + 4, codes);
    case WeightEncoding::q5_0: split_nibbles(block + 6, codes); return add_fifth_bits(load_u32(block + 2), codes);
    case WeightEncoding::q5_1: split_nibbles(block + 8, codes); return add_fifth_bits(load_u32(block + 4), codes);
    case WeightEncoding::q8_0:
      for (int l = 0; l < kGroup; ++l) codes[l] = block[2 + l] ^ 0x80;
      return;
    case WeightEncoding::q4_k: return super_nibbles(block + 16, j, codes);
    case WeightEncoding::q5_k:
      super_nibbles(block + 48, j, codes);
      for (int l = 0; l < kGroup; ++l) codes[l] |= static_cast<uint8_t>(((block[16 + l] >> j) & 1) << 4);
      return;
    case WeightEncoding::q6_k: return read_q6_k(block, j, codes);
    default: fail("ERR_INVALID_WEIGHT", "encoding.cc", __LINE__, encoding_name(encoding), " has no integer codes, expected a quantized encoding");
  }
}

}  // namespace kvasir
