import type { EncoderProgram, Program, TokenizerSource } from '@kvasir/interfaces';
import { type Checkpoint, numElements } from './checkpoint/checkpoint.js';
import { defined } from './defined.js';
import { InvalidCheckpointError } from './errors.js';
import type { EmbeddingDefaults, GenerationDefaults, ModelDescription } from './model-description.js';
import type { SentenceSettings } from './sentence-transformers.js';

/** The parts of a {@link ModelDescription} that a format reads. */
export interface ModelParts {
  readonly architecture: string;
  readonly checkpoint: Checkpoint;
  readonly program: Program;
  readonly tokenizer: TokenizerSource;
  readonly generation: GenerationDefaults;
  /** Of encoders. */
  readonly sentence?: SentenceSettings;
}

/** Checks that vocabulary and weights belong together and adds up what the headers say. */
export function describeModel({
  architecture,
  checkpoint,
  program,
  tokenizer,
  generation,
  sentence,
}: ModelParts): ModelDescription {
  // Fewer tokens than rows is normal: embeddings are padded to round numbers.
  if (tokenizer.vocabSize > program.vocabSize) {
    const problem = `has ${tokenizer.vocabSize} tokens, but the embedding has only ${program.vocabSize} rows`;
    throw new InvalidCheckpointError(checkpoint.path, 'vocabulary', problem);
  }
  const used = new Set(program.weights.map((weight) => weight.name));
  return {
    name: program.name,
    architecture,
    format: checkpoint.format,
    program,
    tokenizer,
    ...defined('chatTemplate', tokenizer.chatTemplate),
    generation,
    ...defined('embedding', program.kind === 'encoder' ? embeddingDefaults(program, sentence) : undefined),
    maxPositions: program.maxPositions,
    parameterCount: program.weights.reduce((sum, { shape }) => sum + numElements(shape), 0),
    weightBytes: program.weights.reduce(
      (sum, { parts }) => sum + parts.reduce((bytes, part) => bytes + part.length, 0),
      0,
    ),
    sizeBytes: checkpoint.files.reduce((sum, file) => sum + file.sizeBytes, 0),
    files: checkpoint.files.map((file) => file.path),
    unusedTensors: [...checkpoint.tensors.keys()].filter((name) => !used.has(name) && name !== 'rope_freqs.weight'),
  };
}

function embeddingDefaults(program: EncoderProgram, sentence: SentenceSettings | undefined): EmbeddingDefaults {
  const { pooling = 'mean', isNormalized = false, maxSequenceLength = program.maxPositions } = sentence ?? {};
  return {
    maxSequenceLength: Math.min(maxSequenceLength, program.maxPositions),
    width: program.hiddenSize,
    pooling,
    isNormalized,
  };
}
