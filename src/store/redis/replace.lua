-- Replaces records, each only if it still is what the caller read (an empty text: if there is none yet), and
-- brings what is derived from it up to date. Five keys each:
--   record, due, all, old status set, new status set
-- and five values, behind which come the changed secrets, three values each:
--   old text, new text, id, due score or nothing, number of changed secrets
--   field, the sealed text that it must be or nothing (whatever it is), the new one or nothing...
-- A field that ends in * stands for all that begin like it; it can only be taken out.
local function take_out(record, field)
  if field:sub(-1) ~= '*' then return redis.call('HDEL', record, field) end
  local beginning = field:sub(1, -2)
  for _, name in ipairs(redis.call('HKEYS', record)) do
    if name:sub(1, #beginning) == beginning then redis.call('HDEL', record, name) end
  end
end

local function is_as_read(record, old, first, last)
  if (redis.call('HGET', record, 'record') or '') ~= old then return false end
  for at = first, last, 3 do
    local field, seen = ARGV[at], ARGV[at + 1]
    if seen ~= '' and redis.call('HGET', record, field) ~= seen then return false end
  end
  return true
end

local replaced, at = {}, 1
for i = 0, #KEYS / 5 - 1 do
  local record, due, all, old_set, new_set = unpack(KEYS, i * 5 + 1, i * 5 + 5)
  local old, new, id, score, secrets = unpack(ARGV, at, at + 4)
  local first = at + 5
  local last = first + 3 * secrets - 1
  if is_as_read(record, old, first, last) then
    -- Secrets that a removal in the middle of something left behind are not inherited.
    if old == '' then redis.call('DEL', record) end
    redis.call('HSET', record, 'record', new)
    for secret = first, last, 3 do
      local field, sealed = ARGV[secret], ARGV[secret + 2]
      if sealed == '' then take_out(record, field) else redis.call('HSET', record, field, sealed) end
    end
    if old == '' then redis.call('SADD', all, id) end
    if old_set ~= new_set then redis.call('SREM', old_set, id) end
    redis.call('SADD', new_set, id)
    if score == '' then redis.call('ZREM', due, id) else redis.call('ZADD', due, score, id) end
    replaced[i + 1] = 1
  else
    replaced[i + 1] = 0
  end
  at = last + 1
end
return replaced
