-- SPDX-License-Identifier: MIT
-- The real time, as well as a bot can know it while the system's clock may be set: see src/base/wall_clock.h. It keeps a
-- wrong clock from closing windows or deleting rows too early.

local core = require "cunnekt.core"

local wall_clock = {}

---A wall clock that has witnessed nothing yet.
---@type fun(): cunnekt.wall_clock
wall_clock.new = core.wall_clock

return wall_clock
