// One prompt streamed, two prompts together. The model is fetched at the first run.
import { LLM } from '@kvasir/engine';
import { createCpuBackend } from '@kvasir/kernels-cpu';

const llm = await LLM.load({ model: 'smollm2-135m', backend: createCpuBackend() });
for await (const delta of llm.stream('The capital of France is', { temperature: 0, maxTokens: 16 })) {
  process.stdout.write(delta.text);
}
console.log();
const answers = await llm.generate(['One, two,', 'Red, green,'], { temperature: 0, maxTokens: 8 });
for (const { text, finishReason, usage } of answers) console.log([text, finishReason, usage.completionTokens]);
await llm.close();
