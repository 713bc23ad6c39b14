import { request } from '../../test/support/described.ts'
import { ISSUER, type Issued } from '../tokens.ts'
import { allowed, compiled } from './gateway.ts'
import { cpuPer, type Dimension } from './dimension.ts'

const SIZES = [1, 10, 50]

const other = (n: number): string => `https://other${n}.example`

const HEAD = 'version: 1\nupstream: http://127.0.0.1:2\nclient_ip: {direct: true}\n'

/** The issuer of the tokens comes last. */
const one = (size: number, jwks: string): string => `${HEAD}auth:\n  - jwt:\n      issuers:\n${Array.from({ length: size }, (_, n) => `        - {issuer: ${n === size - 1 ? ISSUER : other(n)}, audience: bench, jwks_file: ${jwks}}\n`).join('')}`

const several = (size: number, jwks: string): string => `${HEAD}authenticators:\n${Array.from({ length: size }, (_, n) => `  jwt${n}: {type: jwt, issuer: ${n === size - 1 ? ISSUER : other(n)}, audience: bench, jwks_file: ${jwks}, on_invalid: next}\n`).join('')}`

const dimension = (issued: Issued, name: string, config: (size: number, jwks: string) => string, fresh: boolean): Dimension => ({
  name,
  unit: 'CPU µs/decision',
  sizes: SIZES,
  prepare: async (size) => {
    const { gateway, close } = await compiled(config(size, issued.jwks))
    const described = (token: string) => request({ path: '/x', headers: { authorization: `Bearer ${token}` } })
    const same = described(issued.token)
    return {
      cost: async () => {
        const requests = fresh ? Array.from({ length: 300 }, () => described(issued.mint())) : []
        return cpuPer(fresh ? requests.length : 5_000, (n) => allowed(gateway.point, requests[n] ?? same))
      },
      close,
    }
  },
})

export const issuers = (issued: Issued): readonly Dimension[] => [
  dimension(issued, 'issuers of one authenticator, token remembered', one, false),
  dimension(issued, 'issuers of one authenticator, new token', one, true),
  dimension(issued, 'authenticators with an issuer each, token remembered', several, false),
  dimension(issued, 'authenticators with an issuer each, new token', several, true),
]
