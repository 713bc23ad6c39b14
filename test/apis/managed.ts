import { expect } from 'vitest'
import type { RunningPostern } from '../support/running-postern.ts'
import type { Gathered } from './leaks.ts'

export interface MadeKey { readonly id: string; readonly key: string }

/** Managed keys as an operator of one config handles them: other processes, while Postern runs. */
export interface ManagedKeys {
  readonly create: (...options: readonly string[]) => Promise<MadeKey>
  readonly rotate: (id: string, ...options: readonly string[]) => Promise<MadeKey & { readonly replaces: string }>
  readonly revoke: (id: string) => Promise<void>
  /** What `keys list --json` printed. */
  readonly list: () => Promise<{ text: string; items: Record<string, unknown>[] }>
}

export function managedKeys({ postern, config, gathered }: { postern: () => RunningPostern; config: string; gathered: Gathered }): ManagedKeys {
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await postern().command('keys', ...args, '--config', config, '--json')
    expect([code, stderr]).toEqual([0, ''])
    return stdout
  }
  const made = <T extends MadeKey>(text: string): T => {
    const answer = JSON.parse(text) as T
    gathered.secret(answer.key)
    return answer
  }
  return {
    create: async (...options) => made(await run('create', ...options)),
    rotate: async (id, ...options) => made(await run('rotate', id, ...options)),
    revoke: async (id) => void (await run('revoke', id)),
    list: async () => {
      const text = await run('list')
      return { text, items: (JSON.parse(text) as { items: Record<string, unknown>[] }).items }
    },
  }
}

export interface AdminAnswer { readonly status: number; readonly text: string; readonly body: Record<string, unknown> }

/** One request to the admin API. */
export async function admin(postern: RunningPostern, token: string, [method, path, body]: readonly [method: string, path: string, body?: unknown]): Promise<AdminAnswer> {
  const answer = await fetch(`${postern.adminUrl}${path}`, { method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const text = await answer.text()
  return { status: answer.status, text, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) }
}
