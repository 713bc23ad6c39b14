import { createServer } from 'node:http'
import { Pool } from 'undici'

/** `node undici-server.ts PORT UPSTREAM`: the shortest relay that undici makes, its stream API into the answer. */
const [port = '', upstream = ''] = process.argv.slice(2)
const pool = new Pool(`http://127.0.0.1:${upstream}`, { connections: 256 })
createServer((request, response) => {
  const { method = 'GET', url = '/', headers } = request
  const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
  const { connection: _connection, 'transfer-encoding': _coding, ...sent } = headers
  pool.stream({ method, path: url, headers: sent, body: hasBody ? request : null, opaque: response }, ({ statusCode, headers: received }) => response.writeHead(statusCode, received)).catch(() => response.destroy())
}).listen(Number(port), '127.0.0.1')
