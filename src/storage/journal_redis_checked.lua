#!lua flags=allow-oom
-- Enters a run if the one before is still there. KEYS: meta. ARGV: before, run.
-- Also without memory, of which it takes none: what is not checked is not trimmed.
local meta = redis.call('GET', KEYS[1])
if not meta or string.sub(meta, 41, 48) ~= ARGV[1] then return 0 end
redis.call('SETRANGE', KEYS[1], 40, ARGV[2])
return 1
