-- Removes a mirror and all that is derived from it: record, due, all, status sets...; id
local existed = redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
for i = 3, #KEYS do
  redis.call('SREM', KEYS[i], ARGV[1])
end
return existed
