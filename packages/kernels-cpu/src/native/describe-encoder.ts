import type { EncoderOptions } from '@kvasir/interfaces';
import { DESCRIPTION_FORMAT, ISAS, isaIndex, type NativeChoice } from './describe-session.js';
import type { NativeDescription } from './native-connection.js';
import { SessionWriter } from './session-writer.js';
import { writeProgram } from './write-program.js';

/** Everything that native code needs to know of an encoder session, as `read_encoder_spec` reads it. */
export function describeEncoder(
  options: EncoderOptions,
  choice: Pick<NativeChoice, 'isa' | 'hasBf16' | 'numThreads' | 'spreadThreads'>,
): NativeDescription {
  const out = new SessionWriter();
  out.number('format', DESCRIPTION_FORMAT);
  out.integer('mode', options.mode === 'float32' ? 1 : 0, 0, 1);
  out.integer('maxTokensPerBatch', options.maxTokensPerBatch, 1, 2 ** 20);
  out.integer('maxSequencesPerBatch', options.maxSequencesPerBatch, 1, 2 ** 20);
  out.integer('numThreads', choice.numThreads, 1, 1024);
  out.integer('isa', isaIndex(choice.isa), 0, ISAS.length - 1);
  out.integer('hasBf16', choice.hasBf16 ? 1 : 0, 0, 1);
  out.integer('spreadThreads', choice.spreadThreads ? 1 : 0, 0, 1);
  writeProgram(out, options.program);
  return out.finish();
}
