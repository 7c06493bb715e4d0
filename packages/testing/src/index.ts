export { createFakeBackend, type FakeBackend, type FakeBackendOptions } from './fake-backend/fake-backend.js';
export { createFakeProgram, type FakeProgramOptions } from './fake-backend/fake-program.js';
export { FakeSession, type FakeSessionControl, fakeLogits } from './fake-backend/fake-session.js';
export { createFakeTokenizer } from './fake-backend/fake-tokenizer.js';
export { EMPTY_PREFIX, extendPrefix } from './fake-backend/prefix-hash.js';
export { SimulatedKv } from './fake-backend/simulated-kv.js';
export { fcParameters } from './property/fast-check-parameters.js';
export { type TinyRequest, type TinyRequestBounds, tinyRequest } from './property/requests.js';
export { type InitOp, type OutputSpec, StepBuilder } from './step/step-builder.js';
