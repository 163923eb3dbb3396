-- SPDX-License-Identifier: MIT
-- Who may ask an address that needs no key because only this machine reaches it: programs, and pages of its own. A page of
-- another site, which the browser on this machine shows, may not: it could send a form or plain text without asking first
-- (cross-site request forgery), or have its own name point here (DNS rebinding).

local local_page = {}

-- An address in digits is nobody's name, and `localhost` is this machine's by RFC 6761; any other name may be made to point here.
local function is_own_name(host)
  local name = host:gsub(":%d+$", "")
  return name:find "^%d+%.%d+%.%d+%.%d+$" ~= nil or name:find "^%[[%x:.]+%]$" ~= nil
    or name == "localhost" or name:find "%.localhost$" ~= nil
end

local function is_json(content_type)
  local media_type = (content_type or ""):lower():match "^%s*([^;%s]*)"
  return media_type == "application/json"
end

---Whether only this machine reaches an address to listen on.
---@param host string
---@return boolean
function local_page.is_loopback(host)
  return host == "localhost" or host == "::1" or host:find "^127%." ~= nil
end

---Whether a page of another site sent this request, by what browsers say of it.
---@param exchange userdata
---@return boolean
function local_page.is_foreign(exchange)
  local origin, site = exchange:header "Origin", exchange:header "Sec-Fetch-Site"
  if site and site ~= "same-origin" and site ~= "none" then
    return true
  elseif not origin then
    return false
  end
  local host = (exchange:header "Host" or ""):lower()
  local asked = origin:lower():match "^https?://(.+)$"
  return asked == nil or asked ~= host
end

---Why a request is refused.
---@param exchange userdata
---@param opts {any_name: boolean?, is_json: boolean?} `any_name`: the address is on a network, where machines have names; `is_json`: only a JSON body will do
---@return integer? status nil: it may go on
---@return string? message
function local_page.refusal(exchange, opts)
  if not opts.any_name and not is_own_name((exchange:header "Host" or ""):lower()) then
    return 403, "the Host of a request must be an address in digits or localhost: another site's name may be made to point here"
  elseif local_page.is_foreign(exchange) then
    return 403, "a page of another site may not ask here"
  elseif opts.is_json and not is_json(exchange:header "Content-Type") then
    return 415, "the body must be JSON, sent with Content-Type: application/json"
  end
  return nil
end

return local_page
