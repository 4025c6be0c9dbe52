-- An append: checked as a whole, then written as a whole. Redis runs it alone, so
-- what was read stays true until the end; it takes nothing back, so whatever may be
-- refused is refused before the first write, and the first write is the one that
-- Redis itself may refuse (no memory, no replica, the disk).
--
-- All that is known of an application and its chats is read once, changed here in
-- tables, and written once. Lists are packed into one string and taken apart in
-- one call. What C knows as 64 bits and nobody counts with (epoch, run, producer,
-- ids) stays 8 bytes; Lua's numbers are exact up to 2^53.
--
-- KEYS  meta, log, producers, keys, expiry, then a hash for each application
-- ARGV  1 who and what (see the unpacking below)   2 type of each group, a byte
--       3 for each group its application and chat (from 1; 0: no chat that can be)
--       4 count of each group   5 bytes of each group   6 the groups, one after the other
--       7 for each application how many chats follow
--       8 for each group: number, last number (or empty, if only creations)
--       9 for each group whether it has a key (or empty)   10 their request hashes
--       then the chats' numbers, then the keys
-- Answers with a number, the status of a batch that was refused, or with the last
-- seq and the stored reply (journal_redis_append.c reads it).
--
-- journal_redis.h has the layouts of what is kept.

local call, pack, unpack_bytes = redis.call, struct.pack, struct.unpack
local sub, byte, rep = string.sub, string.byte, string.rep

-- As in common/status.h; journal_redis_append.c asserts that they are the same.
local OK, NO_APPLICATION, NO_CHAT, NO_MESSAGE = 0, 1, 2, 3
local KEY_REUSED, KEYS_FULL, BACKLOG_FULL, OVERLOADED = 5, 6, 7, 8
local CLOSED, EPOCH, UNCHECKED, SEQUENCE, DATA, EXISTS = 11, 12, 13, 14, 22, 23
local REPLAYED = 128

-- As in common/record.h.
local APPLICATION_CREATED, CHAT_CREATED, MESSAGE_CREATED = 1, 2, 3
local APPLICATION_RENAMED, CHAT_RENAMED, MESSAGE_EDITED = 4, 5, 6
local APPLICATION_DELETED, CHAT_DELETED, MESSAGE_DELETED = 7, 8, 9
local APPLICATION_IMPORTED, CHAT_IMPORTED, MESSAGE_IMPORTED, IMPORT_ENDED = 10, 11, 12, 13

local IMPORTING, THERE, DELETED = 0, 1, 2
local NUMBER_MAX, EXACT_MAX = 4294967295, 9007199254740992
local KEEP_US, KEYS_EXPIRE, ZERO = 86400000000, 4, rep('\0', 8)

-- ---- the batch, and whether it is taken at all ----

local who = ARGV[1]
local run, epoch, producer, mark = sub(who, 1, 8), sub(who, 9, 16), sub(who, 17, 24), sub(who, 25, 32)
local sequence, keys_max, records_max, bytes_max, n, apps_n, slots_n, generation =
    unpack_bytes('<I8I8I8I8I4I4I4I4', who, 33)

local meta = call('GET', KEYS[1])
if not meta then return EPOCH end
if #meta ~= 120 then return redis.error_reply('CONFAB the shard\'s meta has another layout') end
if sub(meta, 33, 40) ~= ZERO then return CLOSED end
if sub(meta, 25, 32) ~= epoch then return EPOCH end
if sub(meta, 41, 48) ~= run then return UNCHECKED end
local shards, shard, meta_generation = unpack_bytes('<I4I4I4', meta, 9)
if meta_generation ~= generation then return EPOCH end
local last_seq, last_time, application_change, bytes, trimmed_seq, trimmed_bytes =
    unpack_bytes('<I8I8I8I8I8I8', meta, 65)

local known = call('HGET', KEYS[3], producer)
local known_sequence = known and unpack_bytes('<I8', known) or 0
if known and known_sequence == sequence then
    return pack('<I8', last_seq) .. sub(known, 17)
end
if sequence <= known_sequence then return SEQUENCE end
if sequence ~= known_sequence + 1 then
    call('SETRANGE', KEYS[1], 32, mark)
    return SEQUENCE
end
if records_max > 0 and last_seq - trimmed_seq >= records_max then return BACKLOG_FULL end
if bytes_max > 0 and bytes - trimmed_bytes >= bytes_max then return BACKLOG_FULL end

local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
if now < last_time then now = last_time end
local types = {byte(ARGV[2], 1, n)}
local import = types[1] >= APPLICATION_IMPORTED
-- An import tells times of its own, and leaves the shard's as it is.
local time = import and last_time > 0 and last_time or now

