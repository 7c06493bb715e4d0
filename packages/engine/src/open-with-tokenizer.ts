import type { LoadProgress, OpenSessionControl, Tokenizer } from '@kvasir/interfaces';
import type { ModelDescription } from '@kvasir/model';
import { loadTokenizer } from '@kvasir/tokenizer';

/** How a load reports and is cancelled. */
interface LoadControl {
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Opens a session while the tokenizer is loaded. If one of them fails the other is not left behind. */
export async function openWithTokenizer<T extends { close(): Promise<void> }>(
  description: ModelDescription,
  { onProgress, signal }: LoadControl,
  open: (control: OpenSessionControl) => Promise<T>,
): Promise<[T, Tokenizer]> {
  const [session, tokenizer] = await Promise.allSettled([
    open({
      ...(onProgress === undefined ? {} : { onProgress }),
      ...(signal === undefined ? {} : { signal }),
    }),
    loadTokenizer(description.tokenizer),
  ]);
  if (session.status === 'rejected') {
    if (tokenizer.status === 'fulfilled') await tokenizer.value.close?.();
    throw session.reason;
  }
  if (tokenizer.status === 'rejected') {
    await session.value.close();
    throw tokenizer.reason;
  }
  return [session.value, tokenizer.value];
}
