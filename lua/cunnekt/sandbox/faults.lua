-- SPDX-License-Identifier: MIT
-- Fault injection: a list of rules, each for the next `count` sends after the first `after`. It only decides; api.lua and
-- webhooks.lua carry a rule out.
local identity = require "cunnekt.provider.identity"
local options = require "cunnekt.base.options"

local faults = {}

-- Kind → whether the message is accepted all the same, unless the rule has `accept`.
local KINDS = {
  status = false, -- answers with the HTTP status `status` (500) and Meta's `code`, if given
  delay = true, -- accepts it at once, answers `seconds` later
  slow = true, -- accepts it and answers `seconds` later
  drop = true, -- never answers; closes the connection after `seconds` (60)
  reset = true, -- closes the connection at once, without an answer
  garbage = true, -- answers 200 with what is not JSON
  empty = true, -- answers 200 with an empty body
  failed = true, -- accepts it; its only status is failed, with `code` and `title`
  reorder = true, -- accepts it; its statuses come in reverse
  duplicate = true, -- posts the next `count` webhooks twice
}

-- These need an accepted message.
local ALWAYS_TAKEN = { slow = true, failed = true, reorder = true }

local NAMES = {}
for name in pairs(KINDS) do
  NAMES[#NAMES + 1] = name
end
table.sort(NAMES)

local RULE = {
  kind = NAMES, count = "integer", after = "integer", status = "integer", code = "integer", title = "string",
  seconds = "number", accept = "boolean", retry_after = "integer", to = "string",
}

local faults_methods = {}
local faults_mt = { __index = faults_methods, __name = "cunnekt.sandbox_faults" }

---@return table faults
function faults.new()
  return setmetatable({ _rules = {} }, faults_mt)
end

---Adds a rule. Raises for wrong fields.
---@param rule { kind: string, count: integer|nil, after: integer|nil, status: integer|nil, code: integer|nil, title: string|nil, seconds: number|nil, accept: boolean|nil, retry_after: integer|nil, to: string|nil }
---@return table rule as it will be applied
function faults_methods:add(rule)
  options.check("faults", rule, RULE)
  if not rule.kind then
    error("faults: 'kind' is missing, one of: " .. table.concat(NAMES, ", "), 2)
  end
  local made = {
    kind = rule.kind, count = rule.count or 1, after = rule.after or 0, status = rule.status, code = rule.code,
    title = rule.title, retry_after = rule.retry_after, to = rule.to,
    seconds = rule.seconds or (rule.kind == "drop" and 60 or 1),
    accept = rule.accept,
  }
  if rule.to then
    local to, err = identity.normalise(rule.to)
    made.to = to or error("faults: " .. err.message, 2)
  end
  if made.accept == nil or ALWAYS_TAKEN[rule.kind] then
    made.accept = KINDS[rule.kind]
  end
  if made.kind == "status" then
    made.status = made.status or 500
    if made.status < 200 or made.status > 599 then
      error("faults: 'status' must be from 200 to 599", 2)
    end
  end
  table.insert(self._rules, made)
  return made
end

-- The first rule that applies, counted down.
local function take(self, is_for_webhooks, contact)
  for index, rule in ipairs(self._rules) do
    local is_fit = (rule.kind == "duplicate") == is_for_webhooks
    if is_fit and (not rule.to or identity.same(rule.to, contact)) then
      if rule.after > 0 then
        rule.after = rule.after - 1
      else
        rule.count = rule.count - 1
        if rule.count <= 0 then
          table.remove(self._rules, index)
        end
        return rule
      end
    end
  end
  return nil
end

---The rule that applies to this send, if any.
---@param contact string
---@return table|nil rule
function faults_methods:for_send(contact)
  return self._rules[1] and take(self, false, contact)
end

---How many more times than once this webhook is posted.
---@return integer
function faults_methods:duplicates()
  return self._rules[1] and take(self, true) and 1 or 0
end

---@return table[] rules that still apply
function faults_methods:list()
  return self._rules
end

function faults_methods:clear()
  self._rules = {}
end

return faults
