import { resolveModel } from '@kvasir/model';

/** Path of a catalogue model (pulled when missing) or of a local file. */
export async function locateModel(name: string): Promise<string> {
  const model = await resolveModel(name);
  return model.path;
}
