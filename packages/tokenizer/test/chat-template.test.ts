import { describe, expect, it } from 'vitest';
import { loadChatTemplate } from '../src/chat-template.js';

const messages = [{ role: 'user', content: 'Hi' }];
const render = async (source: string, options = {}) => (await loadChatTemplate(source, options)).render(messages);

describe('chat templates', () => {
  it('see messages, tokens and the generation prompt', async () => {
    const source = `{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m['content'] }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}`;
    const template = await loadChatTemplate(source, { bosToken: '<s>', eosToken: '</s>' });
    expect(template.render(messages)).toBe('<s>[user] Hi</s>[assistant]');
    expect(template.render(messages, { addGenerationPrompt: false })).toBe('<s>[user] Hi</s>');
  });

  it('treat white space around blocks as Hugging Face does', async () => {
    expect(
      await render('{% for m in messages %}\n  {% if true %}\n {{ m.content }}\n  {%- endif %}\n{% endfor %}\nend'),
    ).toBe(' Hiend');
  });

  it('keep the newline that ends a line of text', async () => {
    expect(await render('{% if true %}\n  {{ 1 }}\n  {% endif %}\n  end\n')).toBe('  1\n  end');
  });

  it('know the date, by an injected clock', async () => {
    const now = () => new Date(2026, 1, 3, 15, 4, 5);
    expect(await render(`{{ strftime_now('%d %b %Y, %A %-d %B %y %H:%M:%S %I %p %j %m %a %% %Q') }}`, { now })).toBe(
      '03 Feb 2026, Tuesday 3 February 26 15:04:05 03 PM 034 02 Tue % %Q',
    );
    expect(await render(`{{ strftime_now('%Y') | length }}`)).toBe('4');
  });

  it('know range', async () => {
    expect(
      await render('{% for i in range(3) %}{{ i }}{% endfor %}|{% for i in range(5, 1, -2) %}{{ i }}{% endfor %}'),
    ).toBe('012|53');
  });

  it('may refuse the messages in their own words', async () => {
    await expect(render(`{{ raise_exception('roles must alternate') }}`)).rejects.toMatchObject({
      code: 'ERR_CHAT_TEMPLATE',
      message: 'roles must alternate',
    });
  });

  it('one that runs too long is stopped, with an error of its own', async () => {
    const source = '{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}';
    await expect(render(source, { limits: { timeoutMs: 30 } })).rejects.toMatchObject({
      code: 'ERR_CHAT_TEMPLATE_TIMEOUT',
      message: expect.stringContaining('not done after 30 ms'),
    });
  });

  it.each([
    ['does not parse', '{% if', {}, /does not parse/],
    ['is too long', 'x'.repeat(20), { limits: { maxTemplateLength: 10 } }, /has 20 characters, expected at most 10/],
    ['calls what is not there', '{{ messages[0].constructor("x") }}', {}, /not a function/],
    [
      'produces too much',
      '{% for a in range(99) %}{{ a }}{% endfor %}',
      { limits: { maxOutputLength: 50 } },
      /produced 188 characters/,
    ],
    ['asks for too many numbers', '{{ range(1000000000) }}', {}, /range\(0, 1000000000, 1\) has 1000000000 numbers/],
    ['asks for a range that never ends', '{{ range(0, 1, 0) }}', {}, /numbers, expected at most/],
    [
      'doubles a string for ever',
      `{% set n = namespace(x='abcdefgh') %}{% for a in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}`,
      {},
      /Invalid string length/,
    ],
  ])('one that %s fails cleanly', async (_what, source, options, message) => {
    await expect(render(source, options)).rejects.toMatchObject({
      code: 'ERR_CHAT_TEMPLATE',
      message: expect.stringMatching(message),
    });
  });

  it('can be rendered again after a failure', async () => {
    const template = await loadChatTemplate(
      `{% if messages[0].content == 'Hi' %}{{ raise_exception('no') }}{% endif %}ok`,
    );
    expect(() => template.render(messages)).toThrow('no');
    expect(template.render([{ role: 'user', content: 'Yo' }])).toBe('ok');
  });
});

describe('variables of a caller', () => {
  it('reach the template beside its own', async () => {
    const template = await loadChatTemplate(
      '{{ style.name }}{% if not thinking %}!{% endif %}{{ messages[0].content }}',
    );
    const variables = { style: { name: 'short' }, thinking: false };
    expect(template.render(messages, { variables })).toBe('short!Hi');
    expect(template.render(messages, { variables: { style: {} } })).toBe('!Hi');
  });

  it.each(['messages', 'add_generation_prompt', 'bos_token', 'raise_exception', 'range', 'namespace', 'true'])(
    'cannot be %s',
    async (name) => {
      const template = await loadChatTemplate('x');
      expect(() => template.render(messages, { variables: { [name]: 1 } })).toThrow(`variable ${name} is the chat`);
    },
  );
});
