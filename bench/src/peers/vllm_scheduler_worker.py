"""Answers JSON lines {"numChurn", "numSteps", "numBlocks"} with the times in microseconds of vLLM's own Scheduler and KVCacheManager.

The trace is that of packages/scheduler/bench/step-cost.mjs: 256 requests run, `numChurn` leave and join in every step, every prompt
is new and has 64 tokens, blocks have 16. `step` is schedule() + update_from_output(), `admission` the making (which hashes the
prompt) and adding of requests. Nothing is computed: the outputs are made here. No weights are read, only a config file.
"""
import json
import os
import sys
import tempfile
import time

import torch
from vllm.config import CacheConfig, DeviceConfig, ModelConfig, ParallelConfig, SchedulerConfig, VllmConfig
from vllm.sampling_params import SamplingParams
from vllm.utils.hashing import sha256
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request
from vllm.v1.structured_output import StructuredOutputManager
import vllm

NUM_RUNNING = 256
PROMPT_LENGTH = 64
BLOCK_SIZE = 16
MAX_BATCHED_TOKENS = 8192
MAX_MODEL_LEN = 4096

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1,
    "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 50000, "max_position_embeddings": MAX_MODEL_LEN,
    "hidden_act": "silu", "rms_norm_eps": 1e-5, "torch_dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": 2,
}


def make_scheduler(folder: str, num_blocks: int) -> Scheduler:
    model = ModelConfig(model=folder, skip_tokenizer_init=True, dtype="bfloat16", max_model_len=MAX_MODEL_LEN)
    scheduling = SchedulerConfig(
        max_num_seqs=NUM_RUNNING, max_num_batched_tokens=MAX_BATCHED_TOKENS, max_model_len=MAX_MODEL_LEN,
        is_encoder_decoder=False, async_scheduling=False)
    cache = CacheConfig(block_size=BLOCK_SIZE, enable_prefix_caching=True)
    cache.num_gpu_blocks = num_blocks
    config = VllmConfig(
        model_config=model, scheduler_config=scheduling, cache_config=cache, parallel_config=ParallelConfig(),
        device_config=DeviceConfig("cpu"))
    spec = FullAttentionSpec(block_size=BLOCK_SIZE, num_kv_heads=1, head_size=1, dtype=torch.float32)
    blocks = KVCacheConfig(num_blocks=num_blocks, kv_cache_tensors=[], kv_cache_groups=[KVCacheGroupSpec(["layer"], spec)])
    return Scheduler(
        vllm_config=config, kv_cache_config=blocks, structured_output_manager=StructuredOutputManager(config), block_size=BLOCK_SIZE)


def measure(folder: str, num_churn: int, num_steps: int, num_blocks: int) -> dict:
    scheduler = make_scheduler(folder, num_blocks)
    hasher = get_request_block_hasher(BLOCK_SIZE, sha256)
    next_id = 1

    def num_output_of(number: int) -> int:
        if num_churn == 0:
            return MAX_MODEL_LEN - PROMPT_LENGTH
        return -(-number // num_churn) if number <= NUM_RUNNING else NUM_RUNNING // num_churn

    def make_prompts(count: int):
        nonlocal next_id
        prompts = []
        for _ in range(count):
            number = next_id
            next_id += 1
            params = SamplingParams(max_tokens=num_output_of(number), ignore_eos=True, temperature=0.0)
            prompts.append((str(number), [(number * 31 + i * i) % 50_000 for i in range(PROMPT_LENGTH)], params))
        return prompts

    def add_all(prompts) -> float:
        start = time.perf_counter()
        for number, tokens, params in prompts:
            scheduler.add_request(Request(
                request_id=number, prompt_token_ids=tokens, sampling_params=params, pooling_params=None, block_hasher=hasher))
        return (time.perf_counter() - start) * 1e6

    steps, admissions = [], []
    add_all(make_prompts(NUM_RUNNING))
    for _ in range(num_steps):
        start = time.perf_counter()
        plan = scheduler.schedule()
        planned = time.perf_counter()
        ids = list(plan.num_scheduled_tokens)
        output = ModelRunnerOutput(
            req_ids=ids, req_id_to_index={number: i for i, number in enumerate(ids)}, sampled_token_ids=[[17] for _ in ids],
            logprobs=None, prompt_logprobs_dict={}, pooler_output=[])
        before = scheduler.get_num_unfinished_requests()
        answered = time.perf_counter()
        scheduler.update_from_output(plan, output)
        steps.append((planned - start + time.perf_counter() - answered) * 1e6)
        admissions.append(add_all(make_prompts(before - scheduler.get_num_unfinished_requests())))
    warm = num_steps // 4
    return {"step": steps[warm:], "admission": admissions[warm:]}


def main() -> None:
    init_none_hash(sha256)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
            json.dump(LLAMA, file)
        print("@" + json.dumps({"version": vllm.__version__}), flush=True)
        for line in sys.stdin:
            question = json.loads(line)
            times = measure(folder, question["numChurn"], question["numSteps"], question["numBlocks"])
            print("@" + json.dumps(times), flush=True)


main()
