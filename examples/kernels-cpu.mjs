// One step on the bare session: a prompt goes in as one buffer of words, its next token comes out.
import * as step from '@kvasir/interfaces';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import { openModel, resolveModel } from '@kvasir/model';

const { program, generation } = await openModel((await resolveModel('smollm2-135m')).path);
const session = await createCpuBackend().openSession({
  ...{ programs: [program], mode: 'auto', kvCacheDtype: 'auto', eosTokenIds: generation.eosTokenIds },
  ...{ blockSize: 16, numBlocks: 5, maxSlots: 1, maxModelLen: 64, maxInFlight: 1 },
  ...{ maxTokensPerStep: 16, maxOutputsPerStep: 1, maxTopLogprobs: 0 },
});
console.log(session.info.device.device, session.info.device.kernelPath, session.info.plan);

const prompt = [504, 3575, 282, 4649, 314]; // "The capital of France is"
const { SLOT_OP_FIELD: op, ROW_FIELD: row, OUTPUT_FIELD: output, TABLE_UPDATE_FIELD: table } = step;
const off = { [op.topP]: 0x3f800000, [op.typicalP]: 0x3f800000, [op.repetitionPenalty]: 0x3f800000 }; // 1
const lengths = { [op.historyLength]: prompt.length, [op.promptLength]: prompt.length, [op.maxLength]: 64 };
const record = (numWords, fields) => Object.assign(new Array(numWords).fill(0), fields);
const sections = [
  { count: 1, words: record(step.SLOT_OP_WORDS, { ...lengths, ...off }) }, // slot 0 starts, greedy
  { count: prompt.length, words: prompt },
  { count: 1, words: record(step.ROW_WORDS, { [row.numQuery]: prompt.length }) },
  { count: 1, words: record(step.OUTPUT_WORDS, { [output.tokenIndex]: prompt.length - 1 }) },
  { count: 1, words: record(step.TABLE_UPDATE_WORDS, { [table.count]: 1 }) },
  { count: 1, words: [1] }, // the block that the slot writes
];
const words = new Int32Array(256);
let numWords = step.STEP_HEADER_WORDS;
sections.forEach((section, i) => {
  words.set([numWords, section.count], 8 + 2 * i);
  words.set(section.words, numWords);
  numWords += 16 * Math.ceil(section.words.length / 16);
});
words.set([step.STEP_BATCH_MAGIC, step.STEP_BATCH_VERSION, numWords, 1]);
const { outputs } = await session.step({ words, numWords });
console.log('next token', outputs[step.RESULT_FIELD.tokenId], 'is " Paris"');
await session.close();
