// The whole of sampling, from a slot's rules to its token, against probabilities in double that are computed here from the definitions.
#include <functional>
#include <map>
#include <numeric>
#include <set>

#include "../session/sample_slot.h"
#include "ops_check.h"

namespace kvasir::test {
namespace {

struct Setting {
  double temperature = 1, top_p = 1, min_p = 0, typical_p = 1, repetition = 1, presence = 0, frequency = 0;
  int32_t top_k = 0;
  std::map<int32_t, double> biases;
  std::set<int32_t> allowed;
  std::vector<std::vector<int32_t>> bad_words;
  int32_t min_length = 0;
  std::vector<int32_t> ends;  // EOS and stop ids
  std::vector<int32_t> prompt, output;
};

constexpr double kNever = -INFINITY;

// Probabilities of the vocabulary, each step as it is defined.
std::vector<double> distribution(const std::vector<float>& raw, const Setting& s) {
  const auto vocab = static_cast<int32_t>(raw.size());
  std::vector<double> x(raw.begin(), raw.end());
  for (int32_t id = 0; id < vocab; id++)
    if (std::isnan(x[id]) || (!s.allowed.empty() && s.allowed.count(id) == 0)) x[id] = kNever;
  for (const auto& word : s.bad_words) {
    const size_t head = word.size() - 1;
    if (s.output.size() >= head && std::equal(word.begin(), word.end() - 1, s.output.end() - static_cast<int64_t>(head))) x[word.back()] = kNever;
  }
  if (static_cast<int32_t>(s.prompt.size() + s.output.size()) < s.min_length)
    for (int32_t id : s.ends) x[id] = kNever;
  for (const auto& [id, bias] : s.biases) x[id] += bias;
  for (int32_t id = 0; id < vocab; id++) {
    const auto in_output = std::count(s.output.begin(), s.output.end(), id), in_prompt = std::count(s.prompt.begin(), s.prompt.end(), id);
    if (in_output + in_prompt > 0) x[id] = x[id] > 0 ? x[id] / s.repetition : x[id] * s.repetition;
    x[id] -= s.frequency * static_cast<double>(in_output) + (in_output > 0 ? s.presence : 0);
  }

  std::vector<int32_t> order(raw.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return x[a] > x[b]; });
  std::vector<double> p(raw.size(), 0);
  const double most = x[order[0]];
  if (most == kNever) return p;
  if (s.temperature == 0) {
    p[order[0]] = 1;
    return p;
  }
  const auto normalize = [&] {
    const double total = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& each : p) each /= total;
  };
  for (int32_t id = 0; id < vocab; id++) p[id] = std::exp((x[id] - most) / s.temperature);
  normalize();
  const double likeliest = p[order[0]];
  for (double& each : p)
    if (each < s.min_p * likeliest) each = 0;
  normalize();
  if (s.top_k > 0)
    for (size_t i = static_cast<size_t>(s.top_k); i < order.size(); i++) p[order[i]] = 0;
  normalize();
  if (s.top_p < 1) {
    double sum = 0;
    for (int32_t id : order) {
      if (sum >= s.top_p) p[id] = 0;
      sum += p[id];
    }
    normalize();
  }
  if (s.typical_p < 1) {
    double entropy = 0, sum = 0, reach = 0;
    for (double each : p) entropy -= each > 0 ? each * std::log(each) : 0;
    const auto distance = [&](int32_t id) { return p[id] > 0 ? std::fabs(-std::log(p[id]) - entropy) : INFINITY; };
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return distance(a) < distance(b); });
    for (size_t i = 0; i < order.size() && sum < s.typical_p; i++) {
      sum += p[order[i]];
      reach = distance(order[i]);
    }
    for (size_t i = order.size(); i-- > 0;)
      if (distance(order[i]) > reach * (1 + 1e-12)) p[order[i]] = 0;
    normalize();
  }
  return p;
}

