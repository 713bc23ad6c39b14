/**
 * Moves the generation. A number alone would not do: after a failover that lost a write, the next one would give the number that a replica
 * has seen already, and it would go on believing what it remembers.
 */
const BUMP = `
local function bump(generation, token)
  local number = tonumber(string.match(redis.call('GET', generation) or '0', '^%d+')) or 0
  redis.call('SET', generation, string.format('%.0f', number + 1) .. '/' .. token)
end
`

/**
 * Writes all changes or none. The keys of one store share a hash tag, so that a cluster keeps them on one server, where a script is atomic.
 *
 * KEYS: rows, digests, order, bcrypt, generation. ARGV[1]: prefix of the lists by owner; ARGV[2]: channel; ARGV[3] to ARGV[5]: an owner, how
 * many working keys they may have before this (0: any number), and the instant at which that is judged; ARGV[6]: a text that was never used
 * before; then for each change its kind, id, version, digest, algorithm, whether revoked, owner and row.
 *
 * Everything is checked before anything is written: Redis does not roll back.
 */
export const COMMIT_SCRIPT = `${BUMP}
local rows, digests, order, bcrypt, generation = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local changes, taken, made, before = {}, {}, {}, {}
local max, now = tonumber(ARGV[4]), tonumber(ARGV[5])
local function past(instant) return type(instant) == 'number' and instant <= now end
if max > 0 then
  local working = 0
  for _, id in ipairs(redis.call('ZRANGE', ARGV[1] .. ARGV[3], 0, -1)) do
    local row = cjson.decode(redis.call('HGET', rows, id))
    if type(row.revoked_at) ~= 'number' and not past(row.overlap_ends_at) and not past(row.expires_at) then working = working + 1 end
  end
  if working >= max then return 'full' end
end
for at = 7, #ARGV, 8 do
  local c = { kind = ARGV[at], id = ARGV[at + 1], version = tonumber(ARGV[at + 2]), digest = ARGV[at + 3], alg = ARGV[at + 4], revoked = ARGV[at + 5], owner = ARGV[at + 6], row = ARGV[at + 7] }
  local known = redis.call('HGET', rows, c.id)
  local holder = taken[c.digest] or redis.call('HGET', digests, c.digest)
  if c.kind == 'insert' then
    if known or made[c.id] or holder then return 'conflict' end
    made[c.id] = true
  else
    if not known then return 'conflict' end
    local old = cjson.decode(known)
    if old.version ~= c.version or before[c.id] or (holder and holder ~= c.id) then return 'conflict' end
    before[c.id] = old
  end
  taken[c.digest] = c.id
  changes[#changes + 1] = c
end
for _, c in ipairs(changes) do
  local old = before[c.id]
  if old and old.digest ~= c.digest then redis.call('HDEL', digests, old.digest) end
  redis.call('HSET', digests, c.digest, c.id)
  redis.call('HSET', rows, c.id, c.row)
  if not old then
    local seq = redis.call('ZCARD', order) + 1
    redis.call('ZADD', order, seq, c.id)
    redis.call('ZADD', ARGV[1] .. c.owner, seq, c.id)
  end
  if c.alg == 'bcrypt' and c.revoked == '0' then redis.call('ZADD', bcrypt, redis.call('ZSCORE', order, c.id), c.id) else redis.call('ZREM', bcrypt, c.id) end
end
bump(generation, ARGV[6])
redis.call('PUBLISH', ARGV[2], '')
return 'committed'
`

/** KEYS: rows, last uses, counts. ARGV: id, instant, count, and so on. Unknown ids are ignored; no last use moves back. */
export const TOUCH_SCRIPT = `
for at = 1, #ARGV, 3 do
  if redis.call('HEXISTS', KEYS[1], ARGV[at]) == 1 then
    if tonumber(redis.call('HGET', KEYS[2], ARGV[at]) or '0') < tonumber(ARGV[at + 1]) then redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1]) end
    redis.call('HINCRBY', KEYS[3], ARGV[at], ARGV[at + 2])
  end
end
`

/** KEYS: denials, their ends, generation. ARGV: before when entries are forgotten, channel, a new text, then name, end and entry, and so on. */
export const DENY_SCRIPT = `${BUMP}
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
for _, name in ipairs(old) do
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
end
for at = 4, #ARGV, 3 do
  redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 2])
  redis.call('ZADD', KEYS[2], ARGV[at + 1], ARGV[at])
end
bump(KEYS[3], ARGV[3])
redis.call('PUBLISH', ARGV[2], '')
`

/** By digest, the earlier one first, then what was counted of it. KEYS: rows, digests, last uses, counts. */
export const FIND_SCRIPT = `
for _, digest in ipairs(ARGV) do
  local id = redis.call('HGET', KEYS[2], digest)
  local row = id and redis.call('HGET', KEYS[1], id)
  if row and cjson.decode(row).alg == 'hmac-sha256' then return { row, redis.call('HGET', KEYS[3], id), redis.call('HGET', KEYS[4], id) } end
end
return false
`

/** What a user needs to be allowed, those that the scripts call and those that connecting takes included; for the page of operators. */
export const REDIS_COMMANDS: readonly string[] = [
  'eval', 'evalsha', 'get', 'set', 'hget', 'hmget', 'hset', 'hdel', 'hexists', 'hincrby', 'zadd', 'zrem', 'zcard', 'zscore', 'zrange', 'zrangebyscore', 'publish', 'subscribe',
  'auth', 'hello', 'select', 'info', 'client|setname',
]
