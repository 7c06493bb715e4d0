#include <algorithm>
#include <cmath>
#include <set>

#include "kvasir/check.h"
#include "program.h"

namespace kvasir {
namespace {

constexpr double kFormat = 3;
constexpr int64_t kMaxWidth = int64_t{1} << 24;
constexpr int64_t kMaxList = int64_t{1} << 20;
constexpr int64_t kMaxBytes = int64_t{1} << 50;

// Takes numbers from the arena in order. Whatever it hands out lies in the range that the reader names.
class Reader {
 public:
  Reader(const double* numbers, int64_t count, const std::vector<std::string>& strings)
      : numbers_(numbers), count_(count), strings_(strings) {}

  double number(const char* what) {
    KVASIR_CHECK(at_ < count_, "ERR_INVALID_PROGRAM", "the description ends before ", what, " (word ", at_, ")");
    const double value = numbers_[at_++];
    KVASIR_CHECK(std::isfinite(value), "ERR_INVALID_PROGRAM", where_, what, " is not finite (word ", at_ - 1, ")");
    return value;
  }
  int64_t integer(const char* what, int64_t low, int64_t high) {
    const double value = number(what);
    KVASIR_CHECK(value >= static_cast<double>(low) && value <= static_cast<double>(high) && value == std::floor(value),
                 "ERR_INVALID_PROGRAM", where_, what, " is ", value, ", expected a whole number from ", low, " to ", high);
    return static_cast<int64_t>(value);
  }
  int32_t index(const char* what, int64_t size) { return static_cast<int32_t>(integer(what, 0, size - 1)); }
  int32_t optional_index(const char* what, int64_t size) { return static_cast<int32_t>(integer(what, -1, size - 1)); }
  int32_t count(const char* what, int64_t low, int64_t high) { return static_cast<int32_t>(integer(what, low, high)); }
  std::string text(const char* what) {
    KVASIR_CHECK(next_string_ < strings_.size(), "ERR_INVALID_PROGRAM", "no text left for ", what);
    return strings_[next_string_++];
  }
  // Prefix of messages: which record is being read.
  void enter(const char* list, int64_t position) { where_ = std::string(list) + "[" + std::to_string(position) + "]."; }
  void leave() { where_.clear(); }
  void finish() const {
    KVASIR_CHECK(at_ == count_ && next_string_ == strings_.size(), "ERR_INVALID_PROGRAM", "the description has ", count_ - at_,
                 " words and ", strings_.size() - next_string_, " texts too many");
  }

