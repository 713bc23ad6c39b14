import { createServer } from 'node:http'

/** The upstream of every target: the smallest answer that node:http can give, on the port named by the first argument. */
const BODY = '{"ok":true,"items":[1,2,3,4,5,6,7,8,9,10],"note":"a small JSON answer as APIs give them"}'
const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': BODY.length }).end(BODY)
})
// Targets take turns and keep their connections meanwhile: none shall find one that has just been closed.
server.keepAliveTimeout = 0
server.listen(Number(process.argv[2]), '127.0.0.1')
