export type {
  Backend,
  DeviceInfo,
  KvCacheDtype,
  LoadProgress,
  NumericMode,
  OpenSessionControl,
  Session,
  SessionInfo,
  SessionOptions,
  SessionPlan,
} from './backend.js';
export type { Drafter } from './drafter.js';
export type { KvasirErrorOptions } from './errors.js';
export { InvalidArgumentError, InvariantError, KvasirError, UnsupportedError } from './errors.js';
export type { BlockId, Brand, SequenceId, SlotId, ValueId, WeightId } from './ids.js';
export { NULL_BLOCK } from './ids.js';
export type {
  BlockTable,
  BlockTransfer,
  KvCacheManager,
  KvCacheStats,
  KvGroup,
  OpenOptions,
  PrefixKeys,
  PreparedPrompt,
  TenantCacheStats,
} from './kv-cache.js';
export { choiceSeed, noiseUniform, philox4x32, tokenGumbel, tokenNoiseBits } from './noise.js';
export type {
  AddOp,
  AllReduceOp,
  EmbedOp,
  GatedActivationOp,
  GatherOutputsOp,
  KvGroupSpec,
  KvLayerSpec,
  KvWriteOp,
  LinearOp,
  MoeRouteOp,
  Op,
  PagedAttentionOp,
  PoolOp,
  Program,
  RmsNormOp,
  RopeOp,
  RopeTable,
  SoftcapOp,
  Tap,
  ValueRows,
  ValueSpec,
} from './program.js';
export type {
  BeamParams,
  FinishReason,
  GenerateRequest,
  OutputDelta,
  PositionLogprobs,
  RequestUsage,
  SamplingParams,
  TokenLogprob,
} from './requests.js';
export { SAMPLING_LIMITS } from './requests.js';
export type {
  PlannedRow,
  RowOutcome,
  Scheduler,
  SchedulerStats,
  SequenceSpec,
  StepPlan,
  TenantCounts,
  WaitingCounts,
} from './scheduler.js';
export type { SectionView, StepBatch } from './step-batch.js';
export {
  NUM_STEP_SECTIONS,
  OUTPUT_FIELD,
  OUTPUT_FLAG,
  OUTPUT_KIND,
  OUTPUT_WORDS,
  ROW_FIELD,
  ROW_FLAG,
  ROW_WORDS,
  readSection,
  SLOT_FLAG,
  SLOT_OP,
  SLOT_OP_FIELD,
  SLOT_OP_WORDS,
  STEP_BATCH_MAGIC,
  STEP_BATCH_VERSION,
  STEP_HEADER_WORDS,
  STEP_SECTION,
  TABLE_UPDATE_FIELD,
  TABLE_UPDATE_WORDS,
  TRANSFER_FIELD,
  TRANSFER_OP,
  TRANSFER_WORDS,
} from './step-batch.js';
export type { StepResult } from './step-result.js';
export { END_REASON, RESULT_FIELD, RESULT_WORDS, ROW_RESULT_FIELD, ROW_RESULT_WORDS } from './step-result.js';
export type {
  ChatMessage,
  ChatTemplate,
  ChatTemplateOptions,
  DecodeOptions,
  EncodeOptions,
  GgufBpeTokenizerSource,
  GgufSpmTokenizerSource,
  HuggingFaceTokenizerSource,
  IncrementalDecoder,
  SpecialToken,
  Tokenizer,
  TokenizerSource,
  TokenizerSourceCommon,
} from './tokenizer.js';
export type {
  BlockEncoding,
  BlockLayout,
  ByteRange,
  DenseEncoding,
  Encoding,
  GroupedEncoding,
  RowOrder,
  Shard,
  WeightFile,
  WeightRecord,
} from './weights.js';
