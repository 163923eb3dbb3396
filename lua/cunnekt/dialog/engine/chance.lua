-- SPDX-License-Identifier: MIT
-- The random numbers of a run: the same at every replay.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local formats = require "cunnekt.store.formats"

local chance = {}

---The seed of the run's random numbers, created on first use; unique by its chance and time, also before there is an id.
---@param self cunnekt.run
---@return string
function chance.find_seed(self)
  self.seed = self.seed or formats.seed:format(clock.random(), self.at, self.id or 0)
  return self.seed
end

---A random number in [0, 1), the same at every replay.
---@param self cunnekt.run
---@return number
function chance.random(self)
  self.draws = self.draws + 1
  local bytes = core.sha256():update(formats.draw:format(self.draws, self:find_seed())):digest()
  return (string.unpack("<I8", bytes) >> 11) / (1 << 53)
end

return chance
