"""Answers JSON lines {"prompts": [[ids]], "tokens": n} with {"seconds", "firstSeconds"}; the engine stays loaded.

`firstSeconds` is the time of the same prompts with one token of output, so that decode time is the difference.
usage: vllm_worker.py MODEL_FOLDER
"""
import json
import sys
import time

import vllm
from vllm import LLM, SamplingParams


def main() -> None:
    llm = LLM(sys.argv[1], dtype="bfloat16", max_model_len=8192, max_num_seqs=64, enable_prefix_caching=False, disable_log_stats=True)

    def run(prompts, tokens):
        params = SamplingParams(temperature=0.0, max_tokens=tokens, ignore_eos=True, detokenize=False)
        start = time.perf_counter()
        llm.generate([{"prompt_token_ids": ids} for ids in prompts], params, use_tqdm=False)
        return time.perf_counter() - start

    run([[1000, 1001, 1002]], 4)
    print("@" + json.dumps({"version": vllm.__version__}), flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        first = run(question["prompts"], 1)
        seconds = first if question["tokens"] == 1 else run(question["prompts"], question["tokens"])
        print("@" + json.dumps({"seconds": seconds, "firstSeconds": first}), flush=True)


if __name__ == "__main__":
    main()
