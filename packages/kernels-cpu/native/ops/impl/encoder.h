// What encoders have besides: layer norm, activations of their own, pooling. Sums run in 16 lanes and end in a fixed tree.
#pragma once

namespace kvasir::KVASIR_OPS_NAMESPACE {

static void layer_norm(const float* x, const float* weight, const float* bias, float eps, int64_t width, float* out) {
  F32x16 sum = zero();
  for_vectors(width, [&](int64_t i, int lanes) { sum = add(load_lanes(x + i, lanes), sum); });
  const F32x16 mean = set1(reduce_add(sum) / static_cast<float>(width));
  F32x16 squares = zero();
  for_vectors(width, [&](int64_t i, int lanes) {
    F32x16 centred = sub(load_lanes(x + i, lanes), mean);
    // Lanes that do not exist must not count as -mean.
    if (lanes < 16) centred = select(mask_of((1u << lanes) - 1), centred, zero());
    squares = fma(centred, centred, squares);
  });
  const F32x16 scale = div(set1(1.0f), sqrt(set1(reduce_add(squares) / static_cast<float>(width) + eps)));
  for_vectors(width, [&](int64_t i, int lanes) {
    const F32x16 normed = mul(sub(load_lanes(x + i, lanes), mean), scale);
    store_lanes(out + i, fma(normed, load_lanes(weight + i, lanes), load_lanes(bias + i, lanes)), lanes);
  });
}

template <F32x16 (*function)(F32x16)>
static void map(const float* x, int64_t n, float* out) {
  for_vectors(n, [&](int64_t i, int lanes) { store_lanes(out + i, function(load_lanes(x + i, lanes)), lanes); });
}

static void activation(Activation kind, const float* x, int64_t n, float* out) {
  switch (kind) {
    case Activation::silu: return map<silu>(x, n, out);
    case Activation::gelu_tanh: return map<gelu_tanh>(x, n, out);
    case Activation::gelu: return map<gelu_erf>(x, n, out);
    case Activation::relu: return map<relu>(x, n, out);
  }
}

static void normalize_row(float* x, int64_t width) {
  F32x16 squares = zero();
  for_vectors(width, [&](int64_t i, int lanes) {
    const F32x16 v = load_lanes(x + i, lanes);
    squares = fma(v, v, squares);
  });
  const F32x16 length = max(sqrt(set1(reduce_add(squares))), set1(1e-12f));
  for_vectors(width, [&](int64_t i, int lanes) { store_lanes(x + i, div(load_lanes(x + i, lanes), length), lanes); });
}

static void pool(Pooling kind, const float* rows, int64_t stride, int64_t num_rows, int64_t width, bool normalize, float* out) {
  const float* first = kind == Pooling::last ? rows + (num_rows - 1) * stride : rows;
  const int64_t count = kind == Pooling::mean ? num_rows : 1;
  for_vectors(width, [&](int64_t i, int lanes) {
    F32x16 sum = load_lanes(first + i, lanes);
    for (int64_t row = 1; row < count; row++) sum = add(sum, load_lanes(first + row * stride + i, lanes));
    store_lanes(out + i, div(sum, set1(static_cast<float>(count))), lanes);
  });
  if (normalize) normalize_row(out, width);
}

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
