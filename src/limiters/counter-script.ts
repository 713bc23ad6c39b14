import { createHash } from 'node:crypto'

/** Lua that runs in the store, and the digest that it is called by. */
export interface StoreScript {
  readonly lua: string
  readonly sha1: string
}

const scriptOf = (lua: string): StoreScript => ({ lua, sha1: createHash('sha1').update(lua).digest('hex') })

/**
 * Shared by both scripts. ARGV[1] is a number that the answer repeats, so that an answer can never be taken for that of another call
 * (go-redis CVE-2025-29923, redis-py CVE-2023-28859). ARGV[2] is the time in milliseconds, or 0 for the clock of the store. Every further
 * argument is one charge: `key cost algorithm quota window more field`, where `more` is `-` or `burst,backoff,shadow,token`: most have none of it.
 */
const READ = `
local now = tonumber(ARGV[2])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local charges, fields, counters = {}, {}, {}
for i = 3, #ARGV do
  local key, cost, algorithm, quota, window, more, field = string.match(ARGV[i], '^(%d+) (%d+) (%a+) (%d+) (%d+) (%S+) (.*)$')
  if not key then return redis.error_reply('POSTERN malformed charge') end
  key = tonumber(key)
  local c = { key = key, cost = tonumber(cost), algorithm = algorithm, quota = tonumber(quota), window = tonumber(window), burst = 0, backoff = 0, shadow = false, token = 0, field = field }
  if more ~= '-' then
    local burst, backoff, shadow, token = string.match(more, '^(%d+),(%d+),([01]),(%d+)$')
    if not burst then return redis.error_reply('POSTERN malformed charge') end
    c.burst, c.backoff, c.shadow, c.token = tonumber(burst), tonumber(backoff), shadow == '1', tonumber(token)
  end
  charges[i - 2] = c
  local of = fields[key]
  if not of then of = {}; fields[key] = of end
  of[#of + 1] = field
end
for key, names in pairs(fields) do
  local values = redis.call('HMGET', KEYS[key], unpack(names))
  local known = {}
  for i, name in ipairs(names) do
    if values[i] then
      local started, used, previous = string.match(values[i], '^(%d+) (%d+) (%d+)$')
      if not started then return redis.error_reply('POSTERN malformed counter') end
      known[name] = { tonumber(started), tonumber(used), tonumber(previous) }
    end
  end
  counters[key] = known
end
local function length(c, strikes)
  if c.backoff == 0 then return c.window end
  return math.max(math.min(c.window * 2 ^ strikes, c.backoff), c.window)
end
local function strikeEnds(c, counter)
  return counter[1] + length(c, counter[3]) + length(c, counter[3] + 1)
end
-- Of one field written twice the last value stays, so changes are simply listed by key.
local arguments, lives = {}, {}
local function change(c, counter, startedBefore)
  local list = arguments[c.key]
  if not list then list = {}; arguments[c.key] = list; lives[c.key] = 0 end
  local size = #list
  list[size + 1] = c.field
  list[size + 2] = string.format('%d %d %d', counter[1], counter[2], counter[3])
  -- The key lives as long as its longest window, and only a window that opens (or a bucket that fills) can make that longer.
  if c.algorithm == 'gcra' or startedBefore ~= counter[1] then
    local over = counter[1] + c.window
    if c.algorithm == 'gcra' then over = counter[1] + math.ceil(counter[2] / c.quota)
    elseif c.algorithm == 'sliding' then over = over + c.window
    elseif c.backoff > 0 then over = strikeEnds(c, counter) end
    lives[c.key] = math.max(lives[c.key], over - now, 1)
  end
end
local function write()
  for key, list in pairs(arguments) do
    redis.call('HSET', KEYS[key], unpack(list))
    local ttl = lives[key]
    if ttl > 0 and redis.call('PTTL', KEYS[key]) < ttl then redis.call('PEXPIRE', KEYS[key], string.format('%d', ttl)) end
  end
end
`

/**
 * Spends all charges or none. The arithmetic is that of windows.ts, on the same doubles; a property test holds the two against each
 * other. The answer is one text, since integers near 2^53 and doubles are where clients go wrong: `number spent`, then for each charge
 * `fits remaining resetsIn retryIn token`, separated by `;`.
 */
