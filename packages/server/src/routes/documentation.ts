import type { FastifyInstance } from 'fastify';
import type { OpenApiDocument } from '../openapi/document.js';
import type { ServerContext } from '../server-context.js';

/** `GET /openapi.json` and `GET /docs`, both made when they are first asked for. */
export function addDocumentation(fastify: FastifyInstance, context: ServerContext): void {
  let made: Promise<OpenApiDocument> | undefined;
  const document = (): Promise<OpenApiDocument> => {
    made ??= import('../openapi/document.js').then(({ describeServer }) => describeServer(context));
    return made;
  };

  fastify.get('/openapi.json', async (_request, reply) => reply.send(await document()));

  fastify.get('/docs', async (_request, reply) => {
    const { renderDocsPage, DOCS_PAGE_POLICY } = await import('../openapi/docs-page.js');
    return reply
      .type('text/html; charset=utf-8')
      .headers({ 'content-security-policy': DOCS_PAGE_POLICY, 'x-content-type-options': 'nosniff' })
      .send(renderDocsPage(await document()));
  });
}
