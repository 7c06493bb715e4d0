export {
  type CloseOptions,
  createServer,
  type KvasirServer,
  type ListenOptions,
  type ServerAddress,
} from './create-server.js';
export type { ErrorBody } from './error-mapping.js';
export { ListenError, RequestError, type RequestErrorCode } from './errors.js';
export type {
  EngineNumbers,
  FinishedRequest,
  SamplingDefaults,
  ServedEngine,
  ServedEngineObserver,
  ServedModel,
} from './served-model.js';
export type { KvasirServerOptions } from './server-options.js';
