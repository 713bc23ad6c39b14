import { Agent, createServer } from 'node:http'
import { createProxyServer } from 'http-proxy-3'

/** `node http-proxy-server.ts PORT UPSTREAM`: http-proxy-3 with connections that are kept. */
const [port = '', upstream = ''] = process.argv.slice(2)
const proxy = createProxyServer({ target: `http://127.0.0.1:${upstream}`, agent: new Agent({ keepAlive: true }) })
proxy.on('error', (_error, _request, response) => void ('writeHead' in response ? response.writeHead(502).end() : response.destroy()))
createServer((request, response) => void proxy.web(request, response)).listen(Number(port), '127.0.0.1')
