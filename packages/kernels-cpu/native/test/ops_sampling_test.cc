// Sampling and log-probabilities: noise against its definition, draws against a plain oracle in double and against probabilities.
#include <numeric>
#include <tuple>

#include "ops_check.h"

namespace kvasir::test {
namespace {

// The definition of noise.ts, word by word.
void philox(uint32_t (&c)[4], uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = 0xd2511f53ull * c[0], p1 = 0xcd9e8d57ull * c[2];
    const uint32_t next[4] = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1), static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    std::memcpy(c, next, sizeof next);
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
}

uint32_t noise_bits(uint64_t seed, int64_t position, uint32_t token) {
  uint32_t c[4] = {token >> 2, static_cast<uint32_t>(position), 0, 0};
  philox(c, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
  return c[token & 3];
}

double gumbel(uint64_t seed, int64_t position, uint32_t token) {
  return -std::log(-std::log(((noise_bits(seed, position, token) >> 8) + 0.5) / 16777216));
}

struct Drawn {
  int32_t id;
  double margin;  // how far the decision was from another one
};

// The definition: information content nearest to the entropy first, up to the mass, all of an equal distance together.
void keep_typical(std::vector<int32_t>& order, const std::vector<double>& logits, const SampleParams& p, double& margin) {
  double total = 0, entropy = 0;
  for (int32_t id : order) total += std::exp((logits[id] - logits[order[0]]) / p.temperature);
  const auto log_probability = [&](int32_t id) { return (logits[id] - logits[order[0]]) / p.temperature - std::log(total); };
  for (int32_t id : order) entropy -= std::exp(log_probability(id)) * log_probability(id);
  const auto distance = [&](int32_t id) { return std::fabs(-log_probability(id) - entropy); };
  std::vector<int32_t> nearest = order;
  std::stable_sort(nearest.begin(), nearest.end(), [&](int32_t a, int32_t b) { return distance(a) < distance(b); });
  double sum = 0;
  size_t kept = 0;
  // Equal logits are as far away; others that are within rounding cannot be told apart.
  while (kept < nearest.size() && sum < p.typical_p) {
    sum += std::exp(log_probability(nearest[kept++]));
    const bool is_border = kept == nearest.size() || logits[nearest[kept]] != logits[nearest[kept - 1]];
    if (is_border) margin = std::min(margin, std::fabs(sum - p.typical_p) * 20);
  }
  while (kept < nearest.size() && logits[nearest[kept]] == logits[nearest[kept - 1]]) kept++;
  if (kept < nearest.size()) margin = std::min(margin, std::fabs(distance(nearest[kept]) - distance(nearest[kept - 1])) / (1 + std::fabs(logits[order[0]]) / p.temperature));
  nearest.resize(kept);
  order = nearest;
}

// Everything in double over a full sort.
Drawn oracle(const std::vector<float>& raw, const SampleParams& p) {
  std::vector<double> logits(raw.begin(), raw.end());
  for (double& x : logits)
    if (std::isnan(x)) x = -INFINITY;
  std::vector<int32_t> order;
  for (int32_t id = 0; id < static_cast<int32_t>(raw.size()); id++)
    if (logits[id] > -INFINITY) order.push_back(id);
  if (order.empty()) return {-1, INFINITY};
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  if (p.temperature == 0 || logits[order[0]] == INFINITY) return {order[0], INFINITY};
  double margin = INFINITY;
  if (p.min_p > 0) {
    const auto ratio = [&](int32_t id) { return std::exp((logits[id] - logits[order[0]]) / p.temperature); };
    for (size_t i = 1; i < order.size(); i++) margin = std::min(margin, std::fabs(std::log(ratio(order[i]) / p.min_p)));
    while (order.size() > 1 && ratio(order.back()) < p.min_p) order.pop_back();
  }
  if (p.top_k > 0 && static_cast<size_t>(p.top_k) < order.size()) order.resize(static_cast<size_t>(p.top_k));
  if (p.top_p < 1) {
    double total = 0, sum = 0;
    for (int32_t id : order) total += std::exp((logits[id] - logits[order[0]]) / p.temperature);
    size_t kept = 0;
    while (kept < order.size() && sum / total < p.top_p) {
      sum += std::exp((logits[order[kept++]] - logits[order[0]]) / p.temperature);
      margin = std::min(margin, std::fabs(sum / total - p.top_p) * 100);
    }
    order.resize(std::max<size_t>(kept, 1));
  }
  if (p.typical_p < 1) keep_typical(order, logits, p, margin);
  int32_t best = -1;
  double most = -INFINITY, second = -INFINITY;
  for (int32_t id : order) {
    const double score = logits[id] / p.temperature + gumbel(p.seed, p.position, static_cast<uint32_t>(id));
    if (score > most) {
      second = most;
      most = score;
      best = id;
    } else {
      second = std::max(second, score);
    }
  }
  return {best, std::min(margin, (most - second) / (1 + std::fabs(logits[order[0]] / p.temperature)))};
}

int32_t draw(const OpKernels& path, const std::vector<float>& logits, const SampleParams& p) {
  const auto vocab = static_cast<int64_t>(logits.size());
  std::vector<uint8_t> scratch(path.sample_scratch_bytes(vocab), 0xff);
  return path.sample({logits.data(), vocab}, p, scratch.data());
}

// Of each tile, and NaN where a vector reads on.
std::vector<float> maxima_of(const OpKernels& path, const std::vector<float>& logits) {
  const auto vocab = static_cast<int64_t>(logits.size());
  std::vector<float> maxima(static_cast<size_t>((vocabulary_tiles(vocab) + 15) / 16 * 16), NAN);
  path.tile_maxima(logits.data(), vocab, maxima.data());
  return maxima;
}

int32_t draw_by_maxima(const OpKernels& path, const std::vector<float>& logits, const std::vector<float>& maxima, const SampleParams& p) {
  const auto vocab = static_cast<int64_t>(logits.size());
  std::vector<uint8_t> scratch(path.sample_scratch_bytes(vocab), 0xff);
  return path.sample({logits.data(), vocab, maxima.data()}, p, scratch.data());
}

// The draw, equal on every path, with and without the maxima of tiles.
int32_t draw(const std::vector<float>& logits, const SampleParams& p) {
  const int32_t id = draw(op_kernels(Isa::scalar), logits, p);
  for (const OpKernels* path : paths()) {
    const int32_t other = draw(*path, logits, p);
    CHECK(other == id, "%s draws %d, scalar %d (V %zu T %g k %d p %g)", path->name, other, id, logits.size(), static_cast<double>(p.temperature), p.top_k, static_cast<double>(p.top_p));
    const int32_t by_maxima = draw_by_maxima(*path, logits, maxima_of(*path, logits), p);
    CHECK(by_maxima == id, "%s draws %d by maxima, %d without (V %zu T %g k %d p %g)", path->name, by_maxima, id, logits.size(), static_cast<double>(p.temperature), p.top_k, static_cast<double>(p.top_p));
  }
  return id;
}

void philox_vectors() {
  // Known answers of the reference implementation (Random123, kat_vectors).
  uint32_t zeros[4] = {0, 0, 0, 0};
  philox(zeros, 0, 0);
  const uint32_t expected_zeros[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  CHECK(std::memcmp(zeros, expected_zeros, 16) == 0, "zeros");
  uint32_t ones[4] = {~0u, ~0u, ~0u, ~0u};
  philox(ones, ~0u, ~0u);
  const uint32_t expected_ones[4] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
  CHECK(std::memcmp(ones, expected_ones, 16) == 0, "ones");
  uint32_t digits[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344};
  philox(digits, 0xa4093822, 0x299f31d0);
  const uint32_t expected_digits[4] = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
  CHECK(std::memcmp(digits, expected_digits, 16) == 0, "digits of pi");
}

// With equal logits the draw is the token with the largest noise, so every token's noise is compared with its neighbour's.
void noise_order() {
  Random random(21);
  for (int i = 0; i < (kEmulated ? 600 : 3000); i++) {
    const int64_t vocab = random.between(2, 400);
    const std::vector<float> logits(static_cast<size_t>(vocab), 0.0f);
    const SampleParams p{1.0f, 1.0f, 0, random.bits(), random.between(0, 1) ? random.between(0, 4096) : random.between(0, int64_t{1} << 33)};
    uint32_t most = 0;
    int32_t expected = 0;
    for (int32_t id = 0; id < vocab; id++) {
      const uint32_t bits = noise_bits(p.seed, p.position, static_cast<uint32_t>(id)) >> 8;
      if (bits <= most && id > 0) continue;
      most = bits;
      expected = id;
    }
    const int32_t id = draw(logits, p);
    // Numbers nearer than 2^-22 may share a float32 Gumbel number; then the lower id wins.
    const uint32_t drawn = noise_bits(p.seed, p.position, static_cast<uint32_t>(id)) >> 8;
    CHECK(id == expected || most - drawn <= 4, "V %lld: drew %d, the most noise has %d", static_cast<long long>(vocab), id, expected);
  }
}

void against_oracle() {
  Random random(22);
  int64_t decided = 0, left_out = 0;
  for (int i = 0; i < (kEmulated ? 800 : 4000); i++) {
    const int64_t vocab = i % 40 == 0 ? random.between(3000, 20000) : random.between(1, 700);
    const double spread = std::pow(10, random.unit() * 2 - 1);
    auto logits = random.normals(vocab, spread);
    if (random.unit() < 0.3)
      for (float& x : logits) x = std::nearbyint(x);  // many ties
    if (random.unit() < 0.2)
      for (float& x : logits)
        if (random.unit() < 0.3) x = random.unit() < 0.5 ? -INFINITY : NAN;
    SampleParams p{random.unit() < 0.1 ? 0.0f : static_cast<float>(0.1 + random.unit() * 2), 1.0f, 0, random.bits(), random.between(0, 100000)};
    if (random.unit() < 0.5) p.top_k = static_cast<int32_t>(random.unit() < 0.2 ? random.between(1, vocab + 3) : random.between(1, 60));
    if (random.unit() < 0.5) p.top_p = static_cast<float>(random.unit() < 0.2 ? random.unit() * 0.1 : random.unit());
    if (random.unit() < 0.3) p.min_p = static_cast<float>(random.unit() < 0.1 ? 1 : random.unit() * random.unit());
    if (random.unit() < 0.3) p.typical_p = static_cast<float>(0.02 + 0.97 * random.unit());
    const Drawn expected = oracle(logits, p);
    const int32_t id = draw(logits, p);
    if (expected.margin < 2e-5) {
      left_out++;
      continue;
    }
    decided++;
    CHECK(id == expected.id, "case %d: V %lld T %g k %d p %g min-p %g typical %g: drew %d, expected %d (margin %g)", i, static_cast<long long>(vocab), static_cast<double>(p.temperature), p.top_k,
          static_cast<double>(p.top_p), static_cast<double>(p.min_p), static_cast<double>(p.typical_p), id, expected.id, expected.margin);
  }
  CHECK(decided > 20 * left_out, "%lld cases too near to call, %lld decided", static_cast<long long>(left_out), static_cast<long long>(decided));
}

void large_vocabularies() {
  Random random(23);
  for (int64_t vocab : {49152, 262144})
    for (double spread : {0.05, 3.0}) {
      auto logits = random.normals(vocab, spread);
      const auto size = static_cast<int32_t>(vocab);
      std::vector<SampleParams> settings;
      for (const auto& [k, top_p] : std::vector<std::pair<int32_t, float>>{{0, 1.0f}, {40, 1.0f}, {0, 0.95f}, {0, 0.3f}, {5000, 0.9f}, {size - 1, 1.0f}}) settings.push_back({0.8f, top_p, k, 0, 77});
      for (const auto& [k, top_p, min_p, typical_p] : std::vector<std::tuple<int32_t, float, float, float>>{{0, 1.0f, 0.05f, 1.0f}, {0, 1.0f, 0, 0.9f}, {0, 0.9f, 0, 0.5f}, {3000, 1.0f, 0, 0.3f}, {0, 0.95f, 0.01f, 0.8f}})
        settings.push_back({0.8f, top_p, k, 0, 77, min_p, typical_p});
      for (SampleParams p : settings) {
        p.seed = random.bits();
        const Drawn expected = oracle(logits, p);
        const int32_t id = draw(logits, p);
        CHECK(id == expected.id || expected.margin < 2e-5, "V %lld k %d p %g min-p %g typical %g: drew %d, expected %d (margin %g)", static_cast<long long>(vocab), p.top_k, static_cast<double>(p.top_p), static_cast<double>(p.min_p), static_cast<double>(p.typical_p), id, expected.id, expected.margin);
      }
    }
}

void edges() {
  const SampleParams greedy{0, 1, 0, 1, 0}, sampled{1, 0.9f, 5, 1, 0};
  CHECK(draw({NAN, NAN, NAN}, greedy) == -1, "all NaN");
  CHECK(draw({NAN, NAN, NAN}, sampled) == -1, "all NaN");
  CHECK(draw({-INFINITY, -INFINITY}, sampled) == -1, "all -inf");
  CHECK(draw({NAN, -3e38f, NAN}, sampled) == 1, "one number");
  CHECK(draw({0, INFINITY, 5, INFINITY}, sampled) == 1, "+inf");
  CHECK(draw({-0.0f, 0.0f, -0.0f}, greedy) == 0, "zeros tie whatever their sign");
  CHECK(draw({1, 2, 2, 1}, greedy) == 1, "lowest id of a tie");
  SampleParams p = sampled;
  p.top_p = 0;
  p.top_k = 0;
  for (uint64_t seed = 0; seed < 50; seed++) {
    p.seed = seed;
    CHECK(draw({1, 1.001f, 1}, p) == 1, "top_p 0 keeps the first");
  }
  p.temperature = 1e-30f;
  CHECK(draw({1, 1.001f, 1}, p) == 1, "temperature near 0");
  // Two numbers that tie: top-k keeps the lower id.
  p = {1, 1, 1, 0, 0};
  for (p.seed = 0; p.seed < 50; p.seed++) CHECK(draw({1, 3, 3, 3}, p) == 1, "top-k of ties");
  // Nucleus of ties: 0.5 of four equal tokens is the first two, and both are drawn.
  p = {1, 0.5f, 0, 0, 0};
  int seen[4] = {};
  for (p.seed = 0; p.seed < 200; p.seed++) seen[draw({3, 3, 3, 3}, p)]++;
  CHECK(seen[0] > 60 && seen[1] > 60 && seen[2] == 0 && seen[3] == 0, "nucleus of ties: %d %d %d %d", seen[0], seen[1], seen[2], seen[3]);
}

// Few values, so that most tokens tie; NaN, infinities and zeros of both signs among them, in runs that fill tiles or single.
std::vector<float> crowded_logits(Random& random, int64_t vocab) {
  const float special[] = {NAN, -INFINITY, -0.0f, 0.0f, 1e-40f, -1e-40f, 3e38f, INFINITY};
  const bool is_void = random.unit() < 0.1;  // no token is possible
  const int64_t values = random.between(1, 30), kinds = is_void ? 2 : random.unit() < 0.2 ? 8 : random.between(0, 7);
  const double share = is_void ? 1 : random.unit() * random.unit(), step = std::pow(10, random.unit() * 3 - 2), shift = random.unit() < 0.3 ? -50 : 0;
  std::vector<float> logits(static_cast<size_t>(vocab));
  for (size_t i = 0; i < logits.size();) {
    const bool is_special = kinds > 0 && random.unit() < share;
    const float x = is_special ? special[random.between(0, kinds - 1)] : static_cast<float>(shift + step * static_cast<double>(random.between(0, values)));
    for (int64_t run = random.unit() < 0.05 ? random.between(1, 200) : 1; run > 0 && i < logits.size(); run--) logits[i++] = x;
  }
  return logits;
}

// Bits of the maxima against their definition; draws of every kind and every k against the pass over all logits.
void draws_by_maxima() {
  Random random(26);
  int64_t drawn = 0, ties = 0, impossible = 0;
  for (int i = 0; i < (kSanitized ? 40 : 200); i++) {
    const int64_t vocab = random.unit() < 0.5 ? random.between(1, 400) : random.between(400, 9000);
    const auto logits = crowded_logits(random, vocab);
    std::vector<float> expected(static_cast<size_t>(vocabulary_tiles(vocab)), -INFINITY);
    for (int64_t id = 0; id < vocab; id++) {
      const float x = logits[id] + 0.0f;  // flushes as sampling does
      if (x > expected[id / kVocabularyTile]) expected[id / kVocabularyTile] = x;
    }
    for (const OpKernels* path : paths()) {
      const auto maxima = maxima_of(*path, logits);
      CHECK(same_bits(maxima.data(), expected.data(), expected.size()), "%s: maxima of %lld logits", path->name, static_cast<long long>(vocab));
    }
    SampleParams p{0, 1, 0, random.bits(), random.between(0, 1 << 20)};
    const int32_t greedy = draw(logits, p);
    CHECK(greedy == oracle(logits, p).id, "V %lld: greedy is %d, expected %d", static_cast<long long>(vocab), greedy, oracle(logits, p).id);
    if (greedy < 0) impossible++;
    else ties += std::count(logits.begin(), logits.end(), logits[greedy]) > 1;
    p.temperature = static_cast<float>(0.05 + 2 * random.unit());
    const int64_t few = std::min<int64_t>(vocab, kEmulated ? 10 : 70);
    for (int64_t k = 0; k <= few + 3; k++) {
      p.top_k = static_cast<int32_t>(k <= few ? k : random.between(1, vocab + 2));
      p.top_p = random.unit() < 0.2 ? 0.9f : 1.0f;
      draw(logits, p);
      drawn++;
    }
  }
  CHECK(ties > 20 && impossible > 0 && drawn > 500, "%lld ties at the top, %lld rows without a token, %lld draws", static_cast<long long>(ties), static_cast<long long>(impossible), static_cast<long long>(drawn));
}

// Tiles below the k-th largest maximum are overwritten with larger logits behind the maxima's back: greedy and top-k never see them.
void skipped_tiles() {
  Random random(27);
  for (int i = 0; i < 40; i++) {
    const int64_t vocab = random.between(6000, 20000);
    auto logits = random.normals(vocab, 3);
    // Two tiles for each token of the top k hold logits far above the others.
    const int64_t k = random.between(1, 20), full_tiles = vocab / kVocabularyTile, first = random.between(0, full_tiles - 1);
    for (int64_t i = 0; i < 2 * k; i++) logits[(first + i) % full_tiles * kVocabularyTile + random.between(0, kVocabularyTile - 1)] = 100 + random.normal();
    const SampleParams greedy{0, 1, 0, 1, 0}, top_k{0.9f, 1, static_cast<int32_t>(k), random.bits(), 5};
    const int32_t expected[] = {draw(logits, greedy), draw(logits, top_k)};
    const auto maxima = maxima_of(op_kernels(Isa::scalar), logits);
    int64_t overwritten = 0;
    for (int64_t id = 0; id < vocab; id++) {
      if (maxima[id / kVocabularyTile] > 50) continue;
      logits[id] = 1000;
      overwritten++;
    }
    CHECK(overwritten > vocab / 2, "%lld of %lld", static_cast<long long>(overwritten), static_cast<long long>(vocab));
    for (const OpKernels* path : paths()) {
      CHECK(draw_by_maxima(*path, logits, maxima, greedy) == expected[0], "%s: greedy read a tile below the maximum", path->name);
      CHECK(draw_by_maxima(*path, logits, maxima, top_k) == expected[1], "%s: top-%lld read a tile that cannot matter", path->name, static_cast<long long>(k));
    }
  }
}

// Frequencies of 20,000 draws at fixed seeds against probabilities: chi-square below its 99.9 % point.
void frequencies() {
  Random random(24);
  const double critical[] = {0, 10.8, 13.8, 16.3, 18.5, 20.5, 22.5, 24.3, 26.1, 27.9, 29.6, 31.3, 32.9, 34.5, 36.1, 37.7, 39.3, 40.8, 42.3, 43.8};
  struct Setting { float temperature; int32_t top_k; float top_p; };
  for (const Setting& s : {Setting{1, 0, 1}, {0.7f, 0, 1}, {1.5f, 0, 1}, {1, 5, 1}, {1, 0, 0.8f}, {0.9f, 8, 0.7f}}) {
    const auto logits = random.normals(20, 1.2);
    std::vector<int32_t> order(20);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
    if (s.top_k > 0) order.resize(static_cast<size_t>(s.top_k));
    std::vector<double> weight;
    double total = 0, sum = 0;
    for (int32_t id : order) total += weight.emplace_back(std::exp(logits[id] / static_cast<double>(s.temperature)));
    size_t kept = 0;
    while (kept < order.size() && sum < s.top_p * total * (1 - 1e-12)) sum += weight[kept++];
    const int draws = 20000;
    std::vector<int> seen(20, 0);
    for (int i = 0; i < draws; i++) {
      // Positions of one seed and seeds at one position must both look independent.
      const SampleParams p{s.temperature, s.top_p, s.top_k, i % 2 ? 42u : static_cast<uint64_t>(i), i % 2 ? i : 7};
      seen[draw(*paths().back(), logits, p)]++;
    }
    double chi = 0;
    int inside = 0;
    for (size_t i = 0; i < kept; i++) {
      const double expected = draws * weight[i] / sum;
      chi += (seen[order[i]] - expected) * (seen[order[i]] - expected) / expected;
      inside += seen[order[i]];
    }
    CHECK(inside == draws, "%d draws outside of the kept tokens", draws - inside);
    CHECK(chi < critical[kept - 1], "T %g k %d p %g: chi-square %g of %zu tokens", static_cast<double>(s.temperature), s.top_k, static_cast<double>(s.top_p), chi, kept);
  }
}

void log_probabilities() {
  Random random(25);
  for (int i = 0; i < 400; i++) {
    const int64_t vocab = i < 3 ? 262144 : i % 20 == 0 ? random.between(5000, 50000) : random.between(1, 500);
    auto logits = random.normals(vocab, std::pow(10, random.unit() * 2 - 1));
    if (random.unit() < 0.3)
      for (float& x : logits) x = std::nearbyint(x);
    if (random.unit() < 0.2)
      for (float& x : logits)
        if (random.unit() < 0.2) x = random.unit() < 0.5 ? NAN : -INFINITY;
    if (std::none_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); })) logits[0] = 0;
    std::vector<double> clean(logits.begin(), logits.end());
    for (double& x : clean)
      if (std::isnan(x)) x = -INFINITY;
    std::vector<int32_t> order(static_cast<size_t>(vocab));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return clean[a] > clean[b]; });
    double sum = 0;
    for (double x : clean) sum += std::exp(x - clean[order[0]]);
    const auto exact = [&](int32_t id) { return clean[id] - clean[order[0]] - std::log(sum); };

    const int32_t target = static_cast<int32_t>(random.between(0, vocab - 1));
    const int32_t k = static_cast<int32_t>(std::min<int64_t>(random.between(0, 70), vocab));
    std::vector<TokenLogprob> first;
    for (const OpKernels* path : paths()) {
      std::vector<TokenLogprob> got(static_cast<size_t>(k) + 1);
      std::vector<uint8_t> scratch(path->sample_scratch_bytes(vocab), 0xff);
      path->logprobs({logits.data(), vocab}, target, k, &got[k], got.data(), scratch.data());
      std::vector<TokenLogprob> by_maxima(got.size());
      const std::vector<float> maxima = maxima_of(*path, logits);
      path->logprobs({logits.data(), vocab, maxima.data()}, target, k, &by_maxima[k], by_maxima.data(), scratch.data());
      CHECK(std::memcmp(by_maxima.data(), got.data(), got.size() * sizeof(TokenLogprob)) == 0, "%s differs by maxima, V %lld", path->name, static_cast<long long>(vocab));
      const auto check = [&](const TokenLogprob& t) {
        CHECK(t.logprob == exact(t.id) || std::fabs(t.logprob - exact(t.id)) <= 4e-6 + 4e-7 * std::fabs(exact(t.id)), "%s V %lld id %d: %g, expected %g", path->name, static_cast<long long>(vocab), t.id, static_cast<double>(t.logprob), exact(t.id));
        CHECK(order[t.rank - 1] == t.id, "%s V %lld id %d: rank %d", path->name, static_cast<long long>(vocab), t.id, t.rank);
      };
      check(got[k]);
      CHECK(got[k].id == target, "target");
      for (int32_t j = 0; j < k; j++) {
        check(got[j]);
        CHECK(got[j].rank == j + 1, "order of the top tokens");
      }
      if (first.empty()) first = got;
      CHECK(std::memcmp(first.data(), got.data(), got.size() * sizeof(TokenLogprob)) == 0, "%s differs, V %lld", path->name, static_cast<long long>(vocab));
    }
  }
  for (const OpKernels* path : paths()) {
    std::vector<uint8_t> scratch(path->sample_scratch_bytes(4));
    const float all_nan[] = {NAN, NAN, NAN, NAN};
    TokenLogprob chosen, top[2];
    path->logprobs({all_nan, 4}, 2, 2, &chosen, top, scratch.data());
    CHECK(std::fabs(chosen.logprob + std::log(4.0)) < 1e-6 && chosen.rank == 3 && top[0].id == 0 && top[1].id == 1, "%s: no number at all counts as uniform", path->name);
  }
}

}  // namespace
}  // namespace kvasir::test

int main() {
  using namespace kvasir::test;
  return run_all("ops sampling", {{"Philox known answers", philox_vectors}, {"noise by its order", noise_order}, {"draws against an oracle in double", against_oracle}, {"large vocabularies", large_vocabularies},
                                  {"edges", edges}, {"draws by the maxima of tiles", draws_by_maxima}, {"tiles that are skipped", skipped_tiles}, {"frequencies", frequencies}, {"log-probabilities", log_probabilities}});
}
