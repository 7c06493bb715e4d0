// Everything of one path, and its table.
#pragma once
#include "../attention_plan.h"
#include "../select.h"
#include "math.h"
#include "elementwise.h"
#include "encoder.h"
#include "kv_cache.h"
#include "attention.h"
#include "noise.h"
#include "tile_maxima.h"
#include "vocabulary.h"
#include "nucleus.h"
#include "typical.h"
#include "sample.h"
#include "logprobs.h"

namespace kvasir::KVASIR_OPS_NAMESPACE {

extern const OpKernels table;
const OpKernels table = {
    KVASIR_OPS_PATH,
    rms_norm,
    rope,
    gated_activation,
    add_rows,
    layer_norm,
    activation,
    pool,
    softcap,
    tile_maxima,
    kv_write,
    attention_item,
    attention_scratch_bytes,
    sample,
    sample_scratch_bytes,
    logprobs,
};

}  // namespace kvasir::KVASIR_OPS_NAMESPACE
