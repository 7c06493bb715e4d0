export { decodeRow } from './decode-row.js';
export { encodeRow } from './encode-row.js';
export { BLOCK_ENCODINGS, DENSE_ENCODINGS, encodedBytes, encodingBlockSize, encodingName } from './encodings.js';
export { EncodingSizeError } from './errors.js';
export { bf16ToNumber, f16ToNumber, numberToBf16, numberToF16 } from './half.js';
