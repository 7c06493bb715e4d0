import { describe, expect, test } from 'vitest';
import { continueFinalMessage } from '../src/requests/continue-final-message.js';
import { jsonOf, post, postOk, startServer } from './support/client.js';

const CHAT = '/v1/chat/completions';
const messages = [{ role: 'user', content: 'hi' }];
const prefilled = [...messages, { role: 'assistant', content: 'Well, ' }];

async function promptOf(body: object, serverOptions: Parameters<typeof startServer>[1] = {}): Promise<string> {
  const { url, model } = await startServer({ reply: () => 'ok' }, serverOptions);
  await postOk(url + CHAT, body);
  return model.tokenizer.decode(model.submitted[0]!.promptTokenIds);
}

async function refusal(body: object, serverOptions: Parameters<typeof startServer>[1] = {}): Promise<unknown> {
  const { url, model } = await startServer({}, serverOptions);
  const response = await post(url + CHAT, body);
  const { error } = await jsonOf(response);
  expect([response.status, model.submitted.length]).toEqual([400, 0]);
  return [error.param, error.message];
}

describe('the prompt of a chat', () => {
  test('ends with what makes the model answer, unless told otherwise', async () => {
    expect(await promptOf({ messages })).toBe('user:hi\nassistant:');
    expect(await promptOf({ messages, add_generation_prompt: false })).toBe('user:hi\n');
  });

  test('may leave the last message open', async () => {
    expect(await promptOf({ messages: prefilled, continue_final_message: true })).toBe('user:hi\nassistant:Well, ');
    const both = { messages: prefilled, continue_final_message: true, add_generation_prompt: true };
    expect(await refusal(both)).toEqual([
      'continue_final_message',
      "'continue_final_message' and 'add_generation_prompt' are both true, expected one of them; leave add_generation_prompt out to continue the last message",
    ]);
  });

  test('echo repeats the message that is continued', async () => {
    const { url } = await startServer({ reply: () => 'yes' });
    const body = { messages: prefilled, continue_final_message: true, echo: true };
    expect((await postOk(url + CHAT, body)).choices[0].message.content).toBe('Well, yes');
  });

  test.each([
    ['a message in its markers', '<a>Well,</a>', 'Well,', '<a>Well,'],
    ['the last of equal messages', '<u>no</u><a>no</a>', 'no', '<u>no</u><a>no'],
    ['trailing space that was kept', '<a>Well, </a>', 'Well, ', '<a>Well, '],
    ['trailing space that was trimmed', '<a>Well,</a>', 'Well, ', '<a>Well,'],
    ['leading space that was trimmed', '<a>Well,</a>', ' \nWell,', '<a>Well,'],
  ])('is cut after %s', (_name, rendered, message, cut) => {
    expect(continueFinalMessage(rendered, message)).toBe(cut);
  });

  test.each([
    ['', 'has no text of'],
    ['  ', 'has no text of'],
    ['gone', 'changes'],
  ])('cannot be continued from %j', (message, why) => {
    expect(() => continueFinalMessage('<a>Well</a>', message)).toThrow(why);
  });
});

describe('chat_template_kwargs', () => {
  test('are variables of the template', async () => {
    const body = { messages, chat_template_kwargs: { enable_thinking: false, level: { a: [1] } } };
    expect(await promptOf(body)).toBe('enable_thinking=false\nlevel={"a":[1]}\nuser:hi\nassistant:');
  });

  test.each(['messages', 'add_generation_prompt', 'bos_token', 'raise_exception', 'tokenize', 'namespace'])(
    'cannot set %s',
    async (name) => {
      expect(await refusal({ messages, chat_template_kwargs: { [name]: 1 } })).toEqual([
        `chat_template_kwargs.${name}`,
        `'chat_template_kwargs' sets "${name}", which the server sets itself; leave it out`,
      ]);
    },
  );

  test.each(['__proto__x-', 'a b', ''])('cannot have the name %j', async (name) => {
    const [param] = (await refusal({ messages, chat_template_kwargs: { [name]: 1 } })) as string[];
    expect(param).toBe(`chat_template_kwargs.${name}`);
  });

  test('are bounded', async () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`v${i}`, i]));
    expect(await refusal({ messages, chat_template_kwargs: many })).toEqual([
      'chat_template_kwargs',
      "'chat_template_kwargs' has 65 keys, expected at most 64; send fewer",
    ]);
    for (const [value, param] of [
      ['a\ud800', 'chat_template_kwargs.cut'],
      [{ deep: ['a\ud800'] }, 'chat_template_kwargs'],
    ]) {
      const template = '{{ cut.deep[0] }}';
      const body = { messages, chat_template: template, chat_template_kwargs: { cut: value } };
      expect(await refusal(body, { trustRequestChatTemplate: true })).toEqual([
        param,
        expect.stringContaining('half a surrogate pair'),
      ]);
    }
  });
});

describe('chat_template', () => {
  const chat_template = '{% for m in messages %}<{{ m.content }}>{% endfor %}{{ style }}';
  const trusting = { trustRequestChatTemplate: true };

  test('is refused unless the server was told to take it', async () => {
    expect(await refusal({ messages, chat_template })).toEqual([
      'chat_template',
      `'chat_template' is "{% for m in messages %}<{{ m.content }}>"..., but this server renders no templates of clients; leave it out, or start the server with --trust-request-chat-template`,
    ]);
  });

  test('replaces the template of the model', async () => {
    const body = { messages, chat_template, chat_template_kwargs: { style: 'x' } };
    expect(await promptOf(body, trusting)).toBe('<hi>x');
    const { url } = await startServer({}, trusting);
    expect(await postOk(`${url}/tokenize`, body)).toMatchObject({ count: 5, tokens: [60, 104, 105, 62, 120] });
  });

  test.each([
    ['does not parse', '{% if', /does not parse/],
    ['asks for JavaScript', '{{ messages.constructor.constructor("return process")() }}', /chat template failed/],
    ['counts for ever', '{% for a in range(9999999) %}{% endfor %}', /expected at most/],
  ])('that %s is a 400', async (_name, source, message) => {
    expect(await refusal({ messages, chat_template: source }, trusting)).toEqual([
      null,
      expect.stringMatching(message),
    ]);
  });

  test('is compiled once for requests that repeat it', async () => {
    let numCompiled = 0;
    const compileChatTemplate = () => {
      numCompiled++;
      return Promise.resolve({ render: () => 'x' });
    };
    const { url } = await startServer({ compileChatTemplate }, trusting);
    const ask = (source: string) => postOk(url + CHAT, { messages, chat_template: source });
    for (const source of ['a', 'b', 'a', 'b']) await ask(source);
    expect(numCompiled).toBe(2);
    for (let i = 0; i < 8; i++) await ask(`other ${i}`);
    await ask('a');
    expect(numCompiled).toBe(11);
  });
});
