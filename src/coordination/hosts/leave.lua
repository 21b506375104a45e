-- A run leaves a host, and tells how it found it. Keys: state, runs, open, held, pause of the run's login.
-- Arguments: run, answered | failed | doubted | nothing, error, failures that open, pause (ms), longest pause (ms),
--   time for which the host wants to be left alone (ms, 0: none), name, id, by whom (all | login), longest such time (ms)
-- Answers 1 if the host is given up by this, 2 if it is back, else 0.
if redis.replicate_commands then redis.replicate_commands() end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local run, found = ARGV[1], ARGV[2]
local pause, longest, alone = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
redis.call('ZREM', KEYS[2], run)
local fields = redis.call('HMGET', KEYS[1], 'trial', 'open_until', 'pause', 'failures', 'retry_at', 'only')
local node = string.match(run, '^[^:/]*')
local trying, open_until = fields[1] == run, fields[2]
local changed = 0

if found == 'answered' then
  -- Also where its state was forgotten meanwhile.
  redis.call('ZREM', KEYS[3], ARGV[9])
  if open_until or fields[4] then
    redis.call('HDEL', KEYS[1], 'failures', 'since', 'error', 'open_until', 'pause', 'trial', 'only', 'retry_since')
    if open_until then changed = 2 end
  end
elseif found == 'failed' or found == 'doubted' then
  local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
  -- What may be one node's own trouble is that node's alone until another meets it, too.
  local only = fields[6] or (failures == 1 and node)
  if found == 'failed' or only ~= node then only = '' end
  redis.call('HSET', KEYS[1], 'only', only)
  redis.call('HSETNX', KEYS[1], 'since', now)
  redis.call('HMSET', KEYS[1], 'error', ARGV[3], 'name', ARGV[8])
  if trying or (not open_until and failures >= tonumber(ARGV[4])) then
    if trying then pause = math.min(2 * (tonumber(fields[3]) or pause), longest) end
    redis.call('HMSET', KEYS[1], 'pause', pause, 'open_until', now + pause)
    redis.call('HDEL', KEYS[1], 'trial')
    redis.call('ZADD', KEYS[3], now + pause, ARGV[9])
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - 86400000)
    redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1001)
    if not open_until then changed = 1 end
  end
elseif trying then
  redis.call('HDEL', KEYS[1], 'trial')
end
if alone > 0 and ARGV[10] == 'login' then
  if redis.call('PTTL', KEYS[5]) < alone then redis.call('SET', KEYS[5], ARGV[3], 'PX', alone) end
elseif alone > 0 then
  local before = tonumber(fields[5]) or 0
  -- A host that asks again soon after is still the same trouble.
  if before + tonumber(ARGV[11]) < now then redis.call('HDEL', KEYS[1], 'retry_since') end
  redis.call('HSETNX', KEYS[1], 'retry_since', now)
  if now + alone > before then
    redis.call('HMSET', KEYS[1], 'retry_at', now + alone, 'retry_error', ARGV[3], 'name', ARGV[8])
  end
  redis.call('PEXPIRE', KEYS[1], 86400000)
end
if found == 'failed' or found == 'doubted' then redis.call('PEXPIRE', KEYS[1], 86400000) end
return changed
