// Sessions without JavaScript, for the sanitizers: chunks, company, forks, drafts, release and reuse, aborted loads, and batches and
// descriptions of damaged words, which must be refused by an Error and nothing else.
#include <cstring>
#include <memory>

#include "../session/cpu_features.h"
#include "../session/session.h"
#include "check.h"
#include "kvasir/check.h"
#include "tiny_program.h"

namespace kvasir::test {
namespace {

using Random = std::mt19937_64;

// Sections of a batch, written word by word.
class Batch {
 public:
  explicit Batch(int step_id) : step_id_(step_id) {}
  Batch& init(int slot, const std::vector<int32_t>& history, uint64_t seed = 0, float temperature = 0) {
    std::vector<int32_t> op(32, 0);
    op[slot_op::op] = 0;
    op[slot_op::slot] = slot;
    op[slot_op::history_offset] = static_cast<int32_t>(sections_[kTokens].size());
    op[slot_op::history_length] = op[slot_op::prompt_length] = static_cast<int32_t>(history.size());
    op[slot_op::max_length] = kMaxLength;
    op[slot_op::flags] = kSlotFlagIgnoreEos;
    op[slot_op::seed_low] = static_cast<int32_t>(seed);
    const float top_p = 0.9f;
    std::memcpy(&op[slot_op::temperature], &temperature, 4);
    std::memcpy(&op[slot_op::top_p], &top_p, 4);
    const float typical_p = 0.95f, repetition = 1.2f, presence = 0.3f, bias = 0.5f;
    std::memcpy(&op[slot_op::typical_p], &typical_p, 4);
    std::memcpy(&op[slot_op::repetition_penalty], &repetition, 4);
    std::memcpy(&op[slot_op::presence_penalty], &presence, 4);
    append(kTokens, history);
    const auto add = [&](slot_op::Field offset, slot_op::Field length, const std::vector<int32_t>& words) {
      op[offset] = static_cast<int32_t>(sections_[kTokens].size());
      op[length] = static_cast<int32_t>(words.size());
      append(kTokens, words);
    };
    int32_t bias_bits;
    std::memcpy(&bias_bits, &bias, 4);
    add(slot_op::bias_offset, slot_op::bias_length, {5, bias_bits, 2, bias_bits});
    std::vector<int32_t> allowed(kVocab - 1);
    for (int i = 0; i < kVocab - 1; i++) allowed[static_cast<size_t>(i)] = i;
    add(slot_op::allowed_offset, slot_op::allowed_length, allowed);
    add(slot_op::bad_words_offset, slot_op::bad_words_length, {1, 7, 2, 3, 4});
    append(kSlotOps, op);
    for (int group = 0; group < 2; group++) table(slot, group);
    return *this;
  }
  Batch& fork(int source, int slot, uint64_t seed) {
    std::vector<int32_t> op(32, 0);
    op[slot_op::op] = 2;
    op[slot_op::slot] = slot;
    op[slot_op::source] = source;
    op[slot_op::seed_low] = static_cast<int32_t>(seed);
    append(kSlotOps, op);
    for (int group = 0; group < 2; group++) table(slot, group);
    return *this;
  }
  Batch& release(int slot) {
    std::vector<int32_t> op(32, 0);
    op[slot_op::op] = 3;
    op[slot_op::slot] = slot;
    append(kSlotOps, op);
    return *this;
  }
  // Every entry of a table; each slot and group has blocks of its own (5 slots of 12).
  Batch& table(int slot, int group) {
    append(kTableUpdates, {slot, group, 0, kMaxLength / kBlockSize, static_cast<int32_t>(sections_[kBlockIds].size()), 0, 0, 0});
    for (int i = 0; i < kMaxLength / kBlockSize; i++) sections_[kBlockIds].push_back(1 + (slot * 2 + group) * (kMaxLength / kBlockSize) + i);
    return *this;
  }
  Batch& copy(int src, int dst) {
    append(kTransfers, {0, 0, src, dst, 0, 0, 0, 0});
    return *this;
  }
  Batch& transfer(TransferOp op, int src, int dst) {
    append(kTransfers, {static_cast<int32_t>(op), 0, src, dst, 0, 0, 0, 0});
    return *this;
  }
  Batch& row(int slot, int known, const std::vector<int32_t>& drafts = {}) {
    append(kRows, {slot, known + static_cast<int32_t>(drafts.size()), 0, drafts.empty() ? 0 : static_cast<int32_t>(sections_[kTokens].size()),
                   static_cast<int32_t>(drafts.size()), 0, 0, 0});
    append(kTokens, drafts);
    return *this;
  }
  Batch& output(int token, int slot, int kind = 0, int target = 0, int top = kMaxTop) {
    append(kOutputs, {static_cast<int32_t>(sections_[kRows].size() / 8) - 1, token, kind, slot, target, top, 1, 0});
    return *this;
  }
  std::vector<int32_t> build() const {
    std::vector<int32_t> words(kStepHeaderWords, 0);
    for (int32_t s = 0; s < kNumSections; s++) {
      while (words.size() % kSectionAlignment != 0) words.push_back(0);
      words[static_cast<size_t>(8 + 2 * s)] = static_cast<int32_t>(words.size());
      words[static_cast<size_t>(9 + 2 * s)] = static_cast<int32_t>(sections_[s].size()) / kSectionWords[s];
      words.insert(words.end(), sections_[s].begin(), sections_[s].end());
    }
    words[0] = kStepMagic;
    words[1] = kStepVersion;
    words[2] = static_cast<int32_t>(words.size());
    words[3] = step_id_;
    return words;
  }

