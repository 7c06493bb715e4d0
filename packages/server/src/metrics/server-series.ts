import type { Sample, Series } from './series.js';
import type { ServerMeters } from './server-meters.js';

/** What the server itself counts, whatever it serves. */
export function addServerSeries(series: Series, meters: ServerMeters): void {
  series.gauge('paused_streams', 'Streams that wait for a slow client.', () => meters.numPaused);
  series.counter('stream_pauses', 'Times that a stream waited for a slow client.', () => meters.numPauses);
  series.counters('clients_lost', 'Answers not delivered to their end, by why.', ['reason'], () => [
    [{ reason: 'slow' }, meters.numDroppedSlow],
    [{ reason: 'disconnect' }, meters.numDisconnected],
  ]);
  series.counters('requests_refused', 'Requests answered with an error, by its code.', ['code'], () =>
    [...meters.refusals].map(([code, count]): Sample => [{ code }, count]),
  );
}
