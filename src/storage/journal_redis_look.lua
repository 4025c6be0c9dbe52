-- What the counters say, at one moment. KEYS: meta, then applications. ARGV: for each
-- application how many chats, and their numbers. Answers with the meta and a list for
-- each application. (Not MULTI: without memory Redis queues no commands, but reads on.)
local answer, at = {redis.call('GET', KEYS[1])}, 1
for i = 2, #KEYS do
    local count = tonumber(ARGV[at])
    answer[i] = redis.call('HMGET', KEYS[i], 'a', unpack(ARGV, at + 1, at + count))
    at = at + 1 + count
end
return answer
