/** What a model is asked in an example. */
export type CurlKind = 'chat' | 'text' | 'embedding';

const QUESTIONS: Readonly<Record<CurlKind, readonly [route: string, body: object]>> = {
  chat: ['chat/completions', { messages: [{ role: 'user', content: 'Why is the sky blue?' }], max_tokens: 64 }],
  text: ['completions', { prompt: 'The sky is blue because', max_tokens: 64 }],
  embedding: ['embeddings', { input: 'Why is the sky blue?' }],
};

/** A `curl` command that asks a served model something and works when pasted. `url` is the server's own. */
export function curlLine(options: { url: string; model: string; kind: CurlKind; hasKey: boolean }): string {
  // An address that means every interface is none to connect to.
  const url = options.url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
  const [route, question] = QUESTIONS[options.kind];
  const body = { model: options.model, ...question };
  const key = options.hasKey ? ` -H "authorization: Bearer $KVASIR_API_KEY"` : '';
  return `curl ${url}/v1/${route} -H 'content-type: application/json'${key} -d ${quoted(JSON.stringify(body))}`;
}

/** One word of a POSIX shell, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
