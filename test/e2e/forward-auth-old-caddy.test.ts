import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { execFileSync } from 'node:child_process'
import { exchange } from '../support/callers/client.ts'
import { type Caller, missing, startProgram } from '../support/callers/process.ts'
import { raw, startAnswering, type AnsweringServer } from '../support/answering.ts'
import { freePort } from '../support/running-postern.ts'

const skipped = missing('caddy')
const version = skipped ? '' : execFileSync('caddy', ['version']).toString().trim()
const isOld = /^v?2\.[0-9]\./.test(version)

// Why every passage of ours has every header that a caller is told to copy.
describe.skipIf(skipped)('copy_headers of Caddy, asked by an authorizer that leaves a header out', () => {
  let authorizer: AnsweringServer
  let upstream: AnsweringServer
  let caddy: Caller
  beforeAll(async () => {
    authorizer = await startAnswering(raw(200, '', {}))
    upstream = await startAnswering()
    const port = await freePort()
    const file = `{\n\tadmin off\n\tauto_https off\n}\nhttp://:${port} {\n\tbind 127.0.0.1\n\troute {\n\t\tforward_auth ${authorizer.url} {\n\t\t\turi /check\n\t\t\tcopy_headers X-User-Id\n\t\t}\n\t\treverse_proxy ${upstream.url}\n\t}\n}\n`
    caddy = await startProgram({ files: new Map([['Caddyfile', file]]), command: (folder) => ['caddy', 'run', '--config', `${folder}/Caddyfile`, '--adapter', 'caddyfile'], port })
  })
  afterAll(async () => {
    await caddy?.close()
    await Promise.all([authorizer?.close(), upstream?.close()])
  })
  const userSeen = async (): Promise<string | string[] | undefined> => {
    await exchange(caddy.port, 'GET /x HTTP/1.1\r\nHost: a\r\nX-User-Id: mallory\r\nConnection: close\r\n\r\n')
    return upstream.seen.at(-1)?.headers['x-user-id']
  }

  it.runIf(isOld)('before 2.11.2 tells the upstream of a user that does not exist', async () => {
    expect(await userSeen()).not.toBeUndefined()
    expect(await userSeen()).not.toBe('')
  })

  it('tells it of nobody when the header is there and empty', async () => {
    authorizer.answer(raw(200, '', { 'x-user-id': '' }))
    expect((await userSeen()) ?? '').toBe('')
  })
})
