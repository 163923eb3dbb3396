-- SPDX-License-Identifier: MIT
-- Which settings are secrets, or have a password in them: the log must not repeat those, see base/redact.lua.

local redact = require "cunnekt.base.redact"
local words = require "cunnekt.base.words"

local own_secrets = {}

-- The password in an address: before the host, or among the options. A proxy needs no scheme.
local function password_in(url)
  if url:find "^sqlite:" then -- a path, which the log has to name
    return ""
  end
  local before_host = url:gsub("^%a[%w+.-]*://", ""):match "^(.*)@"
  local password = before_host and before_host:match ":(.*)$" or url:match "[?&]password=([^&]*)"
  return password and password:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end) or ""
end

local function secret_of(setting)
  return setting.is_secret and words.trim or setting.has_password and password_in or nil
end

---Has the secrets looked for that the environment holds, whether a setting is made of them or not.
---@param known table<string, cunnekt.setting>
function own_secrets.watch(known)
  for _, setting in pairs(known) do
    local secret_in = secret_of(setting)
    if setting.env and secret_in then
      redact.know_variable(setting.env, secret_in)
    end
  end
  redact.know_variable("PGPASSWORD", tostring) -- libpq's own
end

---Has those looked for that are in these values of settings.
---@param known table<string, cunnekt.setting>
---@param values table<string, any>
function own_secrets.note(known, values)
  for name, setting in pairs(known) do
    local secret_in = secret_of(setting)
    if secret_in and type(values[name]) == "string" then
      redact.know_secret(secret_in(values[name]), setting.env or name)
    end
  end
end

return own_secrets