Slot slot_of(const Setting& s, int32_t vocab, uint64_t seed) {
  Slot slot;
  slot.max_length = 1 << 12;
  slot.history = s.prompt;
  slot.prompt_length = static_cast<int32_t>(s.prompt.size());
  slot.min_length = s.min_length;
  slot.banned = s.ends;
  slot.seed = seed;
  slot.temperature = static_cast<float>(s.temperature);
  slot.top_p = static_cast<float>(s.top_p);
  slot.top_k = s.top_k;
  slot.min_p = static_cast<float>(s.min_p);
  slot.typical_p = static_cast<float>(s.typical_p);
  auto rules = std::make_shared<SamplingRules>();
  rules->repetition_penalty = static_cast<float>(s.repetition);
  rules->presence_penalty = static_cast<float>(s.presence);
  rules->frequency_penalty = static_cast<float>(s.frequency);
  for (const auto& [id, bias] : s.biases) rules->biases.push_back({id, static_cast<float>(bias)});
  if (!s.allowed.empty()) rules->allowed.assign((static_cast<size_t>(vocab) + 31) / 32, 0);
  for (int32_t id : s.allowed) rules->allowed[static_cast<size_t>(id) / 32] |= 1u << (id % 32);
  for (const auto& word : s.bad_words) {
    rules->bad_words.push_back(static_cast<int32_t>(word.size()));
    rules->bad_words.insert(rules->bad_words.end(), word.begin(), word.end());
  }
  slot.rules = rules;
  slot.count_tokens(vocab);
  slot.ignore_eos = true;
  for (int32_t id : s.output) slot.append(id, {});
  return slot;
}

int32_t draw(const OpKernels& path, const Slot& slot, const std::vector<float>& logits, const std::vector<int32_t>& drafts = {}) {
  const auto vocab = static_cast<int64_t>(logits.size());
  // Nothing may be read that was not written.
  std::vector<uint8_t> scratch(sample_slot_scratch_bytes(path, vocab) + 64, 0xff);
  uint8_t* base = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64) % 64;
  return sample_slot(path, slot, {drafts.data(), static_cast<int64_t>(drafts.size())}, {logits.data(), vocab}, base);
}

// The definition of noise.ts.
double gumbel(uint64_t seed, int64_t position, uint32_t token) {
  uint32_t c[4] = {token >> 2, static_cast<uint32_t>(position), 0, 0}, k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = 0xd2511f53ull * c[0], p1 = 0xcd9e8d57ull * c[2];
    const uint32_t next[4] = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1), static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    std::memcpy(c, next, sizeof next);
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return -std::log(-std::log(((c[token & 3] >> 8) + 0.5) / 16777216));
}

Setting random_setting(Random& random, int32_t vocab) {
  Setting s;
  const auto token = [&] { return static_cast<int32_t>(random.between(0, vocab - 1)); };
  const auto sometimes = [&](double share) { return random.unit() < share; };
  s.temperature = sometimes(0.15) ? 0 : 0.2 + 2 * random.unit();
  if (sometimes(0.3)) s.top_k = static_cast<int32_t>(random.between(1, vocab));
  if (sometimes(0.3)) s.top_p = 0.05 + 0.9 * random.unit();
  if (sometimes(0.3)) s.min_p = random.unit() * random.unit();
  if (sometimes(0.3)) s.typical_p = 0.05 + 0.9 * random.unit();
  if (sometimes(0.4)) s.repetition = 0.5 + 1.5 * random.unit();
  if (sometimes(0.4)) s.presence = 4 * random.unit() - 2;
  if (sometimes(0.4)) s.frequency = 4 * random.unit() - 2;
  if (sometimes(0.3))
    for (int i = 0; i < 4; i++) s.biases[token()] = 10 * random.unit() - 5;
  if (sometimes(0.3))
    for (int64_t i = random.between(1, vocab); i > 0; i--) s.allowed.insert(token());
  for (int64_t i = random.between(1, 12); i > 0; i--) s.prompt.push_back(token());
  for (int64_t i = random.between(0, 20); i > 0; i--) s.output.push_back(token());
  if (sometimes(0.4)) {
    for (int i = 0; i < 6; i++) {
      // Half of them go on where the output ends.
      const auto head = static_cast<size_t>(random.between(0, 3));
      std::vector<int32_t> word;
      if (sometimes(0.5) && s.output.size() >= head) word.assign(s.output.end() - static_cast<int64_t>(head), s.output.end());
      else for (size_t k = 0; k < head; k++) word.push_back(token());
      word.push_back(token());
      s.bad_words.push_back(word);
    }
  }
  if (sometimes(0.3)) s.min_length = static_cast<int32_t>(random.between(0, 40));
  for (int64_t i = random.between(0, 3); i > 0; i--) s.ends.push_back(token());
  return s;
}

