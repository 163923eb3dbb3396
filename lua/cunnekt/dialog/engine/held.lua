-- SPDX-License-Identifier: MIT
-- The states that a run's script may hold. They are loaded again after each commit, in the same order at every replay. What a step of the
-- script changes in them is in no journal, for a replay skips the step: so they are read again behind it.

local held = {}

---Registers a state that the script may hold.
---@param current cunnekt.run
---@param state cunnekt.state
function held.add(current, state)
  local states = current.states or {}
  current.states = states
  for _, other in ipairs(states) do
    if other == state then
      return
    end
  end
  states[#states + 1] = state
end

---Takes what they are as saved.
---@param current cunnekt.run
function held.mark_saved(current)
  for _, state in ipairs(current.states or {}) do
    state:mark_saved((state:encode()), state.version)
  end
end

---What they are, ahead of a step.
---@param current cunnekt.run
---@return string[]
function held.texts(current)
  local texts = {}
  for i, state in ipairs(current.states) do
    texts[i] = state:encode()
  end
  return texts
end

---Reads those again that a step has changed.
---@param current cunnekt.run
---@param before string[]
function held.read_changed(current, before)
  for i, text in ipairs(before) do
    local state = current.states[i]
    if state:encode() ~= text then
      state:read_again()
    end
  end
end

---The same at a replay, by what the journal has behind the step.
---@param current cunnekt.run
function held.replay_changed(current)
  for _, state in ipairs(current.states) do
    if current:comes_next("state", state.name) then
      state:read_again()
    end
  end
end

return held
