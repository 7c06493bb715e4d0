import { type CheckpointSummary, inspectCheckpoint } from '@kvasir/model';
import type { Command } from '../command.js';
import type { Flag } from '../flags/flag.js';
import { UsageError } from '../flags/usage-error.js';
import { formatBytes } from '../terminal/format.js';

const inspectFlags: readonly Flag[] = [
  { kind: 'boolean', name: 'json', default: false, description: 'Print it as JSON.' },
  { kind: 'boolean', name: 'tensors', default: false, description: 'List every tensor, not only totals by type.' },
];

/** `kvasir inspect`: what is in a checkpoint. Reads headers only. */
export const inspect: Command = {
  help: {
    usage: 'kvasir inspect FILE [options]',
    summary:
      'Shows architecture, tensors, types, sizes and tokenizer of a checkpoint (.gguf file or safetensors folder).',
    flags: inspectFlags,
  },
  maxPositionals: 1,
  async run(flags, context) {
    const [path] = flags.positionals;
    if (path === undefined) throw new UsageError('expected the path of a checkpoint; see kvasir inspect --help');
    const summary = await inspectCheckpoint(path);
    const listTensors = flags.values.get('tensors') === true;
    const text = flags.values.get('json') === true ? toJson(summary, listTensors) : render(summary, listTensors);
    context.stdout.write(`${text}\n`);
    return 0;
  },
};

function tokenizerText({ model }: CheckpointSummary): string | undefined {
  if (model === undefined) return undefined;
  const { kind, vocabSize, chatTemplate } = model.tokenizer;
  return `${kind}, ${vocabSize} tokens, ${chatTemplate === undefined ? 'no chat template' : 'with a chat template'}`;
}

function toJson(summary: CheckpointSummary, listTensors: boolean): string {
  const { tensors, model, ...facts } = summary;
  const tokenizer = tokenizerText(summary);
  return JSON.stringify(
    { ...facts, maxPositions: model?.maxPositions, tokenizer, ...(listTensors ? { tensors } : {}) },
    null,
    2,
  );
}

function render(summary: CheckpointSummary, listTensors: boolean): string {
  const facts: [string, string | undefined][] = [
    ['path', summary.path],
    ['format', summary.format],
    ['architecture', summary.architecture],
    ['parameters', `${(summary.parameterCount / 1e6).toFixed(1)} M`],
    ['size', formatBytes(summary.sizeBytes)],
    ['context', summary.model === undefined ? undefined : `${summary.model.maxPositions} tokens`],
    ['tokenizer', tokenizerText(summary)],
    ['cannot be run', summary.problem],
  ];
  const lines = facts.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(15)}${value}`]));
  lines.push('', `type    tensors${'elements'.padStart(16)}${'size'.padStart(12)}`);
  for (const { dtype, count, elements, bytes } of summary.tensorTypes) {
    lines.push(
      `${dtype.padEnd(8)}${String(count).padStart(7)}${String(elements).padStart(16)}${formatBytes(bytes).padStart(12)}`,
    );
  }
  lines.push('', 'metadata');
  for (const [name, value] of Object.entries(summary.metadata))
    lines.push(`  ${name} = ${value.replaceAll('\n', '\\n')}`);
  if (listTensors) {
    lines.push('', 'tensors');
    for (const { name, dtype, shape } of summary.tensors)
      lines.push(`  ${dtype.padEnd(6)} ${`[${shape.join(', ')}]`.padEnd(20)} ${name}`);
  }
  return lines.join('\n');
}
