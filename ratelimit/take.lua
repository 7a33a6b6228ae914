-- One token bucket per key, all of its limits in one step: either every limit is charged or none.
--
-- KEYS[1]  the bucket
-- ARGV[1]  take | peek | hold | refund | rebuild
-- ARGV[2]  take: cost; hold: microseconds from now; refund: cost; rebuild: number of grants
-- ARGV[3]  take, peek, hold: 1 when the caller knows that the key must exist; refund: when it was granted (microseconds)
-- ARGV[4]  number of limits, then for each limit its interval in microseconds and its burst
-- then     rebuild: how many microseconds ago each grant was, oldest first
--
-- The value holds, as little-endian doubles (exact to 2^53, microseconds since 1970 are below 2^51): the moment until
-- which the platform asked to wait, then per limit its interval, its burst and its TAT. TAT is GCRA's theoretical
-- arrival time: the moment at which the bucket is full again. Time is the server's, so all callers share one clock.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local op, limits = ARGV[1], tonumber(ARGV[4])
local interval, burst, tat = {}, {}, {}
for i = 1, limits do
  interval[i] = tonumber(ARGV[3 + 2 * i])
  burst[i] = tonumber(ARGV[4 + 2 * i])
end

local held_until = 0
local value = redis.call('GET', KEYS[1])
local known = value and #value == 8 + 24 * limits
if known then
  held_until = struct.unpack('<d', value, 1)
  for i = 1, limits do
    local old_interval, old_burst, old_tat = struct.unpack('<ddd', value, 24 * i - 15)
    -- The clock may have stepped back: nobody owes more than a whole bucket.
    old_tat = math.min(old_tat, now + old_interval * old_burst)
    if old_interval == interval[i] and old_burst == burst[i] then
      tat[i] = old_tat
    else
      -- A changed law keeps the tokens there were, at most the new burst. A change never refills.
      local free = old_burst - math.max(old_tat - now, 0) / old_interval
      tat[i] = now + math.ceil((burst[i] - math.min(free, burst[i])) * interval[i])
    end
  end
else
  for i = 1, limits do tat[i] = 0 end
end

-- Microseconds until `cost` tokens are there in every limit, and which limit says so (0: the platform's hold).
local function wait_for(cost)
  local wait, blocking = math.max(held_until - now, 0), 0
  for i = 1, limits do
    local due = math.max(tat[i], now) + cost * interval[i] - burst[i] * interval[i] - now
    if due > wait then wait, blocking = due, i end
  end
  return wait, blocking
end

-- Kept exactly until everything is full again: a missing key means a full bucket.
local function store()
  local full = held_until
  local parts = { struct.pack('<d', held_until) }
  for i = 1, limits do
    full = math.max(full, tat[i])
    parts[#parts + 1] = struct.pack('<ddd', interval[i], burst[i], tat[i])
  end
  local ttl = math.ceil((full - now) / 1000)
  if ttl > 0 then
    redis.call('SET', KEYS[1], table.concat(parts), 'PX', string.format('%.0f', ttl))
  else
    redis.call('DEL', KEYS[1])
  end
end

local function answer(status, wait, blocking)
  local full, free = held_until, math.huge
  for i = 1, limits do
    full = math.max(full, tat[i])
    free = math.min(free, math.floor(burst[i] - math.max(tat[i] - now, 0) / interval[i]))
  end
  if held_until > now then free = 0 end
  local next_token = wait_for(1)
  return { status, wait, blocking, now, next_token, math.max(full - now, 0), math.max(free, 0) }
end

if op == 'rebuild' then
  -- Somebody else may have rebuilt it meanwhile; what is there is newer.
  if known then return answer(0, 0, 0) end
  local grants = tonumber(ARGV[2])
  for g = 1, grants do
    local at = now - tonumber(ARGV[4 + 2 * limits + g])
    for i = 1, limits do tat[i] = math.max(tat[i], at) + interval[i] end
  end
  for i = 1, limits do tat[i] = math.min(tat[i], now + interval[i] * burst[i]) end
  store()
  return answer(1, 0, 0)
end

-- A token was taken, so there was a key: a missing one is lost state for a refund as well.
if not known and (ARGV[3] == '1' or op == 'refund') then return answer(-2, 0, 0) end

if op == 'hold' then
  held_until = math.max(held_until, now + tonumber(ARGV[2]))
  store()
  return answer(1, 0, 0)
end

if op == 'refund' then
  -- Only what has not flowed back by itself since the grant: a refund never gives more than the law allows.
  local cost, granted_at = tonumber(ARGV[2]), tonumber(ARGV[3])
  for i = 1, limits do tat[i] = tat[i] - math.max(0, cost * interval[i] - (now - granted_at)) end
  store()
  return answer(1, 0, 0)
end

if op == 'peek' then return answer(1, 0, 0) end

local cost = tonumber(ARGV[2])
for i = 1, limits do
  if cost > burst[i] then return answer(-1, 0, i) end
end
local wait, blocking = wait_for(cost)
if wait > 0 then return answer(0, wait, blocking) end
for i = 1, limits do tat[i] = math.max(tat[i], now) + cost * interval[i] end
store()
return answer(1, 0, 0)
