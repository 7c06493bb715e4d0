export { byteTokenizerSource } from './fake-backend/byte-tokenizer-source.js';
export { createFakeBackend, type FakeBackend, type FakeBackendOptions } from './fake-backend/fake-backend.js';
export { FakeEncoder, type FakeEncoderControl, fakeEmbedding } from './fake-backend/fake-encoder.js';
export {
  createFakeEncoderProgram,
  createFakeProgram,
  type FakeEncoderProgramOptions,
  type FakeProgramOptions,
} from './fake-backend/fake-program.js';
export { FakeSession, type FakeSessionControl, fakeLogits } from './fake-backend/fake-session.js';
export { createFakeTokenizer } from './fake-backend/fake-tokenizer.js';
export { EMPTY_PREFIX, extendPrefix } from './fake-backend/prefix-hash.js';
export { SimulatedKv } from './fake-backend/simulated-kv.js';
export {
  GOLDEN_EMBEDDING_TOLERANCE,
  type GoldenEmbeddings,
  readGoldenEmbeddings,
} from './goldens/golden-embeddings.js';
export {
  GOLDEN_MARGIN,
  GOLDEN_TOLERANCE,
  type GoldenLogprob,
  type GoldenModel,
  type Goldens,
  goldenDivergence,
  LLAMA_CPP_DIVERGENCE,
  readGoldens,
} from './goldens/goldens.js';
export { countAllocations } from './heap/count-allocations.js';
export { expectReached } from './property/expect-reached.js';
export { fcParameters } from './property/fast-check-parameters.js';
export {
  NO_SAMPLING_EXTRAS,
  type SamplingExtras,
  samplingExtras,
  type TinyRequest,
  type TinyRequestBounds,
  tinyRequest,
} from './property/requests.js';
export { type InitOp, type OutputSpec, StepBuilder } from './step/step-builder.js';
export {
  createTinyEncoder,
  type TinyEncoder,
  type TinyEncoderSpec,
  tinyEncoderSpec,
} from './tiny-model/create-tiny-encoder.js';
export { createTinyModel, type TinyModel } from './tiny-model/create-tiny-model.js';
export { seededRandom } from './tiny-model/random.js';
export { type EncodingName, type TinyModelSpec, tinyModelSpec } from './tiny-model/tiny-model-spec.js';
export { type CertificatePair, selfSignedCertificate } from './tls/self-signed.js';