-- ---- what there is ----

-- Of each chat, by its place among all that the batch names: its last number, nil if
-- it is not there; the seq that it gets; whether it goes.
local last, imported, change, gone, chat_of = {}, {}, {}, {}, {}
local apps = {}

local at, slot = 11, 0
local slots_of = {unpack_bytes('<' .. rep('I2', apps_n), ARGV[7])}
for i = 1, apps_n do
    local count = slots_of[i]
    local key = KEYS[5 + i]
    local values = call('HMGET', key, 'a', unpack(ARGV, at, at + count - 1))
    local app = {key = key, from = slot, to = slot + count, at = at - slot - 1}
    local a = values[1]
    if a then
        app.state, app.last, app.change, app.visible, app.imported =
            unpack_bytes('<BI4I8I8I4', a)
        app.id = sub(a, 26, 33)
    end
    for c = 1, count do
        local value = values[c + 1]
        if value then
            last[slot + c] = unpack_bytes('<I4', value)
            if import and #value == 16 then imported[slot + c] = unpack_bytes('<I4', value, 13) end
        end
    end
    apps[i] = app
    at, slot = at + count, slot + count
end

-- Keys: what they stand for in the store of keys, and in this batch.
local keyed = ARGV[9] ~= '' and {byte(ARGV[9], 1, n)}
local keys, key_values, new_keys = {}, {}, {}
local alive, expired = 0, {}
if keyed then
    keys = {unpack(ARGV, at)}
    local values = call('HMGET', KEYS[4], unpack(keys))
    for i = 1, #keys do
        local value = values[i]
        if value and unpack_bytes('<I8', value, 17) > now - KEEP_US then
            key_values[keys[i]] = value
        end
    end
    local oldest = call('LINDEX', KEYS[5], 0)
    if oldest and unpack_bytes('<I8', oldest) <= now - KEEP_US then
        for i, item in ipairs(call('LRANGE', KEYS[5], 0, KEYS_EXPIRE * #keys - 1)) do
            if unpack_bytes('<I8', item) > now - KEEP_US then break end
            expired[i] = item
        end
    end
    if keys_max > 0 then alive = call('LLEN', KEYS[5]) - #expired end
end

-- ---- the groups, in their order ----

local app_and_slot = {unpack_bytes('<' .. rep('I2', 2 * n), ARGV[3])}
local counts = {unpack_bytes('<' .. rep('I4', n), ARGV[4])}
local numbers = ARGV[8] ~= '' and {unpack_bytes('<' .. rep('I8', 2 * n), ARGV[8])}
local status, first, extras, written = {}, {}, {}, {}
local ids, entry_numbers, written_n = {}, {}, 0
local seq = last_seq -- of the last record
local keyed_n = 0

-- The group goes into the entry.
local function write(i, app, number)
    seq = seq + counts[i]
    written_n = written_n + 1
    written[i] = true
    ids[written_n] = app.id
    entry_numbers[written_n] = number
end

local function touch(app)
    app.change = seq
    app.dirty = true
    application_change = seq
end

-- All chats of the application go.
local function clear(app)
    app.cleared = true
    for s = app.from + 1, app.to do
        last[s], change[s], gone[s] = nil, nil, nil
    end
    app.created = nil
end

-- The place of a chat that the application is to get; one that the batch names already,
-- or a new one.
local function slot_of(app, number)
    local text = string.format('%.0f', number)
    for s = app.from + 1, app.to do
        if ARGV[app.at + s] == text then return s end
    end
    slots_n = slots_n + 1
    chat_of[slots_n] = text
    app.created = app.created or {}
    app.created[#app.created + 1] = slots_n
    return slots_n
end

-- True: the group is to be carried out. Else its key says what became of it.
local function key_take(i)
    if not keyed or keyed[i] == 0 then return true end
    keyed_n = keyed_n + 1
    local key = keys[keyed_n]
    local value = key_values[key]
    if value then
        if sub(value, 1, 16) ~= sub(ARGV[10], 16 * keyed_n - 15, 16 * keyed_n) then
            status[i] = KEY_REUSED
            return false
        end
        status[i] = REPLAYED
        local token = sub(value, 29)
        if types[i] ~= APPLICATION_CREATED then first[i] = unpack_bytes('<I4', value, 25) end
        extras[#extras + 1] = sub(value, 17, 24) .. pack('<I4', #token) .. token
        return false
    end
    if keys_max > 0 and alive >= keys_max then
        status[i] = KEYS_FULL
        return false
    end
    return true
end

local function key_put(i, number, token)
    if not keyed or keyed[i] == 0 then return end
    local key = keys[keyed_n]
    local value = sub(ARGV[10], 16 * keyed_n - 15, 16 * keyed_n) .. pack('<I8I4', time, number) ..
                  token
    key_values[key] = value
    new_keys[#new_keys + 1] = key
    new_keys[#new_keys + 1] = value
    alive = alive + 1
end

local function application_id()
    local id = (seq + 1) * shards + shard
    return id < EXACT_MAX and pack('<I8', id)
end

local function application_create(i, app)
    if not key_take(i) then return end
    if app.state then status[i] = EXISTS return end
    app.id = application_id()
    if not app.id then status[i] = OVERLOADED return end
    app.state, app.last, app.imported, app.visible = THERE, 0, 0, seq + 1
    write(i, app, 0)
    touch(app)
    key_put(i, 0, string.match(app.key, ':(.*)$'))
end

local function chat_create(i, app)
    if not key_take(i) then return end
    if app.last >= NUMBER_MAX then status[i] = OVERLOADED return end
    app.last = app.last + 1
    first[i] = app.last
    write(i, app, app.last)
    local s = slot_of(app, app.last)
    last[s], change[s], gone[s] = 0, seq, nil
    touch(app)
    key_put(i, app.last, '')
end

local function application_import(i, app, number)
    if app.state and app.state ~= IMPORTING then status[i] = EXISTS return end
    local id = application_id()
    if not id then status[i] = OVERLOADED return end
    if app.state then clear(app) end
    app.id, app.state, app.last, app.visible, app.imported = id, IMPORTING, number, 0, 0
    write(i, app, 0)
    touch(app)
end

local function chat_import(i, app, s, number)
    local chat = s > 0 and tonumber(ARGV[app.at + s]) or 0
    if chat <= app.imported then status[i] = DATA return end
    app.imported = chat
    if app.last < chat then app.last = chat end
    write(i, app, 0)
    last[s], change[s], imported[s], gone[s] = number, seq, 0, nil
    touch(app)
end

local function messages_import(i, app, s, number, number_last)
    if not last[s] then status[i] = NO_CHAT return end
    if number <= (imported[s] or 0) or number_last < number or
       number_last - number < counts[i] - 1 then
        status[i] = DATA
        return
    end
    imported[s] = number_last
    if last[s] < number_last then last[s] = number_last end
    write(i, app, 0)
    change[s] = seq
end

local function group_import(i, t, app, s)
    local number, number_last = numbers[2 * i - 1], numbers[2 * i]
    if number > NUMBER_MAX or number_last > NUMBER_MAX then status[i] = DATA return end
    if t == APPLICATION_IMPORTED then return application_import(i, app, number) end
    if app.state ~= IMPORTING then status[i] = NO_APPLICATION return end
    if t == CHAT_IMPORTED then return chat_import(i, app, s, number) end
    if t == MESSAGE_IMPORTED then return messages_import(i, app, s, number, number_last) end
    app.state = THERE
    if app.last < number then app.last = number end
    write(i, app, 0)
    app.visible = seq
    touch(app)
end

-- What changes or deletes something that is there.
local function group_change(i, t, app, s)
    if t == APPLICATION_RENAMED then
        write(i, app, 0)
        touch(app)
    elseif t == CHAT_RENAMED then
        write(i, app, 0)
        touch(app)
        change[s] = seq
    elseif t == APPLICATION_DELETED then
        app.state = DELETED
        clear(app)
        write(i, app, 0)
        touch(app)
    elseif t == CHAT_DELETED then
        last[s], change[s], gone[s] = nil, nil, true
        write(i, app, 0)
        touch(app)
    else -- a message counts as there if its number was ever given
        local number = numbers[2 * i - 1]
        if number == 0 or number > last[s] then status[i] = NO_MESSAGE return end
        write(i, app, 0)
        change[s] = seq
    end
end

local function group(i, t, app, s)
    if t == APPLICATION_CREATED then return application_create(i, app) end
    if import then return group_import(i, t, app, s) end
    if app.state ~= THERE then
        if t ~= APPLICATION_DELETED or app.state ~= DELETED then status[i] = NO_APPLICATION end
        return
    end
    if t == CHAT_CREATED then return chat_create(i, app) end
    if t ~= APPLICATION_RENAMED and t ~= APPLICATION_DELETED and not last[s] then
        local number = s > 0 and tonumber(ARGV[app.at + s])
        if t ~= CHAT_DELETED or not number or number > app.last then status[i] = NO_CHAT end
        return
    end
    return group_change(i, t, app, s)
end

for i = 1, n do
    local t, app, s = types[i], apps[app_and_slot[2 * i - 1]], app_and_slot[2 * i]
    status[i], first[i] = OK, 0
    local before = keyed_n
    local number = last[s]
    if t ~= MESSAGE_CREATED then
        group(i, t, app, s)
    elseif app.state ~= THERE then
        status[i] = NO_APPLICATION
    elseif not number then
        status[i] = NO_CHAT
    elseif key_take(i) then
        if number + counts[i] > NUMBER_MAX then
            status[i] = OVERLOADED
        else
            first[i] = number + 1
            last[s] = number + counts[i]
            write(i, app, number + 1)
            change[s] = seq
            key_put(i, number + 1, '')
        end
    end
    -- A key that nobody looked at.
    if keyed and keyed[i] == 1 and keyed_n == before then keyed_n = keyed_n + 1 end
end
if seq * 2 >= EXACT_MAX then return redis.error_reply('CONFAB all sequence numbers are used') end

-- ---- from here on it is written ----

local function log_write()
    local lengths, groups = ARGV[5], ARGV[6]
    if written_n < n then -- without those that were refused
        local all, from, some, some_lengths = {unpack_bytes('<' .. rep('I4', n), lengths)}, 1, {}, {}
        for i = 1, n do
            if written[i] then
                some[#some + 1] = sub(groups, from, from + all[i] - 1)
                some_lengths[#some_lengths + 1] = all[i]
            end
            from = from + all[i]
        end
        groups = table.concat(some)
        lengths = pack('<' .. rep('I4', written_n), unpack(some_lengths))
    end
    local head = epoch .. producer .. pack('<I8', sequence) .. sub(meta, 49, 64) ..
                 pack('<I8I8I4', time, bytes, seq - last_seq) .. table.concat(ids) ..
                 pack('<' .. rep('I4', written_n), unpack(entry_numbers)) .. lengths
    call('XADD', KEYS[2], string.format('%.0f-0', seq), 'h', head, 'g', groups)
    bytes = bytes + #groups + 20 * written_n
end

local function application_write(app)
    if app.cleared then call('UNLINK', app.key) end
    local set, removed, count = {}, {}, 0
    if app.dirty then
        set[1] = 'a'
        set[2] = pack('<BI4I8I8I4', app.state, app.last, app.change, app.visible, app.imported) ..
                 app.id
        count = 2
    end
    local function chat_write(s, chat)
        if change[s] then
            set[count + 1] = chat
            if app.state == IMPORTING then
                set[count + 2] = pack('<I4I8I4', last[s], change[s], imported[s] or 0)
            else
                set[count + 2] = pack('<I4I8', last[s], change[s])
            end
            count = count + 2
        elseif gone[s] and not app.cleared then
            removed[#removed + 1] = chat
        end
    end
    for s = app.from + 1, app.to do chat_write(s, ARGV[app.at + s]) end
    for _, s in ipairs(app.created or {}) do chat_write(s, chat_of[s]) end
    if count > 0 then call('HSET', app.key, unpack(set)) end
    if #removed > 0 then call('HDEL', app.key, unpack(removed)) end
end

local function keys_write()
    if #new_keys > 0 then
        call('HSET', KEYS[4], unpack(new_keys))
        local stamp, items = pack('<I8', time), {}
        for i = 1, #new_keys, 2 do items[#items + 1] = stamp .. new_keys[i] end
        call('RPUSH', KEYS[5], unpack(items))
    end
    if #expired > 0 then
        call('LTRIM', KEYS[5], #expired, -1)
        local names = {}
        for i, item in ipairs(expired) do names[i] = sub(item, 9) end
        local values, over = call('HMGET', KEYS[4], unpack(names)), {}
        for i, value in ipairs(values) do -- it may have been used anew since
            if value and sub(value, 17, 24) == sub(expired[i], 1, 8) then over[#over + 1] = names[i] end
        end
        if #over > 0 then call('HDEL', KEYS[4], unpack(over)) end
    end
end

if written_n > 0 then
    log_write()
    for i = 1, apps_n do application_write(apps[i]) end
end
local reply = pack('<I8I4', time, n) .. string.char(unpack(status)) ..
              pack('<' .. rep('I4', n), unpack(first)) .. table.concat(extras)
call('HSET', KEYS[3], producer, pack('<I8I8', sequence, now) .. reply)
if keyed then keys_write() end
if written_n > 0 then
    call('SET', KEYS[1], sub(meta, 1, 48) .. producer .. pack('<I8', sequence) ..
         pack('<I8I8I8I8', seq, time, application_change, bytes) .. sub(meta, 97))
end
return pack('<I8', seq) .. reply
