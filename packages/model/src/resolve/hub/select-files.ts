import { InvalidArgumentError } from '@kvasir/interfaces';
import { type HubFile, type HubRepository, refusePickleOnly } from './hub-client.js';

/** Which files of a repository make a model. */
export type HubSelection =
  /** One file, or all files of a split in order. */
  | { readonly format: 'gguf'; readonly files: readonly HubFile[] }
  /** `config.json` and its like; the weights follow from an index when there is one. */
  | {
      readonly format: 'safetensors';
      readonly settings: readonly HubFile[];
      readonly index?: HubFile;
      readonly weights: readonly HubFile[];
    };

const SETTINGS = [
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'generation_config.json',
  'chat_template.jinja',
  // What sentence-transformers writes beside an encoder.
  'modules.json',
  'sentence_bert_config.json',
  '1_Pooling/config.json',
];
const INDEX = 'model.safetensors.index.json';
const PREFERRED_QUANT = 'q4_k_m';

/**
 * Chooses the files of a model.
 * @param wanted - A file's name, or a part of a GGUF name such as `Q4_K_M`. Without it: safetensors, else the only GGUF, else its Q4_K_M.
 * @throws `InvalidArgumentError` Listing what there is, when nothing or more than one fits.
 */
export function selectHubFiles(repository: HubRepository, wanted?: string): HubSelection {
  const ggufs = groupSplits(repository.files.filter(({ name }) => name.endsWith('.gguf')));
  if (wanted !== undefined) return { format: 'gguf', files: findGguf(repository.id, ggufs, wanted) };
  const safetensors = selectSafetensors(repository);
  if (safetensors !== undefined) return safetensors;
  if (ggufs.length > 0)
    return {
      format: 'gguf',
      files: ggufs.length === 1 ? (ggufs[0] as HubFile[]) : findGguf(repository.id, ggufs, PREFERRED_QUANT),
    };
  refusePickleOnly(repository);
  throw new InvalidArgumentError('model', `${repository.id} holds neither safetensors nor GGUF files`);
}

function selectSafetensors({ id, files }: HubRepository): HubSelection | undefined {
  const weights = files.filter(({ name }) => name.endsWith('.safetensors') && !name.includes('/'));
  if (weights.length === 0) return undefined;
  const settings = SETTINGS.flatMap((name) => files.filter((file) => file.name === name));
  const index = files.find(({ name }) => name === INDEX);
  if (index !== undefined) return { format: 'safetensors', settings, index, weights };
  const single = weights.length === 1 ? weights[0] : weights.find(({ name }) => name === 'model.safetensors');
  if (single !== undefined) return { format: 'safetensors', settings, weights: [single] };
  throw new InvalidArgumentError(
    'model',
    `${id} holds ${weights.length} safetensors files without ${INDEX}; it is not known which belong together`,
  );
}

function findGguf(id: string, ggufs: readonly HubFile[][], wanted: string): readonly HubFile[] {
  const exact = ggufs.find((group) => group.some(({ name }) => name === wanted));
  if (exact !== undefined) return exact;
  const word = wanted.toLowerCase();
  const found = ggufs.filter(([first]) => hasWord((first as HubFile).name.toLowerCase(), word));
  if (found.length === 1) return found[0] as HubFile[];
  const names = ggufs.map(([first]) => (first as HubFile).name).join(', ');
  const count = found.length === 0 ? 'no GGUF file' : `${found.length} GGUF files`;
  throw new InvalidArgumentError(
    'model',
    `${id} has ${count} for '${wanted}'; name one of: ${names === '' ? '(none)' : names}`,
  );
}

/** Whether `word` stands between separators, so that `q4_k` does not mean `q4_k_m`. */
function hasWord(name: string, word: string): boolean {
  const stem = name.replace(/(-\d{5}-of-\d{5})?\.gguf$/, '');
  return stem === word || ['.', '-', '_', '/'].some((separator) => stem.endsWith(separator + word));
}

/** One group a model: a file, or the files of a split in order. Vision projectors are not models. */
function groupSplits(files: readonly HubFile[]): HubFile[][] {
  const groups = new Map<string, HubFile[]>();
  for (const file of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (file.name.includes('mmproj')) continue;
    const stem = file.name.replace(/-\d{5}-of-(\d{5})\.gguf$/, '-of-$1');
    groups.set(stem, [...(groups.get(stem) ?? []), file]);
  }
  return [...groups.values()];
}
