import { describe, expect, it } from 'vitest'
import { PartitionTextError, partitionOfText } from './partition-text.ts'

const SECRET = new Uint8Array(32)
const of = (text: string): string => partitionOfText(text, SECRET)

describe('a partition as operators write it', () => {
  it.each([
    ['client_ip:203.0.113.9', 'ip:203.0.113.9'],
    ['ip:::ffff:203.0.113.9', 'ip:203.0.113.9'],
    ['client_ip:2001:DB8:1:2::7', 'ip:2001:db8:1:2::/64'],
    ['principal:jwt:alice', 'principal:jwt:alice'],
    ['user:jwt:auth0|a:b', 'principal:jwt:auth0|a:b'],
    ['credential:api_key:key_1', 'credential:api_key:key_1'],
    ['route:orders', 'route:orders'],
    ['header:X-Tenant:acme', 'header:x-tenant:acme'],
  ])('%s is %s', (text, expected) => {
    expect(of(text)).toBe(expected)
  })

  it('is a digest where the counter is kept under one', () => {
    expect(of('body.email|lower:Alice@example.com')).toBe(of('body.email|lower:alice@example.com'))
    expect(of('body.email:Alice@example.com')).not.toBe(of('body.email:alice@example.com'))
    expect(of('body.email:alice@example.com')).toMatch(/^body:email:[A-Za-z0-9_-]{43}$/)
    expect(of('account:token:https://idp.example:alice')).toMatch(/^account:[A-Za-z0-9_-]{43}$/)
  })

  it.each(['', 'alice', 'principal:alice', 'client_ip:example.com', 'header:x-tenant', 'galaxy:m31'])('%j is none', (text) => {
    expect(() => of(text)).toThrow(PartitionTextError)
  })
})
