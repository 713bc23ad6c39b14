import { createServer } from 'node:http'

/** The least that node:http can answer, on the port named by the first argument: what forward-auth is measured against. */
createServer((_request, response) => {
  response.writeHead(200, { 'content-length': 0 }).end()
}).listen(Number(process.argv[2]), '127.0.0.1')
