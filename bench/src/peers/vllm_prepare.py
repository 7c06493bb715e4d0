"""Writes the weights of a GGUF file as a bfloat16 safetensors folder that vLLM can load.

usage: vllm_prepare.py MODEL.gguf OUT_FOLDER     (needs torch, transformers, accelerate, gguf, sentencepiece)
"""
import os
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

source, out = sys.argv[1:3]
folder, name = os.path.split(os.path.abspath(source))
loaded = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
config = loaded.config
if hasattr(config, "quantization_config"):
    del config.quantization_config
# A fresh model has no trace of the GGUF quantizer, which refuses to be saved.
fresh = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
fresh.load_state_dict({k: v.to(torch.bfloat16) for k, v in loaded.state_dict().items()})
fresh.tie_weights()
fresh.save_pretrained(out)
AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(out)
