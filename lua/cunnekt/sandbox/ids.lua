-- SPDX-License-Identifier: MIT
-- Message ids in WhatsApp's form: "wamid." and base64 of a number and some bytes. Unique in a process, and very likely
-- across processes.
local core = require "cunnekt.core"

local ids = {}

local start = nil
local counter = 0

---The id of a customer's message. Its base64 often contains `+` and `/`, which must be encoded in URLs.
---@param number string
---@return string
function ids.inbound(number)
  return "wamid."
    .. core.base64_encode(string.pack("<BBs1c4s1B", 0x1c, 0x18, number, "\x15\2\0\x12", core.random_bytes(20), 0))
end

---The id of a business's message. Cheap, since every send needs one.
---@param number string
---@return string
function ids.outbound(number)
  start = start or core.hex(core.random_bytes(4))
  counter = counter + 1
  return "wamid."
    .. core.base64_encode(string.pack("<BBs1c4s1B", 0x1c, 0x18, number, "\x15\2\0\x11", ("%s%010X"):format(start, counter), 0))
end

---An opaque id as Meta gives conversations.
---@return string
function ids.conversation()
  return core.hex(core.random_bytes(16))
end

return ids
