/**
 * The layout in PostgreSQL 12 or newer. Safe to run twice, and by two at once. The role that Postern runs as needs neither to own nor to
 * alter any of it: SELECT, INSERT and UPDATE on the tables, and DELETE on `postern_denials`.
 */
export const POSTGRES_SCHEMA_VERSION = 1

/** Held while migrating: `CREATE TABLE IF NOT EXISTS` alone fails when two sessions find it missing at once. */
const LOCK = 5_067_011

export const POSTGRES_SCHEMA: readonly string[] = [
  `SELECT pg_advisory_xact_lock(${LOCK})`,
  `CREATE TABLE IF NOT EXISTS postern_keys (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE, alg text NOT NULL, digest text NOT NULL UNIQUE, pepper_id text NOT NULL,
    prefix text NOT NULL, last4 text NOT NULL, owner text NOT NULL, email text, tier text, status text NOT NULL,
    scopes text NOT NULL, roles text NOT NULL, name text, notes text,
    created_at bigint NOT NULL, expires_at bigint, revoked_at bigint,
    replaced_by text, replaces text, overlap_ends_at bigint, environment text,
    allowed_networks text NOT NULL, limits text NOT NULL, last_used_at bigint, uses bigint NOT NULL, version bigint NOT NULL
  )`,
  'CREATE INDEX IF NOT EXISTS postern_keys_by_owner ON postern_keys (owner, seq)',
  "CREATE INDEX IF NOT EXISTS postern_keys_bcrypt ON postern_keys (seq) WHERE alg = 'bcrypt' AND revoked_at IS NULL",
  `CREATE TABLE IF NOT EXISTS postern_denials (
    authenticator text NOT NULL, kind text NOT NULL, value text NOT NULL, until bigint NOT NULL, issued_before bigint,
    PRIMARY KEY (authenticator, kind, value)
  )`,
  // One row. Its epoch tells one life of the table from another, such as a restored dump that counts from an earlier number.
  'CREATE TABLE IF NOT EXISTS postern_generation (epoch text NOT NULL, generation bigint NOT NULL, layout integer NOT NULL)',
  `INSERT INTO postern_generation SELECT md5(random()::text || clock_timestamp()::text), 0, ${POSTGRES_SCHEMA_VERSION} WHERE NOT EXISTS (SELECT 1 FROM postern_generation)`,
]

/** What the role that Postern runs as is given, for the operator to read or to run. */
export const grantsFor = (role: string): readonly string[] => [
  `GRANT SELECT, INSERT, UPDATE ON postern_keys TO ${quoted(role)}`,
  `GRANT SELECT, UPDATE ON postern_generation TO ${quoted(role)}`,
  `GRANT SELECT, INSERT, UPDATE, DELETE ON postern_denials TO ${quoted(role)}`,
]

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
