#!/usr/bin/env python3
"""Makes dequantize.json: random blocks of each GGUF type and the floats that the `gguf` Python package (its numpy dequantizer,
independent of our code) makes of them.   usage: pip install gguf && make.py > dequantize.json"""
import base64, importlib.metadata, json
import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize, quant_shape_to_byte_shape

rng = np.random.default_rng(20260101)
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
out = {"provenance": f"gguf {importlib.metadata.version('gguf')} dequantize, numpy {np.__version__}, seed 20260101", "cases": []}
for name, offsets in SCALES.items():
    kind, n = T[name], 512
    size = quant_shape_to_byte_shape((n,), kind)[0]
    data = rng.integers(0, 256, size, dtype=np.uint8)
    step = quant_shape_to_byte_shape((256 if name.endswith("K") else 32,), kind)[0]
    for block in range(0, size, step):
        for offset in offsets:  # finite scales of ordinary size
            data[block + offset : block + offset + 2] = np.frombuffer(np.float16(rng.normal()).tobytes(), np.uint8)
    floats = dequantize(data, kind).astype("<f4")
    out["cases"].append({"layout": name.lower(), "elements": n, "bytes": base64.b64encode(data.tobytes()).decode(), "floats": base64.b64encode(floats.tobytes()).decode()})
print(json.dumps(out, indent=1))
