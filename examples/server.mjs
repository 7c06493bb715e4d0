// A model on the wire, asked as any OpenAI client would. The model is fetched at the first run.
import { LLM } from '@kvasir/engine';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import { createServer } from '@kvasir/server';

const llm = await LLM.load({ model: 'smollm2-135m', backend: createCpuBackend() });
const server = createServer(llm);
const { url } = await server.listen({ port: 0 });
const response = await fetch(`${url}/v1/chat/completions`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ messages: [{ role: 'user', content: 'What is the capital of France?' }], max_tokens: 32 }),
});
console.log((await response.json()).choices[0].message.content);
await server.close();
await llm.close();
