// The contracts that do something by themselves: the noise of a token, the layout of a step, the marker of an error.
import { KvasirError, philox4x32, readSection, STEP_BATCH_MAGIC, STEP_SECTION, tokenGumbel } from '@kvasir/interfaces';

// Noise is a pure function of seed, position and token: any backend can reproduce it.
console.log(tokenGumbel(42n, 17, 3), philox4x32([0, 0, 0, 0], [42, 0]));

// A step is one buffer of words.
const words = new Int32Array(64);
words[0] = STEP_BATCH_MAGIC;
console.log(readSection(words, STEP_SECTION.rows));

// Errors are known by a marker, so two copies of this package agree.
const error = new KvasirError('ERR_EXAMPLE', 'what, got, expected, what to do');
console.log(KvasirError.isInstance(error, 'ERR_EXAMPLE'));
