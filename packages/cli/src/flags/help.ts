import { environmentName, type Flag } from './flag.js';

/** What `--help` of a command is made of. */
export interface CommandHelp {
  readonly usage: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  readonly notes?: readonly string[];
}

/** Renders the help of a command for a terminal 100 columns wide. */
export function renderHelp(help: CommandHelp): string {
  const rows = help.flags.map((flag) => [`--${flag.name}${valueHint(flag)}`, describe(flag)] as const);
  rows.push(['--help, -h', 'Show this help.']);
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  const lines = rows.map(
    ([left, right]) => `  ${left.padEnd(width)}${wrap(right, 96 - width).join(`\n${' '.repeat(width + 2)}`)}`,
  );
  const notes = help.notes === undefined ? [] : ['', ...help.notes];
  return [`usage: ${help.usage}`, '', ...wrap(help.summary, 100), '', ...lines, ...notes].join('\n');
}

function valueHint(flag: Flag): string {
  if (flag.kind === 'boolean') return '';
  if (flag.kind === 'choice') return ` {${flag.choices.join(',')}}`;
  if (flag.kind === 'string' || flag.kind === 'list') return ` ${flag.placeholder ?? 'TEXT'}`;
  if (flag.kind === 'number') return ' X';
  return flag.kind === 'size' ? ' BYTES' : ' N';
}

function describe(flag: Flag): string {
  const fallback = flag.defaultText ?? (flag.default === undefined ? undefined : String(flag.default));
  const aliases = (flag.aliases ?? []).map((name) => `--${name}`).join(', ');
  return [
    flag.description,
    ...(flag.kind === 'list' ? ['May be repeated.'] : []),
    ...(fallback === undefined ? [] : [`Default: ${fallback}.`]),
    ...(aliases === '' ? [] : [`Also ${aliases}.`]),
    `[${environmentName(flag)}]`,
  ].join(' ');
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 1 > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
