export {
  BLOCK_ENCODINGS,
  DENSE_ENCODINGS,
  encodedBytes,
  encodingBlockSize,
  encodingName,
} from './encodings.js';
export { EncodingSizeError } from './errors.js';