// Which tokens are possible must not hang on rounding.
bool is_near_a_border(const std::vector<float>& logits, const Setting& s, const std::vector<double>& p) {
  for (const double e : {-1e-4, 1e-4}) {
    Setting other = s;
    if (s.top_p < 1) other.top_p = s.top_p + e;
    if (s.typical_p < 1) other.typical_p = s.typical_p + e;
    other.min_p = s.min_p * (1 + e);
    const std::vector<double> q = distribution(logits, other);
    for (size_t id = 0; id < p.size(); id++)
      if ((p[id] > 0) != (q[id] > 0)) return true;
  }
  return false;
}

// One draw of many settings: the best of log-probability plus noise, on every path.
void draws() {
  Random random(31);
  int decided = 0, left_out = 0, edited = 0;
  for (int i = 0; i < 4000; i++) {
    const auto vocab = static_cast<int32_t>(i % 50 == 0 ? random.between(1000, 5000) : random.between(4, 90));
    auto logits = random.normals(vocab, 0.3 + 4 * random.unit());
    if (random.unit() < 0.1)
      for (float& x : logits)
        if (random.unit() < 0.5) x = random.unit() < 0.5 ? NAN : -INFINITY;
    const Setting s = random_setting(random, vocab);
    const Slot slot = slot_of(s, vocab, random.bits());
    const std::vector<double> p = distribution(logits, s);
    const int32_t id = draw(op_kernels(Isa::scalar), slot, logits);
    for (const OpKernels* path : paths()) CHECK(draw(*path, slot, logits) == id, "%s differs in case %d", path->name, i);

    int32_t best = -1;
    double most = -INFINITY, second = -INFINITY;
    for (int32_t token = 0; token < vocab; token++) {
      if (p[token] == 0) continue;
      const double score = std::log(p[token]) + (s.temperature > 0 ? gumbel(slot.seed, static_cast<int64_t>(slot.history.size()), static_cast<uint32_t>(token)) : 0);
      if (score > most) {
        second = most;
        most = score;
        best = token;
      } else {
        second = std::max(second, score);
      }
    }
    if (best < 0) continue;  // nothing is possible: tested below
    if (most - second < 1e-3 || is_near_a_border(logits, s, p)) {
      left_out++;
      continue;
    }
    decided++;
    edited += s.repetition != 1 || s.presence != 0 || s.frequency != 0 || !s.biases.empty() || !s.allowed.empty() || !s.bad_words.empty();
    CHECK(id == best, "case %d: drew %d, expected %d (leads by %g)", i, id, best, most - second);
  }
  CHECK(decided > 3000 && edited > 2000, "%d cases decided, %d of them with rules, %d too near to call", decided, edited, left_out);
}

// 99.99 % point of chi-square (Wilson and Hilferty); seeds are fixed, so this only says how far off is off.
double critical(int degrees) {
  const double a = 2.0 / (9 * degrees);
  return degrees * std::pow(1 - a + 3.719 * std::sqrt(a), 3);
}

// How much `seen` speaks against `p`, as a multiple of the critical point; infinite when something impossible was drawn.
double misfit(const std::vector<int>& seen, const std::vector<double>& p, int num_draws) {
  double chi = 0, rest_expected = 0;
  int cells = 0, rest_seen = 0;
  for (size_t id = 0; id < p.size(); id++) {
    const double expected = num_draws * p[id];
    if (p[id] == 0) {
      if (seen[id] > 0) return INFINITY;
    } else if (expected < 10) {
      rest_expected += expected;
      rest_seen += seen[id];
    } else {
      chi += (seen[id] - expected) * (seen[id] - expected) / expected;
      cells++;
    }
  }
  if (rest_expected > 1) {
    chi += (rest_seen - rest_expected) * (rest_seen - rest_expected) / rest_expected;
    cells++;
  }
  return cells < 2 ? 0 : chi / critical(cells - 1);
}

