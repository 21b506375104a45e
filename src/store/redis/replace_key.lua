-- Records another key as the one in use, if it still is the one that the caller read.
-- Key: the record. Values: the id that was read, the one that takes its place.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
