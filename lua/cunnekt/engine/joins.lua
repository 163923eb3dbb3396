-- SPDX-License-Identifier: MIT
-- Two lanes that become one, for two conversations that turn out to be one person's. It uses the private fields of lanes.lua,
-- which runs them.

local joins = {}

-- Whether the head of a lane stays: it is under way, or it began before the lane became part of another one.
local function keeps_head(lane)
  return lane.is_under_way or lane.heir ~= nil
end

-- The items of a lane that wait, taken out of it.
local function take_waiting(lane)
  local list = {}
  for i = lane.first + (keeps_head(lane) and lane.first <= lane.last and 1 or 0), lane.last do
    list[#list + 1], lane[i] = lane[i], nil
  end
  lane.last = lane.last - #list
  return list
end

-- Who waits for the end of this lane waits for the end of another one.
local function hand_down(self, lane, heir)
  if lane.held == 0 then
    return
  end
  for _, other in pairs(self._lanes) do
    if other.heir == lane then
      other.heir, heir.held, lane.held = heir, heir.held + 1, lane.held - 1
    end
  end
end

---Makes the waiting items of a lane those of another one, in order. What is under way in either comes before all of them.
---@param self cunnekt.lanes
---@param from string key
---@param to string key
---@param comes_before fun(a: any, b: any): boolean
---@param on_move fun(item: any) called for each item of the first lane
function joins.join(self, from, to, comes_before, on_move)
  local lane = self._lanes[from]
  if not lane then
    return
  end
  local heir = self._lanes[to] or self:_new_heir(lane, to)
  local items, others = take_waiting(lane), take_waiting(heir)
  for _, item in ipairs(items) do
    on_move(item)
  end
  table.move(others, 1, #others, #items + 1, items)
  table.sort(items, comes_before)
  for _, item in ipairs(items) do
    heir.last = heir.last + 1
    heir[heir.last] = item
  end
  lane.has_more, lane.is_gone = false, true
  hand_down(self, lane, heir)
  if not keeps_head(lane) then
    self._lanes[from] = nil
    if lane.timer then
      lane.timer:close()
      lane.timer = nil
    end
  elseif not lane.heir then -- otherwise the head is of who had the key before
    lane.heir, heir.held = heir, heir.held + 1
  end
  self:_wake(heir)
end

return joins
