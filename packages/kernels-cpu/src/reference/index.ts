export { checkEncodeBatch, InvalidBatchError } from './check-encode-batch.js';
export { type DecodeWeight, decodeDense } from './decode-weight.js';
export type { SampledSlot } from './edit-logits.js';
export { finishStep, type LogitsOf } from './finish-step.js';
export { InvalidStepError } from './invalid-step-error.js';
export { readStep } from './read-step.js';
export { createReferenceBackend, type ReferenceBackendOptions } from './reference-backend.js';
export { logSoftmax, rankTokens, sampleToken } from './sample-token.js';
export type { Slot, SlotSampling } from './slot.js';
export { SlotMachine, type StagedRow, type StagedStep } from './slot-machine.js';
export { transferPlaces } from './step-checks.js';
export type {
  OutputRecord,
  RowRecord,
  SlotOpRecord,
  StepRecords,
  TableUpdateRecord,
  TransferRecord,
} from './step-records.js';
