import type { Architecture } from './architecture.js';

/**
 * Maps GGUF-style tensor names to Hugging Face ones.
 * @param prefix - Where the decoder's tensors start: `model.` in a plain causal model.
 */
export function huggingFaceTensorNames(architecture: Architecture, prefix = 'model.'): (name: string) => string {
  const roots: Readonly<Record<string, string>> = {
    token_embd: `${prefix}embed_tokens`,
    output_norm: `${prefix}norm`,
    output: prefix.startsWith('language_model.') ? 'language_model.lm_head' : 'lm_head',
  };
  return (name) => {
    const [, layer, part, kind] = /^(?:blk\.(\d+)\.)?([a-z_]+)\.(weight|bias)$/.exec(name) as RegExpExecArray;
    if (layer === undefined) return `${roots[part as string]}.${kind}`;
    return `${prefix}layers.${layer}.${architecture.huggingFaceTensors[part as string]}.${kind}`;
  };
}
