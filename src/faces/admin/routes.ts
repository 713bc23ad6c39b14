import { OPERATIONS } from './openapi.ts'

/** A request that the admin listener takes, as a route of the pipe. */
export interface AdminRoute {
  /** Its name in audit and metrics: `admin:listKeys`, `admin:page-keys`. */
  readonly id: string
  /** As routes of the config are written, with `{id}` for one segment. */
  readonly pattern: string
  readonly methods: readonly string[]
  /** What it needs: to look, to change something, or nothing. */
  readonly access: 'read' | 'write' | 'none'
  /** Whether the session of the page lets in, and nothing else does. */
  readonly page: boolean
}

const LOOK = ['GET', 'HEAD'] as const

/** A page to look at. */
const page = (path: string): AdminRoute => ({ id: `admin:page-${path.slice(1) || 'overview'}`, pattern: path, methods: LOOK, access: 'read', page: true })

/** A form of a page. */
const form = (id: string, pattern: string, access: AdminRoute['access'] = 'write'): AdminRoute => ({ id: `admin:page-${id}`, pattern, methods: ['POST'], access, page: true })

const ACTS_ON_KEYS = ['rotate', 'suspend', 'resume', 'revoke'] as const

/** The log-in is asked for with a credential, like the API. */
export const LOG_IN = 'admin:log-in'

export const API_ROUTES: readonly AdminRoute[] = OPERATIONS.map(({ id, path, method, access }) => ({
  id: `admin:${id}`, pattern: path, methods: method === 'get' ? LOOK : [method.toUpperCase()], access, page: false,
}))

export const PAGE_ROUTES: readonly AdminRoute[] = [
  ...['/', '/decisions', '/limits', '/config', '/audit', '/try', '/keys'].map(page),
  form('explain', '/try'),
  form('reset-limits', '/limits/reset'),
  form('create-key', '/keys'),
  ...ACTS_ON_KEYS.map((act) => form(`${act}-key`, `/keys/{id}/${act}`)),
  form('log-out', '/logout', 'read'),
  { id: 'admin:log-in-page', pattern: '/login', methods: LOOK, access: 'none', page: false },
  { id: LOG_IN, pattern: '/login', methods: ['POST'], access: 'read', page: false },
]

/** Paths as they are sent, and what they take. What comes after the pipe normalises paths, so the bytes are compared before it. */
export type PathTable = readonly (readonly [path: RegExp, methods: readonly string[]])[]

export const pathTable = (routes: readonly AdminRoute[]): PathTable =>
  [...new Set(routes.map(({ pattern }) => pattern))].map((pattern) => [
    new RegExp(`^${pattern.replaceAll('.', '\\.').replace('{id}', '[A-Za-z0-9_]{1,64}')}$`),
    routes.filter((route) => route.pattern === pattern).flatMap(({ methods }) => methods),
  ])
