// One row of logits seen in tiles of 64 tokens: NaN counts as -inf, -0 as 0, and the maximum of each tile lets passes skip tiles.
// Tokens at or above a logit lie in the tiles whose maxima reach it, so the first k in order are found without reading other tiles.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

constexpr float kLowest = -3.4028234664e38f;
constexpr int64_t kSumTiles = 64;  // tiles summed in 16 lanes before the sum moves on to double

struct SampleScratch {
  float* tile_max;      // [tiles], padded to 16
  uint32_t* weights;    // [V], padded to a tile
  Candidate* found;     // [V]
  Candidate* spare;     // [V]

  SampleScratch(uint8_t* bytes, int64_t size) {
    const int64_t padded_size = vocabulary_tiles(size) * kVocabularyTile;
    weights = reinterpret_cast<uint32_t*>((reinterpret_cast<uintptr_t>(bytes) + 63) / 64 * 64);
    tile_max = reinterpret_cast<float*>(weights + padded_size);
    found = reinterpret_cast<Candidate*>(tile_max + (vocabulary_tiles(size) + 15) / 16 * 16);
    spare = found + padded_size;
  }
};

static size_t sample_scratch_bytes(int64_t size) {
  const int64_t padded_size = vocabulary_tiles(size) * kVocabularyTile;
  const int64_t floats = padded_size + (vocabulary_tiles(size) + 15) / 16 * 16;
  return static_cast<size_t>(64 + floats * 4 + 2 * padded_size * static_cast<int64_t>(sizeof(Candidate)));
}

struct Vocabulary {
  const float* logits;
  int64_t size;
  int64_t tiles;
  const float* tile_max;  // readable up to a multiple of 16
  float max;
};

static inline F32x16 clean(F32x16 x) { return add(select(equal(x, x), x, set1(kNegativeInfinity)), zero()); }

// 16 logits from token `at`; tokens past the end are -inf.
static inline F32x16 logits_at(const float* logits, int64_t size, int64_t at) {
  if (at + 16 <= size) return clean(load(logits + at));
  if (at >= size) return set1(kNegativeInfinity);
  const int lanes = static_cast<int>(size - at);
  return select(mask_of((1u << lanes) - 1), clean(load_first(logits + at, lanes)), set1(kNegativeInfinity));
}

// Calls f(first token, logits) for the four vectors of a tile.
template <class F>
static inline void for_tile(const Vocabulary& v, int64_t tile, F&& f) {
  const int64_t at = tile * kVocabularyTile;
  for (int64_t i = at; i < at + kVocabularyTile; i += 16) f(i, logits_at(v.logits, v.size, i));
}

static Vocabulary scan(const LogitRow& row, const SampleScratch& scratch) {
  const int64_t tiles = vocabulary_tiles(row.vocab);
  if (row.tile_max == nullptr) tile_maxima(row.logits, row.vocab, scratch.tile_max);
  const float* tile_max = row.tile_max == nullptr ? scratch.tile_max : row.tile_max;
  return {row.logits, row.vocab, tiles, tile_max, maximum_of(tile_max, tiles)};
}

// Lanes [0, n) of 16.
static inline uint32_t first_lanes(int64_t n) { return n >= 16 ? 0xffffu : (1u << n) - 1; }

// Calls f(tile) for the tiles whose maximum is `logit` or more, in order.
template <class F>
static inline void for_tiles_reaching(const Vocabulary& v, float logit, F&& f) {
  const F32x16 bound = set1(logit);
  for (int64_t tile = 0; tile < v.tiles; tile += 16) {
    uint32_t hits = bits_of(greater_equal(load(v.tile_max + tile), bound)) & first_lanes(v.tiles - tile);
    for (; hits != 0; hits &= hits - 1) f(tile + __builtin_ctz(hits));
  }
}

