-- Takes points from all budgets or from none. `algorithm.rs` implements the same; the two must agree.
-- KEYS: one for each budget. ARGV: five for each budget: algorithm, burst, microseconds per point (bucket) or of the period, cost, and the
-- number of points that the caller requests in advance.
-- Returns 1 if the points were taken or 0 if not, then four numbers for each budget: points granted in advance, points left, microseconds
-- until the budget is whole, microseconds until the request is allowed.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer, levels = {1}, {}

for i, key in ipairs(KEYS) do
  local at = (i - 1) * 5
  local l = {
    algorithm = ARGV[at + 1], burst = tonumber(ARGV[at + 2]), unit = tonumber(ARGV[at + 3]),
    cost = tonumber(ARGV[at + 4]), more = tonumber(ARGV[at + 5]), wait = 0,
  }
  if l.algorithm == 'bucket' then
    local most = l.unit * l.burst
    l.reset = math.min(math.max((tonumber(redis.call('GET', key) or now)) - now, 0), most)
    l.remaining = math.floor((most - l.reset) / l.unit)
    l.wait = math.max(l.reset + l.unit * l.cost - most, 0)
  elseif l.algorithm == 'window' then
    l.taken = tonumber(redis.call('GET', key) or 0)
    l.reset = math.max(redis.call('PTTL', key), 0) * 1000
    l.remaining = math.max(l.burst - l.taken, 0)
    if l.cost > l.remaining then l.wait = math.max(l.reset, 1000) end
  else
    local first = redis.call('LINDEX', key, 0)
    while first and tonumber(first) + l.unit <= now do
      redis.call('LPOP', key)
      first = redis.call('LINDEX', key, 0)
    end
    l.remaining = math.max(l.burst - redis.call('LLEN', key), 0)
    local last = redis.call('LINDEX', key, -1)
    l.reset = last and tonumber(last) + l.unit - now or 0
    if l.cost > l.remaining then
      l.wait = tonumber(redis.call('LINDEX', key, l.cost - l.remaining - 1)) + l.unit - now
    end
  end
  if l.wait > 0 then answer[1] = 0 end
  levels[i] = l
end

for i, key in ipairs(KEYS) do
  local l, given = levels[i], 0
  if answer[1] == 1 then
    -- At most a quarter of the points left, so that the last points are not held by a replica that does not need them.
    given = math.min(l.more, math.floor((l.remaining - l.cost) / 4))
    local points = l.cost + given
    l.remaining = l.remaining - points
    if l.algorithm == 'bucket' then
      l.reset = l.reset + l.unit * points
      redis.call('SET', key, string.format('%.0f', now + l.reset), 'PX', string.format('%.0f', math.ceil(l.reset / 1000)))
    elseif l.algorithm == 'window' then
      if l.taken == 0 then
        redis.call('SET', key, points, 'PX', string.format('%.0f', math.ceil(l.unit / 1000)))
        l.reset = l.unit
      else
        redis.call('INCRBY', key, points)
      end
    else
      for _ = 1, points do redis.call('RPUSH', key, string.format('%.0f', now)) end
      redis.call('PEXPIRE', key, string.format('%.0f', math.ceil(l.unit / 1000)))
      l.reset = l.unit
    end
  end
  for _, number in ipairs({given, l.remaining, math.ceil(l.reset), math.ceil(l.wait)}) do answer[#answer + 1] = number end
end
return answer