 private:
  void append(Section section, const std::vector<int32_t>& words) { sections_[section].insert(sections_[section].end(), words.begin(), words.end()); }
  int step_id_;
  std::vector<int32_t> sections_[kNumSections];
};

struct Runner {
  std::unique_ptr<CpuSession> session;
  StepResultBuffers result;
  int step_id = 0;

  explicit Runner(const TinyProgram& program) : session(std::make_unique<CpuSession>(program.spec())), result(session->spec()) { session->load({}); }
  Batch batch() { return Batch(++step_id); }
  void run(const Batch& batch) {
    // An exact copy, so that reading past its end is seen.
    const std::vector<int32_t> words = batch.build();
    session->run_step(words.data(), static_cast<int64_t>(words.size()), result);
  }
  // Token, log-probability bits and rank of output i.
  std::vector<int32_t> output(int i) const { return {result.outputs.begin() + 4 * i, result.outputs.begin() + 4 * i + 3}; }
};

std::vector<int32_t> random_prompt(Random& random) {
  std::vector<int32_t> prompt(1 + random() % 50);
  for (int32_t& id : prompt) id = static_cast<int32_t>(random() % kVocab);
  return prompt;
}

using Stream = std::vector<std::vector<int32_t>>;

// A prompt alone and whole, then `count` tokens one by one.
Stream alone(const TinyProgram& program, const std::vector<int32_t>& prompt, int count, uint64_t seed, float temperature) {
  Runner runner(program);
  Stream stream;
  const auto length = static_cast<int>(prompt.size());
  runner.run(runner.batch().init(0, prompt, seed, temperature).row(0, length).output(length - 1, 0));
  stream.push_back(runner.output(0));
  while (static_cast<int>(stream.size()) < count) {
    runner.run(runner.batch().row(0, 1).output(0, 0));
    stream.push_back(runner.output(0));
  }
  return stream;
}

void test_company(const TinyProgram& program, Random& random) {
  const auto prompt = random_prompt(random), other = random_prompt(random);
  const float temperature = random() % 2 == 0 ? 0.0f : 1.0f;
  const Stream expected = alone(program, prompt, 6, 5, temperature);
  Runner runner(program);
  runner.run(runner.batch().init(1, other).row(1, static_cast<int>(other.size())));
  // In chunks, beside another slot that is released, taken again and forked.
  auto left = static_cast<int>(prompt.size());
  bool started = false;
  while (left > 0) {
    const int chunk = 1 + static_cast<int>(random() % static_cast<uint64_t>(std::min(left, 30)));
    Batch batch = runner.batch();
    if (!started) batch.init(0, prompt, 5, temperature);
    started = true;
    batch.row(0, chunk);
    left -= chunk;
    if (left == 0) batch.output(chunk - 1, 0);
    runner.run(batch);
  }
  Stream stream{runner.output(0)};
  runner.run(runner.batch().release(1).init(2, {3, 4}).fork(2, 3, 77).row(2, 2).output(1, 2).output(1, 3).row(0, 1).output(0, 0));
  stream.push_back(runner.output(2));
  runner.run(runner.batch().row(2, 1).output(0, 2).row(0, 1).output(0, 0).row(3, 1).output(0, 3));
  stream.push_back(runner.output(1));
  // A right draft, then a wrong one.
  runner.run(runner.batch().row(0, 1, {expected[3][0], (expected[4][0] + 1) % kVocab}).output(0, 0).output(1, 0).output(2, 0));
  CHECK_THAT(runner.result.rows[1] == 1 && runner.result.outputs[8] == -1, "one of two drafts is accepted, got %d", runner.result.rows[1]);
  stream.push_back(runner.output(0));
  stream.push_back(runner.output(1));
  runner.run(runner.batch().row(0, 1).output(0, 0));
  stream.push_back(runner.output(0));
  CHECK_THAT(stream == expected, "a prompt of %zu tokens in company", prompt.size());
  CHECK_THAT(runner.session->num_slots() == 3, "%d slots in use", runner.session->num_slots());
}

void test_damaged_batches(const TinyProgram& program, Random& random) {
  Runner runner(program);
  runner.run(runner.batch().init(0, {2, 3, 4}).row(0, 2));
  int refused = 0;
  for (int i = 0; i < 300; i++) {
    Batch good = runner.batch();
    good.init(1, {5, 6, 7}, 1, 1.0f).fork(1, 2, 9).copy(40, 41).transfer(TransferOp::store, 41, 2).transfer(TransferOp::load, 2, 42).row(0, 1, {8, 9}).output(0, 0).output(1, 0).output(2, 0);
    good.row(1, 3).output(1, 1, 1, 7).output(2, 1).output(2, 2);
    std::vector<int32_t> words = good.build();
    const int32_t values[] = {-1, 0, 1, 2, 7, 16, 63, 64, INT32_MAX, INT32_MIN, 0x40000000, 0x7fc00000, static_cast<int32_t>(random())};
    for (uint64_t n = 1 + random() % 3; n > 0; n--) words[random() % words.size()] = values[random() % (sizeof values / sizeof values[0])];
    if (random() % 5 == 0) words.resize(random() % words.size());
    try {
      runner.session->run_step(words.data(), static_cast<int64_t>(words.size()), runner.result);
      // It was harmless: take the slots back for the next one.
      for (const int slot : {0, 1, 2}) {
        try {
          runner.run(runner.batch().release(slot));
        } catch (const Error&) {
        }
      }
      runner = Runner(program);
      runner.run(runner.batch().init(0, {2, 3, 4}).row(0, 2));
    } catch (const Error& error) {
      refused++;
      const bool known = std::strcmp(error.code(), "ERR_INVALID_STEP") == 0 || std::strcmp(error.code(), "ERR_UNSUPPORTED") == 0;
      CHECK_THAT(known, "a damaged batch is refused with %s", error.code());
    }
    CHECK_THAT(runner.session->num_slots() == 1, "a refused batch left %d slots", runner.session->num_slots());
  }
  CHECK_THAT(refused > 30, "only %d of 300 damaged batches were refused", refused);
}

void test_damaged_descriptions(const TinyProgram& program, Random& random) {
  int refused = 0;
  for (int i = 0; i < 400; i++) {
    std::vector<double> numbers = program.numbers;
    const double values[] = {-1, 0, 1, 3, 17, 0.5, 1e9, 1e18, -1e300, 4294967296.0, static_cast<double>(random() % 100)};
    for (uint64_t n = 1 + random() % 2; n > 0; n--) numbers[random() % numbers.size()] = values[random() % (sizeof values / sizeof values[0])];
    if (random() % 6 == 0) numbers.resize(random() % numbers.size());
    try {
      const SessionSpec spec = read_session_spec(numbers.data(), static_cast<int64_t>(numbers.size()), program.texts);
      if (spec.num_threads <= 4) CpuSession session(spec);
    } catch (const Error&) {
      refused++;
    }
  }
  CHECK_THAT(refused > 100, "only %d of 400 damaged descriptions were refused", refused);
}

// A sample for a slot that was forked and then started anew would append to a sequence that the row did not compute.
void test_fork_ends_with_release(const TinyProgram& program) {
  const auto refused = [&](const Batch& batch, Runner& runner, const char* what) {
    try {
      runner.run(batch);
      CHECK_THAT(false, "%s: a sample for it ran", what);
    } catch (const Error& error) {
      CHECK_THAT(std::strcmp(error.code(), "ERR_INVALID_STEP") == 0, "%s ended with %s", what, error.code());
    }
  };
  Runner runner(program);
  runner.run(runner.batch().init(0, {2, 3, 4}).row(0, 2));
  refused(runner.batch().fork(0, 1, 9).release(1).init(1, {5, 6, 7}).row(0, 1).output(0, 0).output(0, 1), runner, "a fork that is started anew");
  refused(runner.batch().fork(0, 1, 9).release(0).init(0, {5, 6, 7}).row(0, 3).output(2, 0).output(2, 1), runner, "a source that is started anew");
}

// Blocks go to the host tier and come back, in order, also within one step.
void test_host_tier(const TinyProgram& program) {
  Runner runner(program);
  const auto fill = [&](int block, uint8_t value) { std::memset(runner.session->block(0, block).data(), value, static_cast<size_t>(runner.session->block(0, block).size())); };
  const auto holds = [&](int block, uint8_t value) {
    for (const uint8_t byte : runner.session->block(0, block))
      if (byte != value) return false;
    return true;
  };
  fill(1, 11);
  fill(2, 22);
  runner.run(runner.batch().transfer(TransferOp::store, 1, 1).transfer(TransferOp::store, 2, kHostBlocks - 1).copy(2, 1).transfer(TransferOp::load, 1, 2));
  CHECK_THAT(holds(1, 22) && holds(2, 11), "two blocks changed places by way of the host tier");
  fill(1, 0);
  runner.run(runner.batch().transfer(TransferOp::load, kHostBlocks - 1, 1));
  CHECK_THAT(holds(1, 22), "a later step loads what an earlier one stored");
  CHECK_THAT(runner.session->plan().host_tier_bytes == kHostBlocks * runner.session->plan().block_bytes, "planned");
}

void test_load_failures(const TinyProgram& program) {
  CpuSession session(program.spec());
  std::atomic<bool> abort{true};
  LoadControl control;
  control.abort = &abort;
  try {
    session.load(control);
    CHECK_THAT(false, "an aborted load ended well");
  } catch (const Error& error) {
    CHECK_THAT(std::strcmp(error.code(), "ERR_ABORTED") == 0, "an aborted load ended with %s", error.code());
  }
}

void test_cancel(const TinyProgram& program) {
  Runner runner(program);
  runner.run(runner.batch().init(0, {2, 3, 4}).row(0, 2));
  runner.session->cancel();
  try {
    runner.run(runner.batch().row(0, 1).output(0, 0));
    CHECK_THAT(false, "a cancelled step ended well");
  } catch (const Error& error) {
    CHECK_THAT(std::strcmp(error.code(), "ERR_ABORTED") == 0, "a cancelled step ended with %s", error.code());
  }
}

}  // namespace
}  // namespace kvasir::test

int main() {
  using namespace kvasir;
  using namespace kvasir::test;
  Random random(run_seed());
  for (const Isa isa : detect_cpu().paths) {
    for (const int threads : {1, 3}) {
      const TinyProgram program(threads, static_cast<int>(isa), 11);
      for (int i = 0; i < 8; i++) test_company(program, random);
      test_fork_ends_with_release(program);
      test_load_failures(program);
      test_host_tier(program);
      test_cancel(program);
    }
  }
  const TinyProgram program(2, static_cast<int>(detect_cpu().paths[0]), 12);
  test_damaged_batches(program, random);
  test_damaged_descriptions(program, random);
  return finish("session");
}
