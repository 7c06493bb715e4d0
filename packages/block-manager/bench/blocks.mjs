// Waste, window groups, hashing and the cost of each operation, as JSON. `npm run bench -- blocks` prints them as tables.
import { runHashing, runOperations } from './operations.mjs';
import { runWaste } from './waste.mjs';
import { runWindows } from './windows.mjs';

const results = { waste: runWaste(), windows: runWindows(), hashing: runHashing(), operations: runOperations() };
process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
