import type { Architecture, HuggingFaceLayout } from './architecture.js';

/** Where a decoder's tensors are: in a plain causal model, or in the text part of a model with vision (two generations of transformers). */
const DECODER_LAYOUT: HuggingFaceLayout = {
  prefixes: ['model.', 'language_model.model.', 'model.language_model.'],
  layers: 'layers',
  roots: { token_embd: 'embed_tokens', output_norm: 'norm' },
};

/** The prefix of a checkpoint's names, by what holds its token embedding; the first one if nothing does. */
export function huggingFacePrefix(architecture: Architecture, hasTensor: (name: string) => boolean): string {
  const { prefixes, roots } = architecture.huggingFaceLayout ?? DECODER_LAYOUT;
  const found = prefixes.find((prefix) => hasTensor(`${prefix}${roots['token_embd']}.weight`));
  return found ?? (prefixes[0] as string);
}

/**
 * Maps GGUF-style tensor names to Hugging Face ones.
 * @param prefix - Where the tensors start: `model.` in a plain causal model.
 */
export function huggingFaceTensorNames(architecture: Architecture, prefix = 'model.'): (name: string) => string {
  const { layers, roots } = architecture.huggingFaceLayout ?? DECODER_LAYOUT;
  const head = prefix.startsWith('language_model.') ? 'language_model.lm_head' : 'lm_head';
  return (name) => {
    const [, layer, part, kind] = /^(?:blk\.(\d+)\.)?([a-z_]+)\.(weight|bias)$/.exec(name) as RegExpExecArray;
    if (layer === undefined) return part === 'output' ? `${head}.${kind}` : `${prefix}${roots[part as string]}.${kind}`;
    return `${prefix}${layers}.${layer}.${architecture.huggingFaceTensors[part as string]}.${kind}`;
  };
}
