import { describe, expect, it } from 'vitest';
import { StopMatcher } from '../src/stop-matcher.js';

describe('StopMatcher', () => {
  it('finds a stop string across pieces and holds back only what may become one', () => {
    const matcher = new StopMatcher(['</s>', '\n\n']);
    expect(matcher.push('Hello <')).toEqual({ text: 'Hello ', stop: undefined });
    expect(matcher.push('/b>')).toEqual({ text: '</b>', stop: undefined });
    expect(matcher.push('\n')).toEqual({ text: '', stop: undefined });
    expect(matcher.push('x</')).toEqual({ text: '\nx', stop: undefined });
    expect(matcher.push('s>never shown')).toEqual({ text: '', stop: '</s>' });
    expect(matcher.push('nor this')).toEqual({ text: '', stop: '</s>' });
    expect(matcher.flush()).toBe('');
  });

  it('can show the stop string itself', () => {
    const matcher = new StopMatcher(['END'], { includeStop: true });
    expect(matcher.push('the E')).toEqual({ text: 'the ', stop: undefined });
    expect(matcher.push('ND.')).toEqual({ text: 'END', stop: 'END' });
  });

  it('ends at the first complete stop string, the longest of those that end there', () => {
    expect(new StopMatcher(['bc', 'abcd']).push('xabcd')).toEqual({ text: 'xa', stop: 'bc' });
    expect(new StopMatcher(['bc', 'abc']).push('xabc')).toEqual({ text: 'x', stop: 'abc' });
  });

  it('gives back what it holds when the text ends, and can be used again', () => {
    const matcher = new StopMatcher(['stop']);
    expect(matcher.push('sto').text).toBe('');
    expect(matcher.flush()).toBe('sto');
    expect(matcher.push('p').text).toBe('p');
  });

  it('passes text through without stop strings, and refuses an empty one', () => {
    expect(new StopMatcher([]).push('as it is')).toEqual({ text: 'as it is', stop: undefined });
    expect(new StopMatcher([]).maxHeld).toBe(0);
    expect(() => new StopMatcher(['a', ''])).toThrow(/stop string is empty/);
  });
});
