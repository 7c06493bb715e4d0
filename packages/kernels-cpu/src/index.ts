export type { CpuIsa, TraceEntry } from './addon.js';
export { CpuBackend, type CpuBackendOptions, createCpuBackend } from './cpu-backend.js';
export { CpuEncoder } from './cpu-encoder.js';
export { CpuSession } from './cpu-session.js';
export { type Int8PeakOptions, measureInt8Peak } from './int8-peak.js';
export { measureReadBandwidth, type ReadBandwidthOptions } from './read-bandwidth.js';
