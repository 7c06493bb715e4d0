export type { CpuIsa, TraceEntry } from './addon.js';
export { CpuBackend, type CpuBackendOptions, createCpuBackend } from './cpu-backend.js';
export { CpuSession } from './cpu-session.js';
export { measureReadBandwidth, type ReadBandwidthOptions } from './read-bandwidth.js';
