import { readFile } from 'node:fs/promises';
import { H100_MODELS, pricedStepTime, rooflineStepTime, type StepTime } from '@kvasir/scheduler/simulate';
import { UsageError } from '../flags/usage-error.js';

/** Reads `--step-time`: a preset, or a file of prices. @throws {@link UsageError} */
export async function readStepTime(name: string): Promise<StepTime> {
  const preset = Object.entries(H100_MODELS).find(([key]) => key === name)?.[1];
  if (preset !== undefined) return rooflineStepTime(preset);
  if (!name.endsWith('.json')) {
    throw new UsageError(`--step-time: expected ${Object.keys(H100_MODELS).join(', ')} or a .json file, got '${name}'`);
  }
  const text = await readFile(name, 'utf8').catch((error: Error) => {
    throw new UsageError(`--step-time: cannot read ${name}: ${error.message}`);
  });
  try {
    return pricedStepTime(JSON.parse(text) as Record<string, number>);
  } catch (error) {
    throw new UsageError(`--step-time: ${name} is no list of prices: ${(error as Error).message}`);
  }
}
