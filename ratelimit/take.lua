-- One token bucket per key, all of its limits in one step: either every limit is charged or none.
--
-- KEYS[1]  the bucket
-- ARGV[1]  one packed string, little-endian:
--          the question: t take, p peek, h hold, u hold until, r refund, b rebuild; the number of limits (1 byte each)
--          t, r: cost; h: microseconds from now; u: the moment in microseconds (8 bytes)
--          r: when it was granted; else for how many microseconds from now on the caller's ledger knows that the bucket is
--          not full, 0 when it does not know (8 bytes)
--          the law, per limit: its period in milliseconds (4), grants per period (3), burst (3)
--          b: how many microseconds ago each grant was, oldest first (8 bytes each)
--
-- The answer is a list of integers: status (1 yes, 0 denied, -1 never, -2 lost), then
--          yes: now, microseconds to the next token, microseconds until full, tokens free
--          denied, never: microseconds to wait, which limit blocks (0: the platform's hold)
--
-- The value is the law it was written under, then per limit its TAT (7 bytes), then, while the platform asked to wait,
-- until when (7 bytes). TAT is GCRA's theoretical arrival time: the moment at which the bucket is full again. All numbers
-- are integer microseconds; Lua's doubles hold integers exactly up to 2^53, which is the year 2255. Time is the server's,
-- so all callers share one clock.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local value = redis.call('GET', KEYS[1])
local op, limits, amount, mark = struct.unpack('<c1BI8I8', ARGV[1])
local law = string.sub(ARGV[1], 19, 18 + 10 * limits)
local tats = '<' .. string.rep('I7', limits)
local DAY = 86400000000

-- Per limit: the interval between grants, rounded up so that the law is never exceeded; a whole bucket's time; and how
-- much of that is owed, which is the time until the bucket is full.
-- (Tables that are made with room for four limits need not grow.)
local interval, whole, owed = { 0, 0, 0, 0 }, { 0, 0, 0, 0 }, { 0, 0, 0, 0 }
for i = 1, limits do
  local period, grants, burst = struct.unpack('<I4I3I3', law, 10 * i - 9)
  interval[i] = math.ceil(period * 1000 / grants)
  whole[i] = burst * interval[i]
  owed[i] = 0
end

-- `changed`: what is read differs from what is stored. Not to write it down would be to find it again for ever.
local held, longest, changed, added = 0, 0, false, nil
if value then
  if #value % 17 == 7 then
    -- A clock that stepped back must not hold anybody for as long as it stepped: a day is the longest hold.
    held = struct.unpack('<I7', value, #value - 6) - now
    if held > DAY then held, changed = DAY, true end
  end
  if #value - #value % 17 == 17 * limits and string.sub(value, 1, #law) == law then
    local tat = { struct.unpack(tats, value, #law + 1) }
    for i = 1, limits do
      local debt = tat[i] - now
      if debt > 0 then
        -- Likewise nobody owes more than a whole bucket.
        if debt > whole[i] then debt, changed = whole[i], true end
        owed[i] = debt
        if debt > longest then longest = debt end
      end
    end
  else
    -- A changed law keeps, per period, the tokens there were, at most the new burst: a change never refills. A limit
    -- that was added starts from the ledger; without one it has what the tightest of the others had left.
    changed, added = true, {}
    local left, least, before = {}, math.huge, math.floor(#value / 17)
    for i = 1, before do
      local old_period, grants, burst = struct.unpack('<I4I3I3', value, 10 * i - 9)
      local debt = math.max(struct.unpack('<I7', value, 10 * before + 7 * i - 6) - now, 0)
      local tokens = math.max(burst - debt / math.ceil(old_period * 1000 / grants), 0)
      left[old_period] = math.min(left[old_period] or math.huge, tokens)
      least = math.min(least, tokens)
      longest = math.max(longest, debt)
    end
    for i = 1, limits do
      local period = struct.unpack('<I4', law, 10 * i - 9)
      if not left[period] then added[i] = true end
      owed[i] = math.max(whole[i] - math.floor((left[period] or least) * interval[i]), 0)
    end
    if not next(added) then added = nil end
  end
end

-- Writes what is owed, kept exactly until everything is full again: a missing key means a full bucket.
local function store()
  local last, tat = held, { 0, 0, 0, 0 }
  for i = 1, limits do
    if owed[i] > last then last = owed[i] end
    tat[i] = now + owed[i]
  end
  if last > 0 then
    local packed = law .. struct.pack(tats, unpack(tat, 1, limits))
    if held > 0 then packed = packed .. struct.pack('<I7', now + held) end
    -- A key is gone in the millisecond after its time. One that had no time left would not be kept at all.
    local gone = math.max(math.ceil((now + last) / 1000) - 1, math.floor(now / 1000) + 1)
    redis.call('SET', KEYS[1], packed, 'PXAT', gone)
  elseif value then
    redis.call('DEL', KEYS[1])
  end
end

local function state()
  local wait, last, free = held, held, math.huge
  for i = 1, limits do
    local room = whole[i] - owed[i]
    local tokens = math.floor(room / interval[i])
    if owed[i] > last then last = owed[i] end
    if interval[i] - room > wait then wait = interval[i] - room end
    if tokens < free then free = tokens end
  end
  if held > 0 then free = 0 end
  return { 1, now, wait > 0 and wait or 0, last > 0 and last or 0, free }
end

-- The ledger knows better than a key that is missing, that never heard of a limit, or that is fuller than it may be by
-- more than the second for which two clocks and a slow commit can differ: a replica's older state.
local lost = mark > 0 and (not value or added or longest < mark - 1000000)

if op == 't' and not lost then
  local wait, blocking = 0, 0
  if held > 0 then wait = held end
  for i = 1, limits do
    local charge = amount * interval[i]
    if charge > whole[i] then return { -1, 0, i } end
    if owed[i] + charge - whole[i] > wait then wait, blocking = owed[i] + charge - whole[i], i end
  end
  if wait > 0 then
    if changed then store() end
    return { 0, wait, blocking }
  end
  for i = 1, limits do owed[i] = owed[i] + amount * interval[i] end
  store()
  return state()
end

if op == 'b' then
  local replayed = {}
  for i = 1, limits do replayed[i] = 0 end
  for place = 19 + 10 * limits, #ARGV[1], 8 do
    local at = now - struct.unpack('<I8', ARGV[1], place)
    for i = 1, limits do replayed[i] = math.max(replayed[i], at) + interval[i] end
  end
  for i = 1, limits do
    -- The stricter of the two stays, for somebody else may have rebuilt it meanwhile. Only what an added limit was given
    -- from its neighbours was a guess.
    local known = added and added[i] and 0 or owed[i]
    owed[i] = math.max(known, math.min(replayed[i] - now, whole[i]))
  end
  store()
  return state()
end

if op == 'r' then
  -- A token was taken, so there was a key, and every limit was charged.
  if not value or added then return { -2 } end
  for i = 1, limits do
    -- Only what has not flowed back by itself since the grant: a refund never gives more than the law allows.
    local charge = amount * interval[i]
    owed[i] = math.max(owed[i] - math.min(charge, math.max(charge - (now - mark), 0)), 0)
  end
  store()
  return state()
end

if lost then return { -2 } end

if op == 'p' then
  if changed then store() end
  return state()
end

-- h, u: the platform said wait; a longer hold stays.
held = math.max(held, math.min(op == 'h' and amount or amount - now, DAY))
store()
return state()
