import { list, maybe, record, text } from '../schema/builders.js';
import { checkBody } from '../schema/check-body.js';

const schema = record({
  request_ids: maybe(
    list(text({ minLength: 1, maxLength: 256 }), {
      maxItems: 4096,
      'x-entries': 'ids',
      description: 'Ids of answers, `request_id` of bodies or `X-Request-Id`. Absent: everything that runs.',
    }),
  ),
});

/** Schema of the body of `POST /abort_requests`. */
export function abortSchema() {
  return schema;
}

/** Ids to abort; `undefined` for everything. @param body - `undefined` when there was none. @throws `RequestError` */
export function parseAbortRequest(body: unknown): ReadonlySet<string> | undefined {
  const ids = body === undefined ? undefined : checkBody(schema, body).request_ids;
  return ids == null ? undefined : new Set(ids);
}
