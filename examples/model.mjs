// What a checkpoint holds, read from its headers alone. The model is fetched at the first run.
import { openModel, resolveModel } from '@kvasir/model';

const { path } = await resolveModel('smollm2-135m', {
  onProgress: ({ file, receivedBytes, totalBytes }) => console.log(file, receivedBytes, totalBytes),
});
const model = await openModel(path);
console.log(model.name, model.architecture, `${model.parameterCount} parameters, ${model.sizeBytes} bytes`);
console.log(model.program.ops.length, 'ops,', model.program.weights.length, 'weights,', model.program.kvGroups);
console.log(model.tokenizer.kind, 'of', model.tokenizer.vocabSize, 'tokens, ends with', model.generation.eosTokenIds);
