-- Removes a slice of what nobody needs any more: entries, keys and producers whose time
-- is over. The last entry stays, so that the last name is also found in the log.
-- KEYS: meta, log, producers, keys, expiry, old. ARGV: the name of the counters that the
-- log is of, up to which seq, records and keys of a slice.
-- Answers with {1: call again, how many old counters are to be removed}; or {-1}: the
-- log has another name by now.

local call, pack, unpack_bytes, sub = redis.call, struct.pack, struct.unpack, string.sub
local KEEP_US = 86400000000

local meta = call('GET', KEYS[1])
if not meta then return {0, 0} end
if string.format('%08x', (unpack_bytes('<I4', meta, 17))) ~= ARGV[1] then return {-1} end
local upto, slice, slice_keys = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local last_seq, last_time, _, bytes, trimmed_seq, trimmed_bytes, producers_due =
    unpack_bytes('<I8I8I8I8I8I8I8', meta, 65)
local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
if now < last_time then now = last_time end
local over = now - KEEP_US
local more = false
local kept = sub(meta, 97)

-- ---- entries ----

-- The first entry that ends after seq: its first seq, its last, and the bytes before it.
local function entry_after(seq)
    local found = call('XRANGE', KEYS[2], string.format('%.0f', seq + 1), '+', 'COUNT', 1)[1]
    if not found then return nil end
    local ends = tonumber(string.match(found[1], '^%d+'))
    local before, count = unpack_bytes('<I8I4', found[2][2], 49)
    return ends - count + 1, ends, before
end

local function entries_trim()
    if upto <= trimmed_seq or last_seq <= trimmed_seq then return end
    local target = math.min(upto, trimmed_seq + slice)
    local first, ends, before = entry_after(target)
    if first and first == trimmed_seq + 1 and ends <= upto then -- one that is larger than a slice
        target = ends
        first, ends, before = entry_after(target)
    end
    if first then
        trimmed_seq, trimmed_bytes = math.max(first - 1, trimmed_seq), before
        more = ends <= upto
        call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', first))
    elseif target >= last_seq then
        trimmed_seq, trimmed_bytes = last_seq, bytes
        call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', last_seq))
    end
end

-- ---- keys ----

local function keys_expire()
    local oldest = call('LINDEX', KEYS[5], 0)
    if not oldest or unpack_bytes('<I8', oldest) > over then return end
    local names, times = {}, {}
    for i, item in ipairs(call('LRANGE', KEYS[5], 0, slice_keys - 1)) do
        if unpack_bytes('<I8', item) > over then break end
        times[i], names[i] = sub(item, 1, 8), sub(item, 9)
    end
    call('LTRIM', KEYS[5], #names, -1)
    local removed = {}
    for i, value in ipairs(call('HMGET', KEYS[4], unpack(names))) do
        -- It may have been used anew since.
        if value and sub(value, 17, 24) == times[i] then removed[#removed + 1] = names[i] end
    end
    if #removed > 0 then call('HDEL', KEYS[4], unpack(removed)) end
    more = more or #names == slice_keys
end

-- ---- producers ----

-- All are looked at once the oldest of them may be over; the last one stays.
local function producers_expire()
    if over < producers_due then return end
    local all, removed = call('HGETALL', KEYS[3]), {}
    local oldest, newest = now, 0
    for i = 2, #all, 2 do newest = math.max(newest, (unpack_bytes('<I8', all[i], 9))) end
    for i = 2, #all, 2 do
        local time = unpack_bytes('<I8', all[i], 9)
        if time <= over and time < newest and #removed < 1000 then
            removed[#removed + 1] = all[i - 1]
        else
            oldest = math.min(oldest, time)
        end
    end
    if #removed > 0 then call('HDEL', KEYS[3], unpack(removed)) end
    -- The newest of a shard that nobody writes to is not looked at each time.
    producers_due = oldest <= over and #removed < 1000 and now - KEEP_US / 2 or oldest
end

entries_trim()
keys_expire()
producers_expire()
local tail = pack('<I8I8I8', trimmed_seq, trimmed_bytes, producers_due)
if tail ~= kept then call('SETRANGE', KEYS[1], 96, tail) end
local closed = sub(meta, 33, 40) ~= string.rep('\0', 8)
return {more and 1 or 0, closed and 0 or call('SCARD', KEYS[6])}
