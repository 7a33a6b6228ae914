-- One token bucket per key, all of its limits in one step: either every limit is charged or none.
--
-- KEYS[1]  the bucket
-- ARGV[1]  one packed string, little-endian:
--          the question: t take, p peek, h hold, u hold until, r refund, b rebuild; the number of limits (1 byte each)
--          t, r: cost; h: microseconds from now; u: the moment in microseconds (8 bytes)
--          r: when it was granted; else for how many microseconds from now on the caller's ledger knows that the
--          bucket is not full, 0 when it does not know (8 bytes)
--          the law, per limit: its period in milliseconds (4), grants per period (3), burst (3)
--          b: how many microseconds ago each grant was, oldest first (8 bytes each)
--
-- The answer is one packed string: status (1 yes, 0 denied, -1 never, -2 lost; 1 byte), then four integers of 8 bytes
--          yes: now, microseconds to the next token, microseconds until full, tokens free
--          denied, never: microseconds to wait, which limit blocks (0: the platform's hold), 0, 0
-- A client reads one string in half the time that it needs for a list of five numbers.
--
-- The value is the law it was written under, then per limit its TAT (7 bytes), then, while the platform asked to wait,
-- until when (7 bytes). TAT is GCRA's theoretical arrival time: the moment at which the bucket is full again. All
-- numbers are integer microseconds; Lua's doubles hold integers exactly up to 2^53, which is the year 2255. Time is
-- the server's, so all callers share one clock.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local value, ask = redis.call('GET', KEYS[1]), ARGV[1]
local read, pack, ceil, max, DAY = struct.unpack, struct.pack, math.ceil, math.max, 86400000000
local op, limits, amount, mark = read('<c1BI8I8', ask)
local law = string.sub(ask, 19, 18 + 10 * limits)
-- One call for all limits: crossing from Lua to C is what a short script spends its time on.
local rates, TATS = { read('<' .. string.rep('I4I3I3', limits), law) }, '<' .. string.rep('I7', limits)

local function answer(status, first, second, third, fourth)
  return pack('<bi8i8i8i8', status, first, second or 0, third or 0, fourth or 0)
end

-- The microseconds between two grants of a limit, rounded up so that the law is never exceeded, and its burst.
local function rate(i)
  return ceil(rates[3 * i - 2] * 1000 / rates[3 * i - 1]), rates[3 * i]
end

-- A value under another law is first written as if it had been under this one. `changed`: what is stored differs from
-- what it now means. Not to write that down would be to find it again for ever.
local changed, added, longest = false, nil, 0
if value and not (#value - #value % 17 == 17 * limits and string.sub(value, 1, #law) == law) then
  -- A change keeps, per period, the tokens there were, at most the new burst: it never refills. A limit that was added
  -- starts from the ledger; without one it has what the tightest of the others had left.
  changed, added = true, {}
  local left, least, before = {}, math.huge, math.floor(#value / 17)
  for i = 1, before do
    local period, grants, burst = read('<I4I3I3', value, 10 * i - 9)
    local owed = max(read('<I7', value, 10 * before + 7 * i - 6) - now, 0)
    local tokens = max(burst - owed / ceil(period * 1000 / grants), 0)
    left[period] = math.min(left[period] or math.huge, tokens)
    least = math.min(least, tokens)
    longest = max(longest, owed)
  end
  local moments = {}
  for i = 1, limits do
    local period, interval, burst = rates[3 * i - 2], rate(i)
    local kept = math.min(math.floor((left[period] or least) * interval), burst * interval)
    if not left[period] then added[i] = true end
    moments[i] = now + burst * interval - kept
  end
  if not next(added) then added = nil end
  value = law .. pack(TATS, unpack(moments)) .. string.sub(value, 17 * before + 1)
end

-- What the platform asked to wait. A clock that stepped back must not hold anybody for as long as it stepped: a day
-- is the longest hold.
local held = 0
if value and #value > 17 * limits then
  held = read('<I7', value, 17 * limits + 1) - now
  if held > DAY then held, changed = DAY, true end
end

-- Per limit its TAT after the cost of this take. One pass serves everybody.
local full, charged = value and { read(TATS, value, #law + 1) } or {}, op == 't' and amount or 0
local wait, blocking, soonest, last, free = held > 0 and held or 0, 0, held, held, math.huge
for i = 1, limits do
  local interval, burst = rate(i)
  local whole, owed = burst * interval, 0
  if value then
    owed = full[i] - now
    -- Nobody owes more than a whole bucket: the clock may have stepped back.
    if owed > whole then owed, changed = whole, true end
    if owed < 0 then owed = 0 end
    if owed > longest then longest = owed end
  end
  if charged > burst then return answer(-1, 0, i) end
  owed = owed + charged * interval
  full[i] = now + owed
  local over = owed - whole
  if over > wait then wait, blocking = over, i end
  if over + interval > soonest then soonest = over + interval end
  if owed > last then last = owed end
  local tokens = math.floor(-over / interval)
  if tokens < free then free = tokens end
end

-- The ledger knows better than a key that is missing, that never heard of a limit, or that is fuller than it may be by
-- more than the second for which two clocks and a slow commit can differ: a replica's older state.
local lost = mark > 0 and (not value or added or longest < mark - 1000000)

-- A bucket that owes nothing is not kept: a missing key means a full one. Any other is gone in the millisecond after
-- its time; with no millisecond left it would not be kept at all.
local function store()
  if last > 0 then
    local hold = held > 0 and pack('<I7', now + held) or ''
    local gone = max(ceil((now + last) / 1000) - 1, math.floor(now / 1000) + 1)
    redis.call('SET', KEYS[1], law .. pack(TATS, unpack(full, 1, limits)) .. hold, 'PXAT', gone)
  elseif value then
    redis.call('DEL', KEYS[1])
  end
end

if op == 't' and not lost then
  if wait == 0 then
    store()
    return answer(1, now, max(soonest, 0), last, free)
  end
  if changed then
    last = held
    for i = 1, limits do
      full[i] = full[i] - amount * rate(i)
      last = max(last, full[i] - now)
    end
    store()
  end
  return answer(0, wait, blocking)
end

if lost and op ~= 'r' and op ~= 'b' then return answer(-2, 0) end

-- A refund: a token was taken, so there was a key, and every limit was charged.
if op == 'r' and (not value or added) then return answer(-2, 0) end

for i = 1, limits do
  local interval, burst = rate(i)
  if op == 'r' then
    -- Only what has not flowed back by itself since the grant: a refund never gives more than the law allows.
    local charge = amount * interval
    full[i] = max(full[i] - math.min(charge, max(charge - (now - mark), 0)), now)
  elseif op == 'b' then
    local replayed = 0
    for place = 19 + #law, #ask, 8 do
      replayed = max(replayed, now - read('<I8', ask, place)) + interval
    end
    -- The stricter of the two stays, for somebody else may have rebuilt it meanwhile. Only what an added limit was
    -- given from its neighbours was a guess.
    local known = added and added[i] and now or full[i]
    full[i] = max(known, math.min(replayed, now + burst * interval))
  end
end

-- h, u: the platform said wait; a longer hold stays.
if op == 'h' then held = max(held, math.min(amount, DAY)) end
if op == 'u' then held = max(held, math.min(amount - now, DAY)) end

soonest, last, free = max(held, 0), max(held, 0), held > 0 and 0 or math.huge
for i = 1, limits do
  local interval, burst = rate(i)
  local owed = full[i] - now
  local room = burst * interval - owed
  soonest, last = max(soonest, interval - room), max(last, owed)
  free = math.min(free, math.floor(room / interval))
end
if op ~= 'p' or changed then store() end
return answer(1, now, soonest, last, free)
