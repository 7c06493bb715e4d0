// Weight encodings as they lie in files: block geometry, unsigned codes and scales of one group, f16 and bf16.
#pragma once
#include <cstdint>

#include "linear.h"

namespace kvasir {

constexpr int kGroup = 32;       // elements that share a scale in every block encoding (Q6_K: two scales)
constexpr int kSuperBlock = 256; // elements of a K-quant block

struct BlockGeometry {
  int32_t elements;
  int32_t bytes;
};

BlockGeometry block_geometry(WeightEncoding encoding);
const char* encoding_name(WeightEncoding encoding);
bool is_quantized(WeightEncoding encoding);

float f16_to_f32(uint16_t bits);
void f16_to_f32(const uint8_t* halves, int64_t count, float* out);
float bf16_to_f32(uint16_t bits);
// Rounds to nearest even; a NaN stays a (quiet) NaN.
void f32_to_bf16(const float* values, int64_t count, uint16_t* out);

uint16_t load_u16(const uint8_t* bytes);
uint32_t load_u32(const uint8_t* bytes);

// Unsigned codes of group `group` of a quantized row. The stored numbers are code - code_zero(encoding).
void read_codes(WeightEncoding encoding, const uint8_t* row, int64_t group, uint8_t codes[kGroup]);
// What a code stands for when its encoding has no minimum: d * (code - zero).
int32_t code_zero(WeightEncoding encoding);

// Six-bit scale and minimum of sub-block j (0..7) from the 12 bytes of a Q4_K or Q5_K block.
void read_super_scale(const uint8_t packed[12], int j, int32_t* scale, int32_t* minimum);

}  // namespace kvasir
