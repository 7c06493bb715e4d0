#!/usr/bin/env python3
"""Makes golden embeddings from an independent oracle: Hugging Face transformers in double precision, pooled as sentence-transformers does.

usage: make_embeddings.py MODEL_FOLDER CASES.json OUT.json      (needs: pip install torch transformers)

CASES.json: {"texts": [...]}
OUT.json: {"oracle", "width", "max_sequence_length", "texts": [{text, num_tokens, ids, vector}]}
  ids         as the model reads them: special tokens included, cut at max_seq_length of sentence_bert_config.json
  num_tokens  before they are cut
  vector      mean over all tokens (the attention mask is all ones: one text a batch, no padding), divided by its length
"""
import hashlib, json, os, sys
import torch
from transformers import AutoModel, AutoTokenizer

torch.set_grad_enabled(False)
folder, cases_path, out_path = sys.argv[1:4]
read = lambda name: json.load(open(os.path.join(folder, name)))
kinds = [module["type"].rsplit(".", 1)[1] for module in read("modules.json")]
pooling = read("1_Pooling/config.json")
assert kinds == ["Transformer", "Pooling", "Normalize"] and pooling["pooling_mode_mean_tokens"], (kinds, pooling)
limit = read("sentence_bert_config.json")["max_seq_length"]
tok = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()

texts = []
for text in json.load(open(cases_path))["texts"]:
    ids = tok(text, truncation=True, max_length=limit).input_ids
    hidden = model(torch.tensor([ids])).last_hidden_state[0]
    vector = torch.nn.functional.normalize(hidden.mean(0), dim=0)
    num_tokens = len(tok(text, truncation=False).input_ids)
    texts.append({"text": text, "num_tokens": num_tokens, "ids": ids, "vector": [float(f"{x:.7g}") for x in vector.tolist()]})
with open(os.path.join(folder, "model.safetensors"), "rb") as f:
    digest = hashlib.file_digest(f, "sha256").hexdigest()
out = {"sha256": digest, "oracle": "transformers float64, mean of tokens, normalised", "width": len(texts[0]["vector"]), "max_sequence_length": limit, "texts": texts}
with open(out_path, "w") as f:
    json.dump(out, f, ensure_ascii=False, separators=(",", ":"))
    f.write("\n")
print({len(t["ids"]) for t in texts}, {t["num_tokens"] for t in texts})
