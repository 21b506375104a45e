-- Replaces records, each only if it still is what the caller read (an empty text: if there is none yet), and
-- brings what is derived from it up to date. Five keys and five values each:
--   record, due, all, old status set, new status set;
--   old text, new text, id, due score or nothing, and for the login: keep, clear, or what it is from now on
local replaced = {}
for i = 0, #KEYS / 5 - 1 do
  local record, due, all, old_set, new_set = unpack(KEYS, i * 5 + 1, i * 5 + 5)
  local old, new, id, score, login = unpack(ARGV, i * 5 + 1, i * 5 + 5)
  if (redis.call('HGET', record, 'record') or '') == old then
    redis.call('HSET', record, 'record', new)
    if login == 'clear' then redis.call('HDEL', record, 'login')
    elseif login ~= 'keep' then redis.call('HSET', record, 'login', login) end
    if old == '' then redis.call('SADD', all, id) end
    if old_set ~= new_set then redis.call('SREM', old_set, id) end
    redis.call('SADD', new_set, id)
    if score == '' then redis.call('ZREM', due, id) else redis.call('ZADD', due, score, id) end
    replaced[i + 1] = 1
  else
    replaced[i + 1] = 0
  end
end
return replaced
