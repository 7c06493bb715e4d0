/** Why answers differ: for fields whose path and request match, and whose types are as `isOf` says. */
const EXPLANATIONS = [
  {
    why: 'vLLM takes fields that it does not know and ignores them; Kvasir refuses them by name, so that a misspelt one is not lost',
    request: /an unknown field$/,
  },
  {
    why: 'Every error of Kvasir has OpenAI’s form; vLLM’s framework answers for routes and methods that are not there',
    request: /(method|path) that is not there$/,
  },
  {
    why: 'An error of Kvasir names the field in `param` and has a word as its `code`, as OpenAI’s have',
    path: /^error\.(code|param)$/,
  },
  {
    why: 'Kvasir always counts cached tokens, vLLM behind a flag',
    path: /prompt_tokens_details/,
  },
  {
    why: 'OpenAI’s reference wants `"usage": null` in every chunk before the last when `include_usage` is set; vLLM leaves it out',
    path: /^(first|text|end) chunk: usage$/,
    isOf: ({ kvasir, vllm }) => kvasir === 'null' && vllm === undefined,
  },
  {
    why: 'vLLM tells its own version there',
    path: /system_fingerprint$/,
  },
  {
    why: 'vLLM lists rights that OpenAI had once and has taken out',
    path: /^data\[\]\.permission/,
  },
  {
    why: '/health of Kvasir says in JSON what vLLM says by the status alone',
    request: /^health$/,
  },
  {
    why: 'vLLM adds prompt log-probabilities to an echo unasked, which costs a prompt its cached prefix; Kvasir does on `prompt_logprobs`',
    path: /prompt_logprobs/,
    request: /echo/,
    isOf: ({ kvasir }) => kvasir === undefined,
  },
  {
    why: 'vLLM adds the prompt’s token ids to a streamed echo unasked; Kvasir does on `return_token_ids`',
    path: /prompt_token_ids/,
    request: /streamed.*echo/,
    isOf: ({ kvasir }) => kvasir === undefined,
  },
  {
    why: 'vLLM names fields of its schema that nobody asked for as null; Kvasir leaves them out',
    isOf: ({ kvasir, vllm }) => kvasir === undefined && vllm === 'null',
  },
];

const used = new Set();

/** Why a difference is one; `undefined` when nobody has said so. */
export function explain(difference) {
  const found = EXPLANATIONS.find(
    ({ path, request, isOf }) =>
      (path?.test(difference.path) ?? true) &&
      (request?.test(difference.request) ?? true) &&
      (isOf?.(difference) ?? true),
  );
  if (found !== undefined) used.add(found);
  return found?.why;
}

/** Explanations that nothing needed. */
export function unusedExplanations() {
  return EXPLANATIONS.filter((each) => !used.has(each)).map(({ why }) => why);
}
