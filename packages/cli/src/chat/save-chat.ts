import { writeFile } from 'node:fs/promises';
import type { ChatMessage } from '@kvasir/interfaces';

/** A conversation in a file: JSON when its name ends so (`{model, messages}`, as requests take it), else Markdown. */
export async function saveChat(
  path: string,
  model: string,
  messages: readonly ChatMessage[],
  { overwrite }: { readonly overwrite: boolean },
): Promise<void> {
  const text = path.endsWith('.json')
    ? `${JSON.stringify({ model, messages }, null, 2)}\n`
    : `# Chat with ${model}\n${messages.map(({ role, content }) => `\n## ${role}\n\n${content}\n`).join('')}`;
  await writeFile(path, text, { flag: overwrite ? 'w' : 'wx' });
}
