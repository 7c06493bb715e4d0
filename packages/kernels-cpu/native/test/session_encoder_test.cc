// An encoder session on threads: batches against sequences alone, refusals, and a cancel while a batch runs.
#include <cstring>
#include <thread>

#include "../session/encoder_session.h"
#include "check.h"
#include "kvasir/check.h"
#include "live_paths.h"
#include "tiny_encoder.h"

namespace kvasir::test {
namespace {

using Sequences = std::vector<std::vector<int32_t>>;

std::vector<float> encode(EncoderSession& session, const Sequences& sequences) {
  std::vector<int32_t> tokens, lengths;
  for (const auto& sequence : sequences) {
    tokens.insert(tokens.end(), sequence.begin(), sequence.end());
    lengths.push_back(static_cast<int32_t>(sequence.size()));
  }
  std::vector<float> vectors(sequences.size() * static_cast<size_t>(session.width()));
  session.encode({tokens.data(), static_cast<int64_t>(tokens.size())}, {lengths.data(), static_cast<int64_t>(lengths.size())}, vectors.data());
  return vectors;
}

std::string code_of(EncoderSession& session, const Sequences& sequences) {
  try {
    encode(session, sequences);
    return "";
  } catch (const Error& error) {
    return error.code();
  }
}

void test_batches(const Path& path) {
  TinyEncoder program(3, static_cast<int>(path.isa), 11);
  TinyEncoder again(1, static_cast<int>(path.isa), 11);
  EncoderSession together(program.spec()), alone(again.spec());
  together.load({});
  alone.load({});
  std::mt19937_64 random(5);
  for (int round = 0; round < 20; round++) {
    Sequences sequences(1 + random() % kEncoderSequences);
    for (auto& sequence : sequences) {
      sequence.resize(1 + random() % (kEncoderTokens / kEncoderSequences));
      for (int32_t& token : sequence) token = static_cast<int32_t>(random() % kEncoderVocab);
    }
    const auto vectors = encode(together, sequences);
    for (size_t i = 0; i < sequences.size(); i++) {
      const auto single = encode(alone, {sequences[i]});
      CHECK_THAT(std::memcmp(single.data(), vectors.data() + i * single.size(), single.size() * 4) == 0, "%s: sequence %zu of %zu differs in company", path.name, i, sequences.size());
    }
  }
  const std::vector<int32_t> longest(kEncoderPositions, 1), longer(kEncoderPositions + 1, 1);
  CHECK_THAT(code_of(together, {longest}).empty(), "the longest sequence");
  CHECK_THAT(code_of(together, {longer}) == "ERR_INVALID_BATCH", "longer than its positions");
  CHECK_THAT(code_of(together, {{kEncoderVocab}}) == "ERR_INVALID_BATCH", "a token outside the vocabulary");
  CHECK_THAT(code_of(together, {{-1}}) == "ERR_INVALID_BATCH", "a negative token");
  CHECK_THAT(code_of(together, {{1}, {}}) == "ERR_INVALID_BATCH", "an empty sequence");
  CHECK_THAT(code_of(together, Sequences(kEncoderSequences + 1, {1})) == "ERR_INVALID_BATCH", "too many sequences");
  CHECK_THAT(code_of(together, Sequences(2, longest)) == "ERR_INVALID_BATCH", "too many tokens");
}

// A session that is cancelled stops its batch, and every one after it.
void test_cancel() {
  TinyEncoder program(2, static_cast<int>(Isa::scalar), 7);
  EncoderSession session(program.spec());
  session.load({});
  std::thread closer([&] { session.cancel(); });
  std::string code;
  for (int i = 0; i < 100000 && code.empty(); i++) code = code_of(session, {std::vector<int32_t>(kEncoderPositions, 1)});
  closer.join();
  CHECK_THAT(code == "ERR_ABORTED", "got '%s'", code.c_str());
}

void test_refusals() {
  const auto refused = [](TinyEncoder& program) {
    try {
      EncoderSession(program.spec());
      return std::string();
    } catch (const Error& error) {
      return std::string(error.code());
    }
  };
  // An emulator makes everything some fifty times slower.
#if defined(KVASIR_EMULATED)
  constexpr size_t kStep = 29;
#else
  constexpr size_t kStep = 1;
#endif
  for (size_t i = 0; i < TinyEncoder(1, 0, 1).numbers.size(); i += kStep) {
    for (const double wrong : {-1.0, 0.5, 1e18}) {
      TinyEncoder program(1, 0, 1);
      program.numbers[i] = wrong;
      // Some words may be anything, such as a scale; nothing may be used unchecked.
      refused(program);
    }
  }
  TinyEncoder cut(1, 0, 1);
  cut.numbers.pop_back();
  CHECK_THAT(refused(cut) == "ERR_INVALID_PROGRAM", "a description that ends early");
}

}  // namespace
}  // namespace kvasir::test

int main() {
  using namespace kvasir::test;
  for (const Path& path : live_paths()) test_batches(path);
  test_cancel();
  test_refusals();
  return finish("session_encoder_test");
}
