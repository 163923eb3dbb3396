-- SPDX-License-Identifier: MIT
-- The oracle: compares what the generator saw acknowledged with what arrived at the far end. It takes no word of the
-- store for it but one: which messages the outbox lists as not sent for certain, for those may be missing.

local load = require "load"

local oracle = {}

local MOST_EXAMPLES = 5

local verdict_methods = {}
local verdict_mt = { __index = verdict_methods, __name = "verdict" }

local function add(self, fault, example)
  self.counts[fault] = (self.counts[fault] or 0) + 1
  self.total = self.total + 1
  if #self.examples < MOST_EXAMPLES then
    self.examples[#self.examples + 1] = fault .. ": " .. example
  end
end

-- text → its place in the order in which a customer's answers must come.
local function expected(contact)
  local places, order = {}, {}
  for k = 1, contact.said do
    for _, text in ipairs(load.replies(contact.number, k)) do
      order[#order + 1] = { text = text, is_acknowledged = k <= contact.acknowledged }
      places[text] = #order
    end
  end
  return places, order
end

local function judge_contact(self, contact, received, is_listed, was_held)
  local places, order = expected(contact)
  local seen, last = {}, 0
  for _, text in ipairs(received) do
    local place = places[text]
    if not place then
      add(self, "wrong", text) -- a turn was lost or repeated, for its number is not the one of the event
    elseif seen[text] then
      add(self, "twice", text)
    elseif place < last and not was_held[text] then
      add(self, "out of order", text)
    else
      -- What was given up as unknown may still arrive, at any time.
      last = was_held[text] and last or place
    end
    seen[text] = true
  end
  for _, reply in ipairs(order) do
    if seen[reply.text] then
      self.arrived = self.arrived + 1
      self.held = self.held + (is_listed(reply.text) and 1 or 0)
    elseif is_listed(reply.text) then
      self.held = self.held + 1
    elseif reply.is_acknowledged then
      add(self, "lost", reply.text)
    end
  end
end

---@param loaded table the generator
---@param received table<string, string[]> contact → texts that arrived
---@param listed table<string, table<string, integer>> contact → texts that the outbox lists as unknown, rejected or failed
---@param was_held table<string, boolean> texts that were ever held as unknown
---@return table verdict `total` faults, `counts` by fault ("lost", "twice", "out of order", "wrong"), `arrived`, `held`
function oracle.judge(loaded, received, listed, was_held)
  local self = setmetatable({ counts = {}, examples = {}, total = 0, arrived = 0, held = 0 }, verdict_mt)
  for _, contact in ipairs(loaded.contacts) do
    local texts = listed[contact.number] or {}
    judge_contact(self, contact, received[contact.number] or {}, function(text)
      return texts[text] ~= nil
    end, was_held)
  end
  return self
end

---Joins the lists of several states.
function oracle.join(...)
  local joined = {}
  for _, list in ipairs { ... } do
    for contact, texts in pairs(list) do
      joined[contact] = joined[contact] or {}
      for text, count in pairs(texts) do
        joined[contact][text] = (joined[contact][text] or 0) + count
      end
    end
  end
  return joined
end

---In words.
function verdict_methods:describe()
  local words = {}
  for fault, count in pairs(self.counts) do
    words[#words + 1] = ("%d %s"):format(count, fault)
  end
  table.sort(words)
  local faults = #words > 0 and table.concat(words, ", ") or "0 lost, 0 twice, 0 out of order, 0 wrong"
  local text = ("%d answers arrived, %d held as unknown; %s"):format(self.arrived, self.held, faults)
  return #self.examples > 0 and text .. "\n    " .. table.concat(self.examples, "\n    ") or text
end

return oracle
