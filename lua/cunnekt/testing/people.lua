-- SPDX-License-Identifier: MIT
-- The customers of a transcript: a name that it uses gets a number, and a number that it uses is itself.

local samples = require "cunnekt.sandbox.samples"

local people = {}

local people_methods = {}
local people_mt = { __index = people_methods }

-- Names count down from the sample customer's number.
local first_number = math.tointeger(tonumber(samples.NUMBER))

---@param steps cunnekt.testing.step[]
function people.new(steps)
  local self = setmetatable({ _by_name = {}, _by_number = {}, _count = 0 }, people_mt)
  self:find()
  for _, step in ipairs(steps) do
    if step.who then
      self:find(step.who)
    end
  end
  return self
end

---A customer.
---@param who? string a name or number; the sample customer by default
---@return {name: string?, number: string}
function people_methods:find(who)
  who = who or "Asha"
  local person = self._by_name[who]
  if not person then
    local digits = who:match "^%+?(%d+)$"
    person = { name = not digits and who or nil, number = digits or ("%d"):format(first_number - self._count) }
    if not digits then
      self._count = self._count + 1
    end
    person = self._by_number[person.number] or person
    self._by_name[who], self._by_number[person.number] = person, person
  end
  return person
end

---Whether a number is a customer's of this transcript.
---@param number string
---@return boolean
function people_methods:is_known(number)
  return self._by_number[number] ~= nil
end

---@param number string
---@return string? name
function people_methods:name_of(number)
  local person = self._by_number[number]
  return person and person.name
end

return people
