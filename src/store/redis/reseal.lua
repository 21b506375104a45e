-- Replaces sealed secrets, each only if it still is what the caller read; nothing in the place of a text takes it out.
-- Keys: records. Values, for each record: number of secrets; field, old text, new text...
-- Answers how many were replaced.
local replaced, at = 0, 1
for _, record in ipairs(KEYS) do
  local secrets = ARGV[at]
  at = at + 1
  for _ = 1, secrets do
    local field, old, new = unpack(ARGV, at, at + 2)
    at = at + 3
    if redis.call('HGET', record, field) == old then
      if new == '' then redis.call('HDEL', record, field) else redis.call('HSET', record, field, new) end
      replaced = replaced + 1
    end
  end
end
return replaced