const CHARGE = `
local NEW = { 0, 0, 0 }
local function try(c, counter)
  local wanted = math.max(c.cost, 1)
  if c.algorithm == 'gcra' then
    local at = math.max(now, counter[1])
    local backlog = math.max(counter[2] - c.quota * (at - counter[1]), 0)
    local room = c.burst * c.window - backlog
    local fits = wanted * c.window <= room
    local after = backlog
    if fits then after = after + c.cost * c.window end
    return fits, math.max(math.floor((c.burst * c.window - after) / c.window), 0), at + math.ceil(after / c.quota),
      at + math.max(math.ceil((wanted * c.window - room) / c.quota), 0), { at, backlog + c.cost * c.window, 0 }
  end
  if c.algorithm == 'sliding' then
    local started = math.max(now - now % c.window, counter[1])
    local used, previous = 0, 0
    if counter[1] == started then used, previous = counter[2], counter[3]
    elseif counter[1] == started - c.window then previous = counter[2] end
    local elapsed = math.max(now - started, 0)
    local weighed = used + math.ceil(previous * (c.window - elapsed) / c.window)
    local fits = weighed + wanted <= c.quota
    local free, retry = c.quota - wanted, started + 2 * c.window
    if free >= 0 then
      if used > free then retry = retry - math.floor(free * c.window / used)
      elseif previous == 0 then retry = started
      else retry = started + c.window - math.floor((free - used) * c.window / previous) end
    end
    local left = c.quota - weighed
    if fits then left = left - c.cost end
    return fits, math.max(left, 0), started + c.window, retry, { started, used + c.cost, previous }
  end
  local started, used, strikes = counter[1], counter[2], counter[3]
  if c.algorithm == 'calendar' then
    local aligned = now - now % c.window
    if started < aligned then started, used, strikes = aligned, 0, 0 end
  elseif not (started > 0 and now < started + length(c, strikes)) then
    if c.backoff > 0 and used >= c.quota and now < strikeEnds(c, counter) then strikes = math.min(strikes + 1, 30) else strikes = 0 end
    started, used = now, 0
  end
  local fits = used + wanted <= c.quota
  local left = c.quota - used
  if fits then left = left - c.cost end
  local resets = started + length(c, strikes)
  return fits, math.max(left, 0), resets, resets, { started, used + c.cost, strikes }
end

local fits, remaining, resets, retry, after, before, spent = {}, {}, {}, {}, {}, {}, true
for i, c in ipairs(charges) do
  local known = counters[c.key]
  local counter = known[c.field]
  before[i] = counter and counter[1] or 0
  fits[i], remaining[i], resets[i], retry[i], after[i] = try(c, counter or NEW)
  -- A later charge of the same call sees what this one took; should another refuse, nothing of it is written.
  if fits[i] then known[c.field] = after[i] elseif not c.shadow then spent = false end
end
if spent then
  for i, c in ipairs(charges) do
    if c.cost > 0 and fits[i] then change(c, after[i], before[i]) end
  end
  write()
end
local answer = { ARGV[1] .. (spent and ' 1' or ' 0') }
for i, c in ipairs(charges) do
  local left = remaining[i]
  if fits[i] and not spent then left = left + c.cost end
  answer[i + 1] = string.format('%d %d %d %d %d', fits[i] and 1 or 0, left, resets[i] - now, retry[i] - now, after[i][1])
end
return table.concat(answer, ';')
`

/**
 * Gives back what a call took that another shard refused. Only from the very window it was taken from, and of a bucket only what cannot
 * have leaked since: giving back too much would admit too much.
 */
const GIVE_BACK = `
for i, c in ipairs(charges) do
  local counter = counters[c.key][c.field]
  if counter then
    if c.algorithm == 'gcra' then
      counter[2] = math.max(counter[2] - math.max(c.cost * c.window - c.quota * math.max(now - c.token, 0), 0), 0)
    elseif counter[1] == c.token then
      counter[2] = math.max(counter[2] - c.cost, 0)
    elseif c.algorithm == 'sliding' and counter[1] - c.window == c.token then
      counter[3] = math.max(counter[3] - c.cost, 0)
    end
    change(c, counter, counter[1])
  end
end
write()
return ARGV[1] .. ' 1'
`

export const CHARGE_SCRIPT: StoreScript = scriptOf(READ + CHARGE)
export const GIVE_BACK_SCRIPT: StoreScript = scriptOf(READ + GIVE_BACK)
