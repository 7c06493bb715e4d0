// Everything a step computes besides linears: norms, rotary embedding, gated activations, the paged KV cache,
// attention, and sampling. One table of functions per kernel path; for equal input all paths give equal bits
// (reductions run in 16 virtual lanes and a fixed tree on every path; exp and log are our own).
//
// No N-API here. Every function is pure over its arguments and may run on any thread.
#pragma once
#include <cstddef>
#include <cstdint>

#include "../linear/linear.h"

namespace kvasir {

enum class KvDtype : int32_t { f32 = 0, f16 = 1, bf16 = 2, i8 = 3 };
enum class Activation : int32_t { silu = 0, gelu_tanh = 1, gelu = 2, relu = 3 };
enum class Pooling : int32_t { mean = 0, cls = 1, last = 2 };

constexpr int kKvTile = 16;              // tokens a key tile; block sizes are multiples of it
constexpr int kAttentionPartition = 256; // absolute token borders at which softmax state is merged
constexpr int64_t kVocabularyTile = 64;   // logits whose maximum sampling looks at first

// Where one layer's keys and values lie inside a block of its group:
//
//   block base + layer_offset + kv_head * head_bytes:
//     i8 only: key scales [block_size] and value scales [block_size] in float32, one a token
//     keys   [block_size / 16][head_dim][16]   token in the fastest dimension, so that scores need no horizontal sum
//     values [block_size][head_dim]
//
// i8 holds round(x / scale) with scale = max|x| / 127 of one token's key or value in one KV head: nothing of a token depends on others.
struct KvLayout {
  KvDtype dtype;
  int32_t num_kv_heads;
  int32_t head_dim;
  int32_t block_size;
  int64_t layer_offset;  // bytes from the block base
  int64_t block_bytes;   // whole block of the group
  int64_t scales_bytes() const { return dtype == KvDtype::i8 ? int64_t{8} * block_size : 0; }  // at the start of a head
  int64_t head_bytes() const;
  int64_t layer_bytes() const;  // num_kv_heads * head_bytes()
};

// Consecutive new tokens of one sequence.
struct AttentionRow {
  const int32_t* block_table;  // physical block of logical block i; entries behind the window are never read
  int32_t start;               // position of the first query token
  int32_t num_query;
  int64_t token;               // index of its first token among the tokens of the step
};

struct AttentionArgs {
  const uint8_t* pool;
  KvLayout layout;
  const AttentionRow* rows;
  int32_t num_rows;
  int32_t num_heads;
  float scale;
  float softcap;   // 0: none
  int32_t window;  // 0: none; else a query at position p sees tokens (p - window, p]
  const float* query;  // [tokens, num_heads * head_dim]
  int64_t query_stride;
  float* out;          // [tokens, num_heads * head_dim]
  int64_t out_stride;
  // Where split items leave their results (AttentionWorkspace in attention_plan.h); used by one op at a time.
  uint8_t* workspace = nullptr;
  int64_t workspace_pairs = 0;
  bool bidirectional = false;  // a query sees all tokens of its row, which begins at position 0; no window then
};

struct AttentionItem;

// Bytes of one line of a workspace slot: its softmax state, then its partial sums.
constexpr int64_t attention_slot_bytes(int64_t head_dim) { return 64 + (head_dim + 15) / 16 * 64; }

struct SampleParams {
  float temperature;  // 0: greedy
  float top_p;        // 1: off
  int32_t top_k;      // 0: off
  uint64_t seed;
  int64_t position;   // position the sampled token will have
  float min_p = 0;      // 0: off
  float typical_p = 1;  // 1: off
};

constexpr int64_t vocabulary_tiles(int64_t vocab) { return (vocab + kVocabularyTile - 1) / kVocabularyTile; }

// One row of logits.
struct LogitRow {
  const float* logits;
  int64_t vocab;
  // What tile_maxima() says of them, readable up to a multiple of 16; null: they are found by a pass over the row.
  const float* tile_max = nullptr;
};

struct TokenLogprob {
  int32_t id;
  float logprob;
  int32_t rank;  // 1-based
};

struct OpKernels {
  const char* name;

  // Each of `groups` runs of `width` elements of x: out = x / sqrt(mean(x^2) + eps) * (weight + weight_offset). out may be x.
  void (*rms_norm)(const float* x, const float* weight, float weight_offset, float eps, int64_t width, int64_t groups, float* out);
  // Halves-apart rotation of each head in place; cos and sin hold `half` values.
  void (*rope)(float* x, const float* cos, const float* sin, int64_t num_heads, int64_t head_dim, int64_t half);
  void (*gated_activation)(Activation kind, const float* gate, const float* up, int64_t n, float* out);
  void (*add)(const float* a, const float* b, int64_t n, float* out);
  // out = (x - mean) / sqrt(variance + eps) * weight + bias. `out` may be `x`.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps, int64_t width, float* out);
  void (*activation)(Activation kind, const float* x, int64_t n, float* out);
  // Mean (rows in order), first or last of num_rows >= 1 rows; `normalize` divides by the length, at least 1e-12.
  void (*pool)(Pooling kind, const float* rows, int64_t stride, int64_t num_rows, int64_t width, bool normalize, float* out);
  void (*softcap)(float* x, int64_t n, float cap);
  // maxima[i] = largest of the logits [i * kVocabularyTile, (i + 1) * kVocabularyTile) below n; NaN counts as -inf, -0 as 0.
  void (*tile_maxima)(const float* logits, int64_t n, float* maxima);

  // Writes key and value of one token (all KV heads) at `slot_in_block` of a block.
  void (*kv_write)(const KvLayout& layout, uint8_t* block, int32_t slot_in_block, const float* key, const float* value);

  // Runs one item of plan_attention(); any thread may run any item. `scratch` is attention_scratch_bytes() per thread.
  void (*attention_item)(const AttentionArgs& args, const AttentionItem& item, uint8_t* scratch);
  size_t (*attention_scratch_bytes)(const KvLayout& layout, int32_t num_heads);

  // Draws one token: order is temperature, min-p, top-k, top-p, typical-p, argmax of logit / temperature + Gumbel noise;
  // greedy is the argmax (lowest id on ties). -1 when no logit is above -inf. `scratch` is sample_scratch_bytes(vocab).
  // With maxima, greedy and top-k read only the tiles that can matter.
  int32_t (*sample)(const LogitRow& row, const SampleParams& params, uint8_t* scratch);
  size_t (*sample_scratch_bytes)(int64_t vocab);

  // Log-probability and rank of `target`, and the `top_k` most likely tokens (logit descending, id ascending), under softmax(logits).
  void (*logprobs)(const LogitRow& row, int32_t target, int32_t top_k, TokenLogprob* chosen, TokenLogprob* top, uint8_t* scratch);
};

// Table of a path. Asking for a path that the CPU lacks is the caller's mistake.
const OpKernels& op_kernels(Isa isa);

}  // namespace kvasir