// 20,000 seeds a parameter: the draws fit its value and no other.
void frequencies() {
  Random random(32);
  const int32_t vocab = 24;
  const auto logits = random.normals(vocab, 1.5);
  std::vector<int32_t> order(vocab);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  Setting base;
  base.prompt = {order[0], order[2]};
  base.output = {order[1], order[3], order[1], order[1]};
  base.ends = {order[4], order[5]};

  struct Parameter {
    const char* name;
    std::function<void(Setting&)> right, wrong;
  };
  const auto with = [](auto member, auto right, auto wrong) {
    return std::make_pair([=](Setting& s) { s.*member = right; }, [=](Setting& s) { s.*member = wrong; });
  };
  std::vector<Parameter> parameters;
  const auto add = [&](const char* name, auto pair) { parameters.push_back({name, pair.first, pair.second}); };
  add("temperature", with(&Setting::temperature, 0.8, 0.84));
  add("top_k", with(&Setting::top_k, 6, 7));
  add("top_p", with(&Setting::top_p, 0.7, 0.85));
  add("min_p", with(&Setting::min_p, 0.1, 0.2));
  add("typical_p", with(&Setting::typical_p, 0.6, 0.8));
  add("repetition_penalty", with(&Setting::repetition, 1.3, 1.5));
  add("presence_penalty", with(&Setting::presence, 0.8, 1.2));
  add("frequency_penalty", with(&Setting::frequency, 0.4, 0.6));
  add("logit_bias", with(&Setting::biases, std::map<int32_t, double>{{order[6], 1.5}}, std::map<int32_t, double>{{order[6], 2.0}}));
  add("allowed_token_ids", with(&Setting::allowed, std::set<int32_t>{order[1], order[4], order[9], order[11]}, std::set<int32_t>{order[1], order[4], order[9]}));
  add("bad_words", with(&Setting::bad_words, std::vector<std::vector<int32_t>>{{order[1], order[1], order[0]}}, std::vector<std::vector<int32_t>>{{order[3], order[1], order[0]}}));
  add("min_tokens", with(&Setting::min_length, 7, 6));
  parameters.push_back({"all together",
                        [&](Setting& s) {
                          for (size_t i = 0; i < parameters.size() - 1; i++) parameters[i].right(s);
                          s.allowed.clear();
                          s.top_k = 12;
                          s.typical_p = 0.9;
                          s.top_p = 0.95;
                          s.min_p = 0.02;
                        },
                        [&](Setting& s) {
                          for (size_t i = 0; i < parameters.size() - 1; i++) parameters[i].right(s);
                          s.allowed.clear();
                          s.top_k = 12;
                          s.typical_p = 0.9;
                          s.top_p = 0.95;
                          s.min_p = 0.02;
                          s.presence = 0.3;
                        }});
  const int num_draws = 20000;
  for (const Parameter& parameter : parameters) {
    Setting right = base, wrong = base;
    parameter.right(right);
    parameter.wrong(wrong);
    Slot slot = slot_of(right, vocab, 0);
    std::vector<int> seen(vocab, 0);
    for (int i = 0; i < num_draws; i++) {
      slot.seed = static_cast<uint64_t>(i) * 0x9e3779b97f4a7c15u;
      seen[draw(*paths().back(), slot, logits)]++;
    }
    const double fit = misfit(seen, distribution(logits, right), num_draws), other = misfit(seen, distribution(logits, wrong), num_draws);
    CHECK(fit < 1, "%s: chi-square is %g of its critical value", parameter.name, fit);
    CHECK(other > 1, "%s: draws fit another value too, %g of the critical one", parameter.name, other);
  }
}

