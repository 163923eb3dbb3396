-- SPDX-License-Identifier: MIT
-- Units of time in seconds. A day is 24 hours here; days on the wall, which can be shorter or longer, are in zone.lua.

local units = {}

units.minute = 60
units.hour = 60 * units.minute
units.day = 24 * units.hour

return units
