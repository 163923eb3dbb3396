-- SPDX-License-Identifier: MIT
-- Units of time in seconds, for the whole program. A day has 24 hours here; local days, which can be an hour shorter or
-- longer, are the business of zone.lua.

local units = {}

units.minute = 60
units.hour = 60 * units.minute
units.day = 24 * units.hour

return units
