// Packed weights. A strip is up to four panels side by side (the last strip may be narrower), so that one pass over
// a strip is one linear stream; P = panels of the strip.
//
//   strip   = block, block, ...                      block = header, then groups_per_block groups
//   header  = P x header_bytes
//   group   = P x code_bytes, P x high_bytes, P x scale_bytes     (32 values of k, 16 outputs a panel)
//
//   codes, 4 bits   4 vectors of 64 bytes; byte (n, t) of vector i: low nibble k = 8i + t, high nibble k = 8i + 4 + t
//   codes, 8 bits   8 vectors of 64 bytes; byte (n, t) of vector s: k = 4s + t
//   high, 5 bits    8 words of 64 bits; bit 4n + t of word s: bit 4 of the code at k = 4s + t
//   high, 6 bits    2 vectors of 64 bytes; bits 2i, 2i+1 of byte (n, t) of vector j: bits 4, 5 at k = 4(4j + i) + t
//   scales          f16 d[16], f16 m[16] where there is a minimum; Q6_K: i8 [2][16], one for each half of the group
//   headers         Q4_K, Q5_K: the file's 12 scale bytes as u32 [3][16], f16 d[16], f16 dmin[16]; Q6_K: f16 d[16]
//   f32             [K][P][16];  bf16  [K / 2][P][16][2]
//
// Every layout takes the bytes of its file encoding, no more.
//
// What a kernel computes, on every path, for each output: acc = 0, then for each group in order, with s, m the scale and
// minimum of (group, output), a the activation block, dot the exact sum of (code - zero) * a.q:
//   acc = fma(float(dot), s * a.scale, acc)     Q6_K: once for each half of the group
//   acc = fma(m, a.scaled_sum, acc)             encodings with a minimum; K-quants: m = -(dmin * mn)
// s and m are exact in float32, so each output sees the same operations with the same roundings on every path.
#pragma once
#include <cstdint>

namespace kvasir {

constexpr int kStripPanels = 4;

enum class Codec : int32_t { u4_zero = 0, u4_min, u4_super, u5_zero, u5_min, u5_super, u6_super, u8_zero };
constexpr int kNumCodecs = 8;

struct CodecTraits {
  int32_t bits;
  int32_t code_bytes;
  int32_t high_bytes;
  int32_t scale_bytes;
  int32_t header_bytes;
  int32_t groups_per_block;
  int32_t zero;  // stored number = code - zero; 0 or a power of two
  bool has_minimum;
};

constexpr CodecTraits traits(Codec codec) {
  switch (codec) {
    case Codec::u4_zero: return {4, 256, 0, 32, 0, 1, 8, false};
    case Codec::u4_min: return {4, 256, 0, 64, 0, 1, 0, true};
    case Codec::u4_super: return {4, 256, 0, 0, 256, 8, 0, true};
    case Codec::u5_zero: return {5, 256, 64, 32, 0, 1, 16, false};
    case Codec::u5_min: return {5, 256, 64, 64, 0, 1, 0, true};
    case Codec::u5_super: return {5, 256, 64, 0, 256, 8, 0, true};
    case Codec::u6_super: return {6, 256, 128, 32, 32, 8, 32, false};
    case Codec::u8_zero: return {8, 512, 0, 32, 0, 1, 128, false};
  }
  return {};
}

constexpr int32_t group_bytes(Codec codec) {
  return traits(codec).code_bytes + traits(codec).high_bytes + traits(codec).scale_bytes;
}

constexpr int32_t block_bytes(Codec codec) {
  return traits(codec).header_bytes + traits(codec).groups_per_block * group_bytes(codec);
}

// One prepared group of 32 activations: x ~ scale * q, scale = absmax / 127.
// A group with an infinite or NaN element has scale NaN and q = 0, so that its outputs are NaN.
struct ActivationBlock {
  int8_t q[32];
  float scale;
  float scaled_sum;  // scale * float(sum)
  int32_t sum;       // of all 32
  int32_t low_sum;   // of the first 16
};
static_assert(sizeof(ActivationBlock) == 48, "kernels index activations by this size");

// Groups whose largest magnitude is below 2^-100 (bits of that float) count as zero: their scale would not be a normal number.
constexpr int32_t kSmallestAbsmaxBits = (127 - 100) << 23;
constexpr int32_t kInfinityBits = 0x7f800000;

}  // namespace kvasir
