import type { Program } from '@kvasir/interfaces';
import type { FieldReader } from '../checkpoint/field-reader.js';
import type { ProgramBuilder } from '../program/program-builder.js';
import type { SentenceSettings } from '../sentence-transformers.js';

/** What a build is told beside the settings of its model. */
export interface BuildOptions {
  readonly name: string;
  readonly taps: readonly string[];
  /** Of encoders. */
  readonly sentence?: SentenceSettings;
}

/** Where the tensors of a Hugging Face checkpoint are that are not the decoder's usual ones. */
export interface HuggingFaceLayout {
  /** Put before every name; the first under which there is a token embedding counts. */
  readonly prefixes: readonly string[];
  /** What stands before the number of a layer. */
  readonly layers: string;
  /** Tensors outside layers, by GGUF-style name. */
  readonly roots: Readonly<Record<string, string>>;
}

/** Reads settings and, where a format keeps some of them in a tensor, a tiny f32 tensor. */
export interface SettingsSource {
  readonly fields: FieldReader;
  /** Values of an f32 vector, or `undefined` when the checkpoint has none of that name. */
  readonly readVector: (name: string) => Float32Array | undefined;
}

/** A family of models: where its settings are in each format, what its tensors are called, and its computation. */
export interface Architecture<Config = unknown> {
  readonly name: string;
  /** Values of GGUF `general.architecture`. */
  readonly ggufNames: readonly string[];
  /** Values of `architectures[0]` in `config.json`. */
  readonly huggingFaceNames: readonly string[];
  /** GGUF tensor part (`blk.N.` and `.weight` taken off) to the Hugging Face one. */
  readonly huggingFaceTensors: Readonly<Record<string, string>>;
  /** Absent: that of a decoder. */
  readonly huggingFaceLayout?: HuggingFaceLayout;
  /** Whether it gives vectors; files of sentence-transformers then count. */
  readonly isEncoder?: true;
  /** 1 when Hugging Face stores norm weights minus one. */
  readonly huggingFaceNormOffset: 0 | 1;
  fromGguf(source: SettingsSource): Config;
  fromHuggingFace(source: SettingsSource): Config;
  /** The `config.json` that {@link fromHuggingFace} reads back as `config`. */
  toHuggingFace(config: Config): Readonly<Record<string, unknown>>;
  build(config: Config, builder: ProgramBuilder, options: BuildOptions): Program;
}

/** Sizes that every decoder has. */
export interface DecoderSizes {
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly maxPositions: number;
  readonly rmsNormEps: number;
}
