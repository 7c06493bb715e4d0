// A Program and the options of a session, as they cross from JavaScript: read once, every number checked.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "../linear/linear.h"
#include "../ops/ops.h"

namespace kvasir {

struct WeightSpec {
  std::string name;
  std::vector<int64_t> shape;  // [N] or [N, K]
  WeightEncoding encoding = WeightEncoding::f32;
  int32_t file = 0;
  int64_t offset = 0;
  int64_t length = 0;
  int64_t interleaved_rope_head_dim = 0;  // 0: rows in their own order
  int64_t rows() const { return shape.size() == 2 ? shape[0] : 1; }
  int64_t columns() const { return shape.back(); }
};

struct FileSpec {
  std::string path;
  int64_t size_bytes = 0;
};

enum class Rows : int32_t { tokens = 0, outputs = 1 };

struct ValueSpec {
  Rows rows = Rows::tokens;
  int64_t width = 0;
};

struct RopeSpec {
  std::vector<double> inverse_frequencies;
  double attention_factor = 1;
};

struct KvLayerSpec {
  int32_t num_kv_heads = 0;
  int32_t head_dim = 0;
  int32_t group = -1;
};

struct KvGroupSpec {
  std::vector<int32_t> layers;
  int32_t window = 0;  // tokens that the cache keeps at least; 0: all
};

enum class OpKind : int32_t {
  embed = 0, rms_norm, linear, rope, kv_write, paged_attention, gated_activation, add, gather_outputs, softcap,
  layer_norm, activation, bidirectional_attention, pool
};
constexpr int kNumOpKinds = 14;
const char* op_kind_name(OpKind kind);

// What picks the row of an embedding.
enum class EmbedIndex : int32_t { token = 0, position = 1, token_type = 2 };

// One op; which fields mean something depends on its kind.
struct OpSpec {
  OpKind kind = OpKind::add;
  int32_t input = -1;   // norms, linear, activation, pool, gatherOutputs: input; rope, softcap: value; kvWrite: key; attention: query; gated: gate; add: a
  int32_t input2 = -1;  // kvWrite: value; gated: up; add: b; bidirectional attention: key
  int32_t input3 = -1;  // bidirectional attention: value
  int32_t out = -1;
  int32_t weight = -1;
  int32_t bias = -1;
  int32_t table = -1;
  int32_t layer = -1;
  int32_t num_heads = 0;
  int32_t head_dim = 0;
  int64_t group_width = 0;
  float scale = 1;        // embed, attention
  float eps = 0;
  float weight_offset = 0;
  float cap = 0;          // softcap, attention (0: none)
  int32_t window = 0;     // attention: tokens that a query sees (0: all)
  Activation activation = Activation::silu;
  EmbedIndex index = EmbedIndex::token;
  Pooling pooling = Pooling::mean;
  bool normalize = false;  // pool
};

struct ProgramSpec {
  bool is_encoder = false;
  int32_t vocab_size = 0;
  int32_t hidden_size = 0;
  int32_t max_positions = 0;
  std::vector<FileSpec> files;
  std::vector<WeightSpec> weights;
  std::vector<ValueSpec> values;
  std::vector<RopeSpec> rope_tables;
  std::vector<KvLayerSpec> kv_layers;
  std::vector<KvGroupSpec> kv_groups;
  std::vector<OpSpec> ops;
  int32_t logits = -1;  // of an encoder: the vectors
};

struct SessionSpec {
  NumericMode mode = NumericMode::automatic;
  KvDtype kv_dtype = KvDtype::f16;
  int32_t block_size = 0;
  int32_t num_blocks = 0;
  int32_t max_slots = 0;
  int32_t max_model_len = 0;
  int32_t max_tokens = 0;
  int32_t max_outputs = 0;
  int32_t max_top_logprobs = 0;
  int32_t max_in_flight = 0;
  int32_t num_threads = 0;
  Isa isa = Isa::scalar;
  bool has_bf16 = false;
  bool trace = false;
  int32_t host_tier_blocks = 0;  // 0: none
  std::string host_tier_path;    // empty: anonymous memory
  bool spread_threads = false;  // see thread_spread.h
  std::vector<int32_t> eos_token_ids;
  std::vector<ProgramSpec> programs;

  int32_t max_rows() const { return max_slots < max_tokens ? max_slots : max_tokens; }
  int32_t max_table_entries() const { return (max_model_len + block_size - 1) / block_size; }
};

// Reads what src/native/describe-encoder.ts writes: a session of one encoder whose keys and values live for a batch. Blocks are key tiles,
// a slot is a sequence, and there is one output for each.
SessionSpec read_encoder_spec(const double* numbers, int64_t count, const std::vector<std::string>& strings);

// Reads the arena that src/native/describe-session.ts writes; throws ERR_INVALID_PROGRAM or ERR_INVALID_ARGUMENT naming the field.
SessionSpec read_session_spec(const double* numbers, int64_t count, const std::vector<std::string>& strings);

}  // namespace kvasir
