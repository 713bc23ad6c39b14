import { readFileSync } from 'node:fs'
import proxy from '@fastify/http-proxy'
import jwt from '@fastify/jwt'
import fastify from 'fastify'

/** `node fastify-server.ts PORT UPSTREAM PEM ISSUER AUDIENCE [remember]`: the gateway that the pages of the two plugins show. */
const [port = '', upstream = '', pem = '', issuer = '', audience = '', remember] = process.argv.slice(2)
const server = fastify({ keepAliveTimeout: 600_000 })
await server.register(jwt, {
  secret: { private: '', public: readFileSync(pem, 'utf8') },
  verify: { algorithms: ['ES256'], allowedIss: issuer, allowedAud: audience, cache: remember === 'remember' },
})
await server.register(proxy, {
  upstream: `http://127.0.0.1:${upstream}`,
  preHandler: async (request) => void (await request.jwtVerify()),
  replyOptions: { rewriteRequestHeaders: (request, headers) => ({ ...headers, 'x-user-id': (request as { user?: { sub?: string } }).user?.sub ?? '' }) },
})
await server.listen({ port: Number(port), host: '127.0.0.1' })
