-- Ends a rebuild: the new meta takes the place of the one that carries the mark, and
-- with it the new counters that of the old ones, which are left for trimming.
-- KEYS: meta, old, the old log. ARGV: the mark, the new meta, the names of the old and
-- of the new counters.
local meta = redis.call('GET', KEYS[1])
if not meta or string.sub(meta, 33, 40) ~= ARGV[1] then return 0 end
if string.format('%08x', (struct.unpack('<I4', meta, 17))) ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SADD', KEYS[2], ARGV[3])
redis.call('SREM', KEYS[2], ARGV[4])
redis.call('UNLINK', KEYS[3])
return 1
