import { randomBytes, randomUUID } from 'node:crypto'

/** An account as GoTrue keeps it; what `GET /user` shows, plus the password. */
export interface Account {
  id: string
  email: string
  password: string
  role: string
  appMetadata: Record<string, unknown>
  userMetadata: Record<string, unknown>
  createdAt: string
  isAnonymous: boolean
  banned: boolean
}

interface RefreshToken { readonly value: string; readonly sessionId: string; usedAt?: number; child?: string }

export interface Refreshed { readonly account: Account; readonly sessionId: string; readonly refreshToken: string }

export type RefreshRefusal = 'refresh_token_not_found' | 'refresh_token_already_used' | 'user_banned'

export interface Accounts {
  readonly add: (account: Partial<Account>) => Account
  readonly byId: (id: string) => Account | undefined
  readonly remove: (id: string) => void
  readonly signIn: (email: string, password: string) => Refreshed | undefined
  readonly openSession: (account: Account) => Refreshed
  readonly refresh: (token: string, now: number) => Refreshed | RefreshRefusal
  readonly hasSession: (sessionId: string) => boolean
  readonly logout: (accountId: string, sessionId: string | undefined, scope: string) => void
}

/** A used refresh token may be presented again this long, because an answer can get lost on the way. */
const REUSE_INTERVAL_MS = 10_000

const newAccount = (account: Partial<Account>): Account => ({
  id: randomUUID(), email: 'dev@example.com', password: 'correct horse', role: 'authenticated', appMetadata: { provider: 'email', providers: ['email'] },
  userMetadata: {}, createdAt: '2025-01-01T00:00:00Z', isAnonymous: false, banned: false, ...account,
})

/** Users, sessions and single-use refresh tokens, with GoTrue's rotation and reuse detection. */
export function createAccounts(): Accounts {
  const accounts = new Map<string, Account>()
  const sessions = new Map<string, string>()
  const tokens = new Map<string, RefreshToken>()

  const issue = (sessionId: string): string => {
    const value = randomBytes(9).toString('base64url')
    tokens.set(value, { value, sessionId })
    return value
  }
  const accountOf = (sessionId: string): Account | undefined => accounts.get(sessions.get(sessionId) ?? '')
  const openSession = (account: Account): Refreshed => {
    const sessionId = randomUUID()
    sessions.set(sessionId, account.id)
    return { account, sessionId, refreshToken: issue(sessionId) }
  }

  return {
    add: (account) => {
      const added = newAccount(account)
      accounts.set(added.id, added)
      return added
    },
    byId: (id) => accounts.get(id),
    remove: (id) => accounts.delete(id),
    openSession,
    signIn: (email, password) => {
      const account = [...accounts.values()].find((candidate) => candidate.email.toLowerCase() === email.toLowerCase() && candidate.password === password)
      return account && openSession(account)
    },
    refresh: (value, now) => {
      const token = tokens.get(value)
      const account = token && accountOf(token.sessionId)
      if (!token || !account) return 'refresh_token_not_found'
      if (account.banned) return 'user_banned'
      if (token.usedAt === undefined) {
        token.usedAt = now
        token.child = issue(token.sessionId)
        return { account, sessionId: token.sessionId, refreshToken: token.child }
      }
      // Only the parent of the token that is current may come again, and only for a moment; otherwise somebody stole it.
      const child = tokens.get(token.child ?? '')
      if (child && child.usedAt === undefined && now - token.usedAt <= REUSE_INTERVAL_MS) return { account, sessionId: token.sessionId, refreshToken: child.value }
      sessions.delete(token.sessionId)
      return 'refresh_token_already_used'
    },
    hasSession: (sessionId) => sessions.has(sessionId),
    logout: (accountId, sessionId, scope) => {
      for (const [id, owner] of sessions) {
        const current = id === sessionId
        if (owner === accountId && (scope === 'global' || (scope === 'local' && current) || (scope === 'others' && !current))) sessions.delete(id)
      }
    },
  }
}