// A draft counts as output: the token after it is the one that a history with it gives.
void drafts_count() {
  Random random(33);
  for (int i = 0; i < 1500; i++) {
    const auto vocab = static_cast<int32_t>(random.between(3, 40));
    const auto logits = random.normals(vocab, 2);
    Setting s = random_setting(random, vocab);
    const uint64_t seed = random.bits();
    const Slot slot = slot_of(s, vocab, seed);
    std::vector<int32_t> drafts;
    for (int64_t n = random.between(1, 6); n > 0; n--) drafts.push_back(static_cast<int32_t>(random.between(0, vocab - 1)));
    for (size_t n = 0; n <= drafts.size(); n++) {
      Setting longer = s;
      longer.output.insert(longer.output.end(), drafts.begin(), drafts.begin() + static_cast<int64_t>(n));
      const int32_t expected = draw(*paths().back(), slot_of(longer, vocab, seed), logits);
      const int32_t got = draw(*paths().back(), slot, logits, {drafts.begin(), drafts.begin() + static_cast<int64_t>(n)});
      CHECK(got == expected, "case %d: after %zu drafts %d, after the same history %d", i, n, got, expected);
    }
  }
}

// Counts kept token by token are those of the history.
void counts_follow_the_history() {
  Random random(34);
  for (int i = 0; i < 300; i++) {
    const auto vocab = static_cast<int32_t>(random.between(1, 60));
    Setting s;
    s.repetition = random.unit() < 0.5 ? 1.2 : 1;
    s.frequency = 0.5;
    for (int64_t n = random.between(1, 200); n > 0; n--) s.prompt.push_back(static_cast<int32_t>(random.between(0, vocab - 1)));
    for (int64_t n = random.between(0, 200); n > 0; n--) s.output.push_back(static_cast<int32_t>(random.between(0, vocab - 1)));
    Slot slot = slot_of(s, vocab, 0);
    const auto expect = [&](const char* when) {
      for (int32_t id = 0; id < vocab; id++) {
        const auto begin = slot.history.begin(), border = begin + slot.prompt_length;
        const auto in_output = static_cast<int32_t>(std::count(border, slot.history.end(), id));
        const bool in_prompt = s.repetition != 1 && std::find(begin, border, id) != border;
        CHECK(slot.counts->find(id) == (in_output > 0 || in_prompt ? in_output : -1), "%s: token %d counted %d times", when, id, slot.counts->find(id));
      }
    };
    expect("appended");
    slot.history.resize(static_cast<size_t>(random.between(1, static_cast<int64_t>(slot.history.size()))));
    slot.prompt_length = std::min(slot.prompt_length, static_cast<int32_t>(slot.history.size()));
    slot.count_tokens(vocab);
    expect("counted anew");
  }
}

void nothing_possible() {
  const auto expect = [](const char* what, const std::vector<float>& logits, const Setting& s, int32_t expected) {
    for (const OpKernels* path : paths()) {
      const int32_t id = draw(*path, slot_of(s, static_cast<int32_t>(logits.size()), 5), logits);
      CHECK(id == expected, "%s: %d, expected %d", what, id, expected);
    }
  };
  for (const double temperature : {0.0, 1.0}) {
    Setting s;
    s.temperature = temperature;
    s.prompt = {0};
    s.typical_p = 0.5;
    s.min_p = 0.1;
    expect("no number at all", {NAN, -INFINITY, NAN}, s, 0);
    s.bad_words = {{0}, {1}};
    expect("the only number is a bad word", {3, 2, NAN, NAN}, s, 2);
    s.allowed = {1, 3};
    expect("an allowed token without a number", {3, 2, 1, NAN}, s, 3);
    s.bad_words = {{1}, {3}};
    expect("everything allowed is a bad word", {3, 2, 1, 4}, s, 1);
    s.allowed.clear();
    s.bad_words.clear();
    s.ends = {0, 1, 2};
    s.min_length = 9;
    expect("every token ends", {3, 2, 1}, s, 0);
    s.ends = {0};
    s.biases = {{1, -100.0}};
    s.repetition = 3e38;
    s.prompt = {1, 2};
    expect("a penalty without bounds", {1, -2, -1, -300}, s, 3);
    expect("penalties that reach infinity", {1, -2, -3e38f, NAN}, s, 1);
  }
}

}  // namespace
}  // namespace kvasir::test

int main() {
  using namespace kvasir::test;
  return run_all("sampling rules", {{"draws against probabilities in double", draws}, {"frequencies against right and wrong values", frequencies}, {"drafts count as output", drafts_count},
                                    {"counts follow the history", counts_follow_the_history}, {"nothing possible", nothing_possible}});
}
