export {
  type CloseOptions,
  type CloseResult,
  createServer,
  type KvasirServer,
  type ListenOptions,
  type ServerAddress,
} from './create-server.js';
export type { ErrorBody } from './error-mapping.js';
export { ListenError, RequestError, type RequestErrorCode } from './errors.js';
export type { ApiKey } from './http/authentication.js';
export type { TlsOptions } from './http/tls-options.js';
export type {
  BatchNumbers,
  EmbedCallOptions,
  EmbeddedInputNumbers,
  EmbedderEntry,
  EmbedderNumbers,
  ServedEmbedder,
  ServedEmbedderObserver,
} from './served-embedder.js';
export type {
  EngineNumbers,
  FinishedRequest,
  KvCacheLayout,
  SamplingDefaults,
  ServedEngine,
  ServedEngineObserver,
  ServedModel,
  StepNumbers,
  TenantNumbers,
} from './served-model.js';
export { checkServerOptions, type KvasirServerOptions } from './server-options.js';
