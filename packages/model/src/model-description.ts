import type { PoolOp, Program, TokenizerSource } from '@kvasir/interfaces';

/** How a model ends and how its makers suggest to sample from it. */
export interface GenerationDefaults {
  /** Ids that end a generation: end of sequence, of turn and of message. May be empty. */
  readonly eosTokenIds: readonly number[];
  readonly bosTokenId?: number;
  /** Empty when the files say nothing. */
  readonly sampling: SamplingDefaults;
}

/**
 * What a model's files ask for where a request is silent: `generation_config.json` of a folder, `general.sampling.*` of a GGUF. Whether
 * its makers sample at all (`do_sample`) is not asked, as in vLLM.
 */
export interface SamplingDefaults {
  readonly temperature?: number;
  readonly topP?: number;
  /** 0 and -1 are off. */
  readonly topK?: number;
  readonly minP?: number;
  readonly typicalP?: number;
  readonly repetitionPenalty?: number;
  /** `max_new_tokens`: what a request gets that asks for no number, as in vLLM. */
  readonly maxTokens?: number;
}

/** What an encoder's vectors are, by the files that sentence-transformers writes beside a model. */
export interface EmbeddingDefaults {
  /** Tokens of the longest text, special tokens included; what is longer is to be cut there. */
  readonly maxSequenceLength: number;
  /** Numbers a vector. */
  readonly width: number;
  readonly pooling: PoolOp['kind'];
  /** Whether vectors have length 1. */
  readonly isNormalized: boolean;
}

/** Everything that headers say about a model. No weights are loaded. */
export interface ModelDescription {
  /** The checkpoint's own name, or that of its file or folder. */
  readonly name: string;
  /** Model family, such as `llama`. */
  readonly architecture: string;
  readonly format: 'gguf' | 'safetensors';
  readonly program: Program;
  readonly tokenizer: TokenizerSource;
  /** Jinja source of the default chat template; absent on base models. */
  readonly chatTemplate?: string;
  readonly generation: GenerationDefaults;
  /** Absent unless the model is an encoder. */
  readonly embedding?: EmbeddingDefaults;
  /** Positions the model was made for. */
  readonly maxPositions: number;
  readonly parameterCount: number;
  /** Bytes of the weights the program uses. */
  readonly weightBytes: number;
  /** Bytes of the checkpoint's files. */
  readonly sizeBytes: number;
  readonly files: readonly string[];
  /** Tensors of the checkpoint that the program does not use, such as a vision tower. */
  readonly unusedTensors: readonly string[];
}

/** What {@link openModel} may be told. */
export interface OpenModelOptions {
  /** Hidden states to declare as taps: `layer.N` is the residual stream after layer N. Default none. */
  readonly taps?: readonly string[];
}