 private:
  const double* numbers_;
  int64_t count_;
  const std::vector<std::string>& strings_;
  int64_t at_ = 0;
  size_t next_string_ = 0;
  std::string where_;
};

WeightSpec read_weight(Reader& in, int64_t num_files) {
  WeightSpec weight;
  weight.name = in.text("weight name");
  const int32_t rank = in.count("rank", 1, 2);
  for (int32_t i = 0; i < rank; i++) weight.shape.push_back(in.integer("shape", 1, int64_t{1} << 31));
  weight.encoding = static_cast<WeightEncoding>(in.integer("encoding", 0, static_cast<int64_t>(WeightEncoding::q6_k)));
  weight.file = in.index("part.file", num_files);
  weight.offset = in.integer("part.offset", 0, kMaxBytes);
  weight.length = in.integer("part.length", 1, kMaxBytes);
  weight.interleaved_rope_head_dim = in.integer("rowOrder.headDim", 0, kMaxWidth);
  const int64_t row_bytes = encoded_row_bytes(weight.encoding, weight.columns());
  KVASIR_CHECK(row_bytes <= kMaxBytes / weight.rows() && weight.length == row_bytes * weight.rows(), "ERR_INVALID_WEIGHT", "weight '",
               weight.name, "' has ", weight.length, " bytes, its ", weight.rows(), " rows need ", row_bytes, " each");
  const int64_t head_dim = weight.interleaved_rope_head_dim;
  KVASIR_CHECK(head_dim % 2 == 0 && (head_dim == 0 || weight.shape[0] % head_dim == 0), "ERR_INVALID_WEIGHT", "weight '",
               weight.name, "': rope head of ", head_dim, " rows, expected an even divisor of its rows");
  return weight;
}

OpSpec read_op(Reader& in, const ProgramSpec& p) {
  const auto value = [&](const char* what) { return in.index(what, static_cast<int64_t>(p.values.size())); };
  const auto weight = [&](const char* what) { return in.index(what, static_cast<int64_t>(p.weights.size())); };
  OpSpec op;
  op.kind = static_cast<OpKind>(in.integer("op", 0, kNumOpKinds - 1));
  switch (op.kind) {
    case OpKind::embed:
      op.weight = weight("weight");
      op.out = value("out");
      op.scale = static_cast<float>(in.number("scale"));
      op.index = static_cast<EmbedIndex>(in.integer("index", 0, 2));
      break;
    case OpKind::rms_norm:
      op.input = value("input");
      op.weight = weight("weight");
      op.out = value("out");
      op.eps = static_cast<float>(in.number("eps"));
      op.weight_offset = static_cast<float>(in.integer("weightOffset", 0, 1));
      op.group_width = in.integer("groupWidth", 1, kMaxWidth);
      break;
    case OpKind::linear:
      op.input = value("input");
      op.weight = weight("weight");
      op.bias = in.optional_index("bias", static_cast<int64_t>(p.weights.size()));
      op.out = value("out");
      break;
    case OpKind::rope:
      op.input = value("value");
      op.table = in.index("table", static_cast<int64_t>(p.rope_tables.size()));
      op.num_heads = in.count("numHeads", 1, 1 << 16);
      op.head_dim = in.count("headDim", 1, 1 << 16);
      break;
    case OpKind::kv_write:
      op.input = value("key");
      op.input2 = value("value");
      op.layer = in.index("layer", static_cast<int64_t>(p.kv_layers.size()));
      break;
    case OpKind::paged_attention:
      op.input = value("query");
      op.out = value("out");
      op.layer = in.index("layer", static_cast<int64_t>(p.kv_layers.size()));
      op.num_heads = in.count("numHeads", 1, 1 << 16);
      op.scale = static_cast<float>(in.number("scale"));
      op.cap = static_cast<float>(in.number("softcap"));
      op.window = in.count("window", 0, 1 << 30);
      break;
    case OpKind::gated_activation:
      op.activation = static_cast<Activation>(in.integer("activation", 0, 3));
      op.input = value("gate");
      op.input2 = value("up");
      op.out = value("out");
      break;
    case OpKind::add:
      op.input = value("a");
      op.input2 = value("b");
      op.out = value("out");
      break;
    case OpKind::gather_outputs:
      op.input = value("input");
      op.out = value("out");
      break;
    case OpKind::softcap:
      op.input = value("value");
      op.cap = static_cast<float>(in.number("cap"));
      break;
    case OpKind::layer_norm:
      op.input = value("input");
      op.weight = weight("weight");
      op.bias = weight("bias");
      op.out = value("out");
      op.eps = static_cast<float>(in.number("eps"));
      break;
    case OpKind::activation:
      op.activation = static_cast<Activation>(in.integer("activation", 0, 3));
      op.input = value("input");
      op.out = value("out");
      break;
    case OpKind::bidirectional_attention:
      op.input = value("query");
      op.input2 = value("key");
      op.input3 = value("value");
      op.out = value("out");
      op.num_heads = in.count("numHeads", 1, 1 << 12);
      op.scale = static_cast<float>(in.number("scale"));
      break;
    case OpKind::pool:
      op.pooling = static_cast<Pooling>(in.integer("kind", 0, 2));
      op.normalize = in.integer("normalize", 0, 1) != 0;
      op.input = value("input");
      op.out = value("out");
      break;
  }
  return op;
}

// Widths and row kinds of one op agree with each other.
void check_op(const ProgramSpec& p, size_t position) {
  const OpSpec& op = p.ops[position];
  const auto expect = [&](bool ok, const char* what, int64_t got, int64_t expected) {
    KVASIR_CHECK(ok, "ERR_INVALID_PROGRAM", "ops[", position, "] (", op_kind_name(op.kind), "): ", what, " is ", got, ", expected ", expected);
  };
  const auto width = [&](int32_t id) { return p.values[static_cast<size_t>(id)].width; };
  const auto rows = [&](int32_t id) { return static_cast<int64_t>(p.values[static_cast<size_t>(id)].rows); };
  const auto equal = [&](const char* what, int64_t got, int64_t expected) { expect(got == expected, what, got, expected); };
  const auto vector_of = [&](int32_t id, int64_t size, const char* what) {
    const WeightSpec& weight = p.weights[static_cast<size_t>(id)];
    equal(what, static_cast<int64_t>(weight.shape.size()), 1);
    equal(what, weight.columns(), size);
  };
  const auto positive = [&](const char* what, float number) {
    KVASIR_CHECK(std::isfinite(number) && number > 0, "ERR_INVALID_PROGRAM", "ops[", position, "] (", op_kind_name(op.kind), "): ", what,
                 " is ", number, ", expected a positive number");
  };
  switch (op.kind) {
    case OpKind::embed: {
      const WeightSpec& weight = p.weights[static_cast<size_t>(op.weight)];
      equal("rank of its weight", static_cast<int64_t>(weight.shape.size()), 2);
      if (op.index == EmbedIndex::token) equal("rows of its weight", weight.shape[0], p.vocab_size);
      if (op.index == EmbedIndex::position) expect(weight.shape[0] >= p.max_positions, "rows of its weight", weight.shape[0], p.max_positions);
      equal("width of its weight", weight.shape[1], width(op.out));
      equal("rope order of its weight", weight.interleaved_rope_head_dim, 0);
      equal("row kind of its output", rows(op.out), static_cast<int64_t>(Rows::tokens));
      break;
    }
    case OpKind::rms_norm:
      equal("width of its output", width(op.out), width(op.input));
      equal("row kind of its output", rows(op.out), rows(op.input));
      equal("width modulo groupWidth", width(op.input) % op.group_width, 0);
      vector_of(op.weight, op.group_width, "size of its weight");
      KVASIR_CHECK(op.eps >= 0, "ERR_INVALID_PROGRAM", "ops[", position, "] (rmsNorm): eps is ", op.eps, ", expected 0 or more");
      break;
    case OpKind::linear: {
      const WeightSpec& weight = p.weights[static_cast<size_t>(op.weight)];
      equal("rank of its weight", static_cast<int64_t>(weight.shape.size()), 2);
      equal("columns of its weight", weight.shape[1], width(op.input));
      equal("rows of its weight", weight.shape[0], width(op.out));
      equal("row kind of its output", rows(op.out), rows(op.input));
      expect(op.input != op.out, "its output", op.out, -1);
      if (op.bias >= 0) vector_of(op.bias, width(op.out), "size of its bias");
      break;
    }
    case OpKind::rope: {
      equal("width of its value", width(op.input), static_cast<int64_t>(op.num_heads) * op.head_dim);
      equal("row kind of its value", rows(op.input), static_cast<int64_t>(Rows::tokens));
      const auto half = static_cast<int64_t>(p.rope_tables[static_cast<size_t>(op.table)].inverse_frequencies.size());
      expect(2 * half <= op.head_dim, "rotary dimension", 2 * half, op.head_dim);
      break;
    }
    case OpKind::kv_write: {
      const KvLayerSpec& layer = p.kv_layers[static_cast<size_t>(op.layer)];
      equal("width of its key", width(op.input), static_cast<int64_t>(layer.num_kv_heads) * layer.head_dim);
      equal("width of its value", width(op.input2), static_cast<int64_t>(layer.num_kv_heads) * layer.head_dim);
      equal("row kind of its key", rows(op.input), static_cast<int64_t>(Rows::tokens));
      equal("row kind of its value", rows(op.input2), static_cast<int64_t>(Rows::tokens));
      break;
    }
    case OpKind::paged_attention: {
      const KvLayerSpec& layer = p.kv_layers[static_cast<size_t>(op.layer)];
      equal("numHeads modulo KV heads", op.num_heads % layer.num_kv_heads, 0);
      equal("width of its query", width(op.input), static_cast<int64_t>(op.num_heads) * layer.head_dim);
      equal("width of its output", width(op.out), width(op.input));
      equal("row kind of its query", rows(op.input), static_cast<int64_t>(Rows::tokens));
      equal("row kind of its output", rows(op.out), static_cast<int64_t>(Rows::tokens));
      expect(op.input != op.out, "its output", op.out, -1);
      if (op.cap != 0) positive("softcap", op.cap);
      const int32_t kept = p.kv_groups[static_cast<size_t>(layer.group)].window;
      KVASIR_CHECK(kept == 0 || (op.window > 0 && op.window <= kept), "ERR_INVALID_PROGRAM", "ops[", position, "] (pagedAttention): its window is ",
                   op.window, " (0 is all), its KV group keeps ", kept, " tokens only");
      break;
    }
    case OpKind::gated_activation:
    case OpKind::add:
      equal("width of its second input", width(op.input2), width(op.input));
      equal("width of its output", width(op.out), width(op.input));
      equal("row kind of its second input", rows(op.input2), rows(op.input));
      equal("row kind of its output", rows(op.out), rows(op.input));
      break;
    case OpKind::gather_outputs:
      equal("width of its output", width(op.out), width(op.input));
      equal("row kind of its input", rows(op.input), static_cast<int64_t>(Rows::tokens));
      equal("row kind of its output", rows(op.out), static_cast<int64_t>(Rows::outputs));
      break;
    case OpKind::softcap: positive("cap", op.cap); break;
    case OpKind::layer_norm:
      equal("width of its output", width(op.out), width(op.input));
      equal("row kind of its output", rows(op.out), rows(op.input));
      vector_of(op.weight, width(op.input), "size of its weight");
      vector_of(op.bias, width(op.input), "size of its bias");
      KVASIR_CHECK(op.eps >= 0, "ERR_INVALID_PROGRAM", "ops[", position, "] (layerNorm): eps is ", op.eps, ", expected 0 or more");
      break;
    case OpKind::activation:
      equal("width of its output", width(op.out), width(op.input));
      equal("row kind of its output", rows(op.out), rows(op.input));
      break;
    case OpKind::bidirectional_attention:
      equal("width of its query modulo numHeads", width(op.input) % op.num_heads, 0);
      expect(width(op.input) / op.num_heads <= 1 << 12, "width of its heads", width(op.input) / op.num_heads, 1 << 12);
      for (const int32_t id : {op.input, op.input2, op.input3, op.out}) {
        equal("width of a value", width(id), width(op.input));
        equal("row kind of a value", rows(id), static_cast<int64_t>(Rows::tokens));
      }
      expect(op.out != op.input && op.out != op.input2 && op.out != op.input3, "its output", op.out, -1);
      break;
    case OpKind::pool:
      equal("width of its output", width(op.out), width(op.input));
      equal("row kind of its input", rows(op.input), static_cast<int64_t>(Rows::tokens));
      equal("row kind of its output", rows(op.out), static_cast<int64_t>(Rows::outputs));
      break;
  }
}

// Each value is written before it is read, and the logits are there at the end.
void check_flow(const ProgramSpec& p) {
  std::vector<bool> written(p.values.size(), false);
  const auto read = [&](int32_t id, size_t position) {
    if (id < 0) return;
    KVASIR_CHECK(written[static_cast<size_t>(id)], "ERR_INVALID_PROGRAM", "ops[", position, "] (", op_kind_name(p.ops[position].kind),
                 ") reads value ", id, " before any op wrote it");
  };
  for (size_t position = 0; position < p.ops.size(); position++) {
    check_op(p, position);
    const OpSpec& op = p.ops[position];
    read(op.input, position);
    read(op.input2, position);
    read(op.input3, position);
    if (op.out >= 0) written[static_cast<size_t>(op.out)] = true;
  }
  const ValueSpec& logits = p.values[static_cast<size_t>(p.logits)];
  if (p.is_encoder) {
    KVASIR_CHECK(written[static_cast<size_t>(p.logits)] && logits.rows == Rows::outputs, "ERR_INVALID_PROGRAM", "output is value ", p.logits,
                 ", expected a written value of outputs");
    return;
  }
  KVASIR_CHECK(written[static_cast<size_t>(p.logits)] && logits.rows == Rows::outputs && logits.width == p.vocab_size, "ERR_INVALID_PROGRAM",
               "logits is value ", p.logits, " of width ", logits.width, ", expected a written value of outputs, ", p.vocab_size, " wide");
}

// An encoder's keys and values lie in a cache of one layer, which each of its attentions fills anew; those of other heads have a layer more.
void place_bidirectional(ProgramSpec& p) {
  for (OpSpec& op : p.ops) {
    if (op.kind != OpKind::bidirectional_attention) continue;
    const auto head_dim = static_cast<int32_t>(p.values[static_cast<size_t>(op.input)].width / op.num_heads);
    for (size_t i = 0; i < p.kv_layers.size(); i++) {
      if (p.kv_layers[i].num_kv_heads == op.num_heads && p.kv_layers[i].head_dim == head_dim) op.layer = static_cast<int32_t>(i);
    }
    if (op.layer >= 0) continue;
    op.layer = static_cast<int32_t>(p.kv_layers.size());
    p.kv_layers.push_back({op.num_heads, head_dim, 0});
  }
  p.kv_groups.resize(1);
  for (size_t i = 0; i < p.kv_layers.size(); i++) p.kv_groups[0].layers.push_back(static_cast<int32_t>(i));
}

// Each kind has ops that it alone may have: nothing of an encoder is kept, and nothing of a decoder sees what comes later.
void check_kind(const ProgramSpec& p) {
  for (size_t i = 0; i < p.ops.size(); i++) {
    const OpKind kind = p.ops[i].kind;
    const bool is_encoders = kind == OpKind::bidirectional_attention || kind == OpKind::pool || p.ops[i].index == EmbedIndex::token_type;
    const bool is_decoders = kind == OpKind::rope || kind == OpKind::kv_write || kind == OpKind::paged_attention || kind == OpKind::gather_outputs;
    KVASIR_CHECK(p.is_encoder ? !is_decoders : !is_encoders, "ERR_INVALID_PROGRAM", "ops[", i, "] (", op_kind_name(kind), ") has no place in ",
                 p.is_encoder ? "an encoder" : "a decoder");
  }
}

void read_kv(Reader& in, ProgramSpec& p) {
  const int32_t num_layers = in.count("kvLayers.length", 0, 1 << 14);
  for (int32_t i = 0; i < num_layers; i++) {
    in.enter("kvLayers", i);
    KvLayerSpec layer;
    layer.num_kv_heads = in.count("numKvHeads", 1, 1 << 12);
    layer.head_dim = in.count("headDim", 1, 1 << 12);
    p.kv_layers.push_back(layer);
  }
  in.leave();
  const int32_t num_groups = in.count("kvGroups.length", 0, 64);
  for (int32_t i = 0; i < num_groups; i++) {
    in.enter("kvGroups", i);
    KvGroupSpec group;
    group.window = in.count("window", 0, 1 << 30);
    const int32_t size = in.count("layers.length", 1, num_layers);
    for (int32_t k = 0; k < size; k++) {
      const int32_t layer = in.index("layers", num_layers);
      KvLayerSpec& spec = p.kv_layers[static_cast<size_t>(layer)];
      KVASIR_CHECK(spec.group < 0, "ERR_INVALID_PROGRAM", "KV layer ", layer, " is in groups ", spec.group, " and ", i, ", expected one");
      spec.group = i;
      group.layers.push_back(layer);
    }
    p.kv_groups.push_back(std::move(group));
  }
  in.leave();
  for (size_t i = 0; i < p.kv_layers.size(); i++) {
    KVASIR_CHECK(p.kv_layers[i].group >= 0, "ERR_INVALID_PROGRAM", "KV layer ", i, " is in no group");
  }
}

ProgramSpec read_program(Reader& in) {
  ProgramSpec p;
  p.is_encoder = in.integer("kind", 0, 1) == 1;
  p.vocab_size = in.count("vocabSize", 1, kMaxWidth);
  p.hidden_size = in.count("hiddenSize", 1, kMaxWidth);
  p.max_positions = in.count("maxPositions", 1, 1 << 30);
  const int32_t num_files = in.count("files.length", 1, 1 << 12);
  for (int32_t i = 0; i < num_files; i++) {
    in.enter("files", i);
    FileSpec file;
    file.path = in.text("path");
    file.size_bytes = in.integer("sizeBytes", 1, kMaxBytes);
    p.files.push_back(std::move(file));
  }
  in.leave();
  const int32_t num_weights = in.count("weights.length", 1, kMaxList);
  for (int32_t i = 0; i < num_weights; i++) {
    in.enter("weights", i);
    p.weights.push_back(read_weight(in, num_files));
    const WeightSpec& weight = p.weights.back();
    const int64_t size = p.files[static_cast<size_t>(weight.file)].size_bytes;
    KVASIR_CHECK(weight.length <= size && weight.offset <= size - weight.length, "ERR_INVALID_WEIGHT", "weight '", weight.name, "' is [",
                 weight.offset, ", ", weight.offset + weight.length, ") of a file of ", size, " bytes");
  }
  in.leave();
  const int32_t num_values = in.count("values.length", 1, kMaxList);
  for (int32_t i = 0; i < num_values; i++) {
    in.enter("values", i);
    ValueSpec value;
    value.rows = static_cast<Rows>(in.integer("rows", 0, 1));
    value.width = in.integer("width", 1, kMaxWidth);
    p.values.push_back(value);
  }
  in.leave();
  const int32_t num_tables = in.count("ropeTables.length", 0, 64);
  for (int32_t i = 0; i < num_tables; i++) {
    in.enter("ropeTables", i);
    RopeSpec table;
    const int32_t half = in.count("inverseFrequencies.length", 1, 1 << 12);
    for (int32_t k = 0; k < half; k++) table.inverse_frequencies.push_back(in.number("inverseFrequencies"));
    table.attention_factor = in.number("attentionFactor");
    p.rope_tables.push_back(std::move(table));
  }
  in.leave();
  read_kv(in, p);
  const int32_t num_ops = in.count("ops.length", 1, kMaxList);
  for (int32_t i = 0; i < num_ops; i++) {
    in.enter("ops", i);
    p.ops.push_back(read_op(in, p));
  }
  in.leave();
  p.logits = in.index(p.is_encoder ? "output" : "logits", num_values);
  check_kind(p);
  check_flow(p);
  if (p.is_encoder) place_bidirectional(p);
  return p;
}

}  // namespace

const char* op_kind_name(OpKind kind) {
  static const char* const names[kNumOpKinds] = {"embed",          "rmsNorm",         "linear", "rope",          "kvWrite",
                                                 "pagedAttention", "gatedActivation", "add",    "gatherOutputs", "softcap",
                                                 "layerNorm",      "activation",      "bidirectionalAttention", "pool"};
  return names[static_cast<int>(kind)];
}

SessionSpec read_encoder_spec(const double* numbers, int64_t count, const std::vector<std::string>& strings) {
  Reader in(numbers, count, strings);
  KVASIR_CHECK(in.number("format") == kFormat, "ERR_INVALID_PROGRAM", "the description has another format: JavaScript and addon differ in version, rebuild");
  SessionSpec spec;
  spec.mode = static_cast<NumericMode>(in.integer("mode", 0, 1));
  spec.max_tokens = in.count("maxTokensPerBatch", 1, 1 << 20);
  spec.max_outputs = spec.max_slots = in.count("maxSequencesPerBatch", 1, 1 << 20);
  spec.num_threads = in.count("numThreads", 1, 1024);
  spec.isa = static_cast<Isa>(in.integer("isa", 0, kNumIsas - 1));
  spec.has_bf16 = in.integer("hasBf16", 0, 1) != 0;
  spec.spread_threads = in.integer("spreadThreads", 0, 1) != 0;
  spec.programs.push_back(read_program(in));
  const ProgramSpec& program = spec.programs.back();
  KVASIR_CHECK(program.is_encoder, "ERR_INVALID_PROGRAM", "the program is a decoder, expected an encoder");
  // Each sequence begins a block of its own. Block 0 is nobody's, as everywhere.
  spec.kv_dtype = KvDtype::f32;
  spec.block_size = kKvTile;
  spec.num_blocks = 1 + spec.max_tokens / kKvTile + spec.max_rows();
  spec.max_model_len = std::min(program.max_positions, spec.max_tokens);
  spec.max_in_flight = 1;
  in.finish();
  return spec;
}

SessionSpec read_session_spec(const double* numbers, int64_t count, const std::vector<std::string>& strings) {
  Reader in(numbers, count, strings);
  KVASIR_CHECK(in.number("format") == kFormat, "ERR_INVALID_PROGRAM", "the description has another format: JavaScript and addon differ in version, rebuild");
  SessionSpec spec;
  spec.mode = static_cast<NumericMode>(in.integer("mode", 0, 1));
  spec.kv_dtype = static_cast<KvDtype>(in.integer("kvCacheDtype", 0, 3));
  spec.block_size = in.count("blockSize", kKvTile, 1 << 16);
  KVASIR_CHECK(spec.block_size % kKvTile == 0, "ERR_INVALID_ARGUMENT", "blockSize is ", spec.block_size, ", expected a multiple of ", kKvTile);
  spec.num_blocks = in.count("numBlocks", 2, (int64_t{1} << 31) - 1);
  spec.max_slots = in.count("maxSlots", 1, 1 << 20);
  spec.max_model_len = in.count("maxModelLen", 1, 1 << 24);
  spec.max_tokens = in.count("maxTokensPerStep", 1, 1 << 20);
  spec.max_outputs = in.count("maxOutputsPerStep", 1, 1 << 20);
  spec.max_top_logprobs = in.count("maxTopLogprobs", 0, 1 << 16);
  spec.max_in_flight = in.count("maxInFlight", 1, 2);
  spec.num_threads = in.count("numThreads", 1, 1024);
  spec.isa = static_cast<Isa>(in.integer("isa", 0, kNumIsas - 1));
  spec.has_bf16 = in.integer("hasBf16", 0, 1) != 0;
  spec.trace = in.integer("trace", 0, 1) != 0;
  spec.spread_threads = in.integer("spreadThreads", 0, 1) != 0;
  spec.host_tier_blocks = in.count("hostTier.numBlocks", 0, (int64_t{1} << 31) - 1);
  spec.host_tier_path = in.text("hostTier.path");
  const int32_t num_eos = in.count("eosTokenIds.length", 0, 1 << 16);
  for (int32_t i = 0; i < num_eos; i++) spec.eos_token_ids.push_back(in.count("eosTokenIds", 0, kMaxWidth));
  const int32_t num_programs = in.count("programs.length", 1, 16);
  for (int32_t i = 0; i < num_programs; i++) {
    spec.programs.push_back(read_program(in));
    KVASIR_CHECK(!spec.programs.back().is_encoder, "ERR_INVALID_PROGRAM", "programs[", i, "] is an encoder, expected a decoder");
    KVASIR_CHECK(spec.max_model_len <= spec.programs.back().max_positions, "ERR_INVALID_ARGUMENT", "maxModelLen is ", spec.max_model_len,
                 ", the model was made for ", spec.programs.back().max_positions, " positions");
  }
  in.finish();
  return spec;
}

}  // namespace kvasir
