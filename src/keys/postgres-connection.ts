import type { PostgresType, Sql } from 'postgres'

/** `bigint` columns hold instants and counts, far below 2^53. */
type Numbers = { bigint: PostgresType<number> }

export type PostgresSql = Sql<{ bigint: number }>

/** A connection that comes up with the first statement, and again with the next one after it was dropped. */
export interface PostgresConnection {
  readonly sql: () => Promise<PostgresSql>
  /** Drops every connection with all that waits on them. */
  readonly drop: () => void
  readonly close: () => Promise<void>
}

const CONNECT_TIMEOUT_S = 2
const CONNECTIONS = 4

/** The library is loaded only by who has such a store. */
async function open(url: string): Promise<PostgresSql> {
  const { default: postgres } = await import('postgres')
  return postgres<Numbers>(url, {
    max: CONNECTIONS,
    connect_timeout: CONNECT_TIMEOUT_S,
    backoff: () => 0.1,
    // A transaction pooler in between gives each statement another session.
    prepare: false,
    fetch_types: false,
    onnotice: () => undefined,
    connection: { application_name: 'postern' },
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  })
}

export function createPostgresConnection(url: string): PostgresConnection {
  let current: Promise<PostgresSql> | undefined
  let closed = false
  const end = async (opened: Promise<PostgresSql> | undefined): Promise<void> => {
    const sql = await opened?.catch(() => undefined)
    await sql?.end({ timeout: 0 }).catch(() => undefined)
  }
  return {
    sql: () => {
      if (closed) return Promise.reject(new Error('closed'))
      current ??= open(url)
      return current
    },
    drop: () => {
      void end(current)
      current = undefined
    },
    close: () => {
      closed = true
      return end(current)
    },
  }
}
