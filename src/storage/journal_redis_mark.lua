#!lua flags=allow-oom
-- Closes a shard, also without memory. KEYS: meta. ARGV: the mark, "1" if it replaces
-- another one, and the meta of a shard that does not exist yet.
local meta = redis.call('GET', KEYS[1])
if not meta then
    redis.call('SET', KEYS[1], ARGV[3])
elseif ARGV[2] == '1' or string.sub(meta, 33, 40) == string.rep('\0', 8) then
    redis.call('SETRANGE', KEYS[1], 32, ARGV[1])
end
return 1
