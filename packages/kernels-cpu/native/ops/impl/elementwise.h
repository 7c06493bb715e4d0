// Norms, rotary embedding, gated activations: each lane's result depends on its own inputs only, tails are masked.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

// Calls f(offset, lanes) for full vectors of 16, then for the rest.
template <class F>
static inline void for_vectors(int64_t n, F&& f) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) f(i, 16);
  if (i < n) f(i, static_cast<int>(n - i));
}
static inline F32x16 load_lanes(const float* p, int lanes) { return lanes == 16 ? load(p) : load_first(p, lanes); }
static inline void store_lanes(float* p, F32x16 x, int lanes) {
  if (lanes == 16) store(p, x);
  else store_first(p, x, lanes);
}

static void rms_norm(const float* x, const float* weight, float weight_offset, float eps, int64_t width, int64_t groups, float* out) {
  const F32x16 offset = set1(weight_offset);
  for (int64_t g = 0; g < groups; g++, x += width, out += width) {
    F32x16 squares = zero();
    for_vectors(width, [&](int64_t i, int lanes) {
      const F32x16 v = load_lanes(x + i, lanes);
      squares = fma(v, v, squares);
    });
    const float mean = reduce_add(squares) / static_cast<float>(width);
    const F32x16 scale = div(set1(1.0f), sqrt(set1(mean + eps)));
    for_vectors(width, [&](int64_t i, int lanes) {
      const F32x16 w = add(load_lanes(weight + i, lanes), offset);
      store_lanes(out + i, mul(mul(load_lanes(x + i, lanes), scale), w), lanes);
    });
  }
}

static void rope(float* x, const float* cos, const float* sin, int64_t num_heads, int64_t head_dim, int64_t half) {
  for (int64_t h = 0; h < num_heads; h++, x += head_dim) {
    for_vectors(half, [&](int64_t i, int lanes) {
      const F32x16 c = load_lanes(cos + i, lanes), s = load_lanes(sin + i, lanes);
      const F32x16 a = load_lanes(x + i, lanes), b = load_lanes(x + half + i, lanes);
      store_lanes(x + i, fnma(b, s, mul(a, c)), lanes);
      store_lanes(x + half + i, fma(a, s, mul(b, c)), lanes);
    });
  }
}

static inline F32x16 silu(F32x16 x) { return mul(x, sigmoid(x)); }
// 0.5 (1 + tanh(u)) is sigmoid(2u).
static inline F32x16 gelu_tanh(F32x16 x) {
  const F32x16 cubic = mul(mul(x, x), x);
  const F32x16 u = mul(fma(cubic, set1(0.044715f), x), set1(1.59576912f));
  return mul(x, sigmoid(u));
}
static inline F32x16 gelu_erf(F32x16 x) {
  const F32x16 tail = normal_tail(absolute(x));
  return mul(x, select(less(x, zero()), tail, sub(set1(1.0f), tail)));
}

static inline F32x16 relu(F32x16 x) { return max(x, zero()); }

template <F32x16 (*activate)(F32x16)>
static void gate(const float* gate, const float* up, int64_t n, float* out) {
  for_vectors(n, [&](int64_t i, int lanes) {
    store_lanes(out + i, mul(activate(load_lanes(gate + i, lanes)), load_lanes(up + i, lanes)), lanes);
  });
}

static void gated_activation(Activation kind, const float* gate_values, const float* up, int64_t n, float* out) {
  switch (kind) {
    case Activation::silu: return gate<silu>(gate_values, up, n, out);
    case Activation::gelu_tanh: return gate<gelu_tanh>(gate_values, up, n, out);
    case Activation::gelu: return gate<gelu_erf>(gate_values, up, n, out);
    case Activation::relu: return gate<relu>(gate_values, up, n, out);
  }
}

static void add_rows(const float* a, const float* b, int64_t n, float* out) {
  for_vectors(n, [&](int64_t i, int lanes) { store_lanes(out + i, add(load_lanes(a + i, lanes), load_lanes(b + i, lanes)), lanes); });
}

static inline F32x16 capped(F32x16 x, float cap) { return mul(tanh(mul(x, set1(1.0f / cap))), set1(cap)); }

static void softcap(float* x, int64_t n, float cap) {
  for_vectors(n, [&](int64_t i, int lanes) { store_lanes(x + i, capped(load_lanes(x + i, lanes), cap), lanes); });
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