// Lowest id whose logit is the maximum.
static int32_t first_of_max(const Vocabulary& v) {
  const F32x16 most = set1(v.max);
  int64_t tile = 0;
  uint32_t tiles;
  while ((tiles = bits_of(equal(load(v.tile_max + tile), most))) == 0) tile += 16;
  int64_t found = -1;
  for_tile(v, tile + __builtin_ctz(tiles), [&](int64_t at, F32x16 x) {
    const uint32_t hits = bits_of(equal(x, most));
    if (found < 0 && hits != 0) found = at + __builtin_ctz(hits);
  });
  return static_cast<int32_t>(found);
}

// A logit that at least `count` tokens reach: the count-th largest tile maximum or not far below, or -inf when there are fewer tiles.
static float threshold_of(const Vocabulary& v, int64_t count) {
  if (count > v.tiles) return kNegativeInfinity;
  // Bit by bit over signed keys in the order of the floats, until few tiles more than needed reach the bound.
  const uint32_t largest = order_key(v.max);
  uint32_t prefix = 0;
  for (int bit = 31; bit >= 0; bit--) {
    const uint32_t trial = prefix | 1u << bit;
    if (trial > largest) continue;
    const I32x16 bound = set1_i32(trial ^ 0x80000000u);
    int64_t reached = 0;
    for (int64_t tile = 0; tile < v.tiles; tile += 16) {
      const I32x16 bits = load_i32(v.tile_max + tile);
      const I32x16 negative = bit_xor(bits, set1_i32(0x7fffffff));
      const I32x16 key = select(greater(set1_i32(0), bits), negative, bits);
      reached += __builtin_popcount(~bits_of(greater(bound, key)) & first_lanes(v.tiles - tile));
    }
    if (reached < count) continue;
    prefix = trial;
    if (reached <= count + count / 8) break;
  }
  // A prefix that ended early may be below every number.
  return prefix <= order_key(kNegativeInfinity) ? kNegativeInfinity : logit_of(static_cast<Candidate>(~prefix) << 32);
}

// Logits [lower, upper), or from `lower` on when `has_upper` is false.
struct Range {
  float lower;
  float upper;
  bool has_upper;
};

// All tokens whose logit lies in the range, ids ascending; returns how many.
static int64_t collect(const Vocabulary& v, const Range& range, Candidate* found) {
  int64_t count = 0;
  const F32x16 bound = set1(range.lower), upper = set1(range.upper);
  for_tiles_reaching(v, range.lower, [&](int64_t tile) {
    for_tile(v, tile, [&](int64_t at, F32x16 x) {
      uint32_t hits = bits_of(greater_equal(x, bound));
      if (range.has_upper) hits &= ~bits_of(greater_equal(x, upper));
      if (at + 16 > v.size) hits &= at < v.size ? first_lanes(v.size - at) : 0;
      if (hits == 0) return;
      float logits[16];
      store(logits, x);
      for (; hits != 0; hits &= hits - 1) {
        const int lane = __builtin_ctz(hits);
        found[count++] = candidate_of(logits[lane], static_cast<uint32_t>(at + lane));
      }
    });
  });
  return count;
}

// The `count` first candidates in order (fewer when the vocabulary is smaller).
static int64_t first_candidates(const Vocabulary& v, int64_t count, const SampleScratch& scratch) {
  const int64_t found = collect(v, {threshold_of(v, count), 0.0f, false}, scratch.found);
  sort_candidates(scratch.found, scratch.spare, found);
  return found < count ? found : count;
}

// Sum of e^(x - max): 16 lanes inside runs of 4096 tokens, runs in order in double. The maximum counts 1 even when infinite.
static double sum_of_exp(const Vocabulary& v) {
  if (v.max == kNegativeInfinity) return static_cast<double>(v.size);
  double total = 0;
  for (int64_t run = 0; run < v.tiles; run += kSumTiles) {
    F32x16 sum = zero();
    for (int64_t tile = run; tile < run + kSumTiles && tile < v.tiles; tile++) {
      if (v.tile_max[tile] - v.max < -87.0f) continue;  // adds nothing but zeros
      for_tile(v, tile, [&](int64_t, F32x16 x) {
        sum = add(sum, exp_nonpositive(select(equal(x, set1(v.max)), zero(), sub(x, set1(v.max)))));
      });
    }
    total += static_cast<double>(reduce_add(sum));
  }
  return total;
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
