-- Lets a run go to a host, or says why not. Keys: state, runs, open, held, pause of the run's login.
-- Arguments: run, lease (ms), concurrency (0: any), interval between starts (ms, 0: any), longest own wait (ms),
--   name, id
-- The time is the server's, so that the clocks of the nodes need not agree.
if redis.replicate_commands then redis.replicate_commands() end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local run, lease, concurrency, interval = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local fields = redis.call('HMGET', KEYS[1], 'open_until', 'trial', 'since', 'error', 'retry_at', 'retry_error', 'next',
  'only', 'retry_since')
local open_until, trial, retry_at = tonumber(fields[1]), fields[2], tonumber(fields[5])

-- What only one node has met may be its own trouble: the others go on.
if (fields[8] or '') ~= '' and fields[8] ~= string.match(run, '^[^:/]*') then open_until = nil end

local function held(reason, wait, error, since)
  redis.call('ZADD', KEYS[4], now, ARGV[7])
  redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -1001)
  redis.call('HSET', KEYS[1], 'name', ARGV[6])
  redis.call('PEXPIRE', KEYS[1], 86400000)
  return { reason, wait, since or 0, error or '' }
end

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if open_until then
  -- When it is over, one run may try; if that one dies, another.
  local tried = trial and trial ~= run and redis.call('ZSCORE', KEYS[2], trial)
  if now < open_until or tried then
    return { 'open', math.max(open_until - now, 1000), now - (tonumber(fields[3]) or now), fields[4] or '' }
  end
end
if retry_at and now < retry_at then
  return held('retry_after', retry_at - now, fields[6], now - (tonumber(fields[9]) or now))
end
local asked = redis.call('PTTL', KEYS[5])
if asked > 0 then return held('retry_after', asked, redis.call('GET', KEYS[5])) end
if concurrency > 0 and redis.call('ZCARD', KEYS[2]) >= concurrency and not redis.call('ZSCORE', KEYS[2], run) then
  return held('full', 0)
end
local wait = 0
if interval > 0 then
  local next = math.max(tonumber(fields[7]) or 0, now)
  wait = math.ceil(next - now)
  if wait > tonumber(ARGV[5]) then return held('rate', wait) end
  redis.call('HSET', KEYS[1], 'next', next + interval)
  redis.call('PEXPIRE', KEYS[1], 86400000)
end
redis.call('ZADD', KEYS[2], now + wait + lease, run)
redis.call('PEXPIRE', KEYS[2], 2 * lease + wait)
if open_until then redis.call('HSET', KEYS[1], 'trial', run) end
return { 'in', wait, 0, '' }
