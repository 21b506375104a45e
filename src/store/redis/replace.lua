-- Replaces records, each only if it still is what the caller read (an empty text: if there is none yet), and
-- brings what is derived from it up to date. Five keys each:
--   record, due, all, old status set, new status set
-- and five values, behind which come the changed secrets, two values each:
--   old text, new text, id, due score or nothing, number of changed secrets; field, sealed text or nothing...
-- A field that ends in * stands for all that begin like it; it can only be taken out.
local function take_out(record, field)
  if field:sub(-1) ~= '*' then return redis.call('HDEL', record, field) end
  local beginning = field:sub(1, -2)
  for _, name in ipairs(redis.call('HKEYS', record)) do
    if name:sub(1, #beginning) == beginning then redis.call('HDEL', record, name) end
  end
end

local replaced, at = {}, 1
for i = 0, #KEYS / 5 - 1 do
  local record, due, all, old_set, new_set = unpack(KEYS, i * 5 + 1, i * 5 + 5)
  local old, new, id, score, secrets = unpack(ARGV, at, at + 4)
  at = at + 5
  if (redis.call('HGET', record, 'record') or '') == old then
    -- Secrets that a removal in the middle of something left behind are not inherited.
    if old == '' then redis.call('DEL', record) end
    redis.call('HSET', record, 'record', new)
    for pair = 0, secrets - 1 do
      local field, sealed = ARGV[at + 2 * pair], ARGV[at + 2 * pair + 1]
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
  at = at + 2 * secrets
end
return replaced
