import type { ServerResponse } from 'node:http';

/**
 * From now on until `response` is delivered, a client that takes nothing for `stallTimeoutMs` loses its socket. Bytes that
 * the system accepts count as taken, also while one large write is under way.
 */
export function dropWhenStalled(
  response: ServerResponse,
  { stallTimeoutMs, onDropped }: { readonly stallTimeoutMs: number; readonly onDropped: () => void },
): void {
  response.setTimeout(stallTimeoutMs, () => {
    if (response.writableFinished) return;
    onDropped();
    response.destroy();
  });
}
