-- SPDX-License-Identifier: MIT
-- What holds for settings, from wherever they come: each is taken whole or refused with a sentence, and no sentence has a
-- secret. The first byte of an input says what it is: "0" a cunnekt.conf.lua as it is, "1" lines "name=value" of which one is
-- made, "2" such lines of the environment, "3" of flags, "4" of a script.

local settings = require "cunnekt.provider.settings"

local SECRET = "S3CR3T"
local path = os.tmpname()

-- What a value that was taken must be.
local types = {
  rate = "number", pair_rate = "number", timeout = "number", connect_timeout = "number", retries = "number", take_over = "number",
}
local positive = { timeout = true, connect_timeout = true, take_over = true }

local function check_value(name, value)
  local wanted = types[name] or "string"
  if name == "default_country" then
    assert(tostring(value):find "^%+?[1-9]%d?%d?$", "a country code that is none")
    return
  end
  assert(type(value) == wanted, name .. " is a " .. type(value))
  if wanted == "number" then
    assert(value == value and value >= 0 and value < math.huge and not (positive[name] and value == 0), name .. " is out of range")
  elseif name == "api_key" or name == "app_secret" then
    assert(value ~= "" and not value:find "[%c ]", name .. " breaks a header")
  elseif name == "webhook_path" then
    assert(value:find "^/" and not value:find "[%c ?#]", "a path that is none")
  elseif name == "base_url" then
    assert(value:find "^%a+://." and not value:find "[%s?#]", "a URL that is none")
  elseif name == "webhook_secret" then
    assert(not value:find "[^%w._~-]", "a secret that is no part of a path")
  end
  local shown = settings.shown(name, value)
  assert(not settings.known[name].is_secret or shown == "set, and not shown here", "a secret is shown")
  -- Of what is before the host, where a password may be, nothing is shown but the scheme.
  local has_user = settings.known[name].has_password and not value:find "^sqlite:" and value:find("@", 1, true)
  local told = shown:gsub("^%a[%w+.-]*://", "")
  assert(not has_user or told == "…" or told:find "^…@[^@]*$", "a password may be shown")
end

-- Loads; `may_name`: what stands there may be an unknown name, which is repeated.
local function load(opts, may_name)
  local ok, values = pcall(settings.load, opts)
  if ok then
    for name, value in pairs(values) do
      check_value(name, value)
    end
    return
  end
  assert(type(values) == "string" and values ~= "", "a refusal without a sentence")
  local is_name = may_name and values:find "unknown option"
  assert(is_name or not values:find(SECRET, 1, true), "a secret in a sentence: " .. values)
  assert(not values:find "lua/cunnekt/provider", "a place in the program: " .. values)
end

local function write(text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

-- A conf is a script of the operator, which may well run for ever; that is none of the parser's faults.
local function may_run_long(text)
  return text:find "while" or text:find "for" or text:find "repeat" or text:find "goto" or text:find "function" or text:find ":"
    or text:find "%.%." or text:find "<<"
end

local function pairs_of(text)
  local values = {}
  for name, value in text:gmatch "([%w_]+)=([^\n]*)" do
    local is_secret = settings.known[name] and settings.known[name].is_secret
    values[name] = is_secret and value .. SECRET or value:gsub(SECRET, "") -- the others may be repeated
  end
  return values
end

-- "rate=1" as Lua: a number where it is one, else a string.
local function as_lua(text)
  local lines = {}
  for name, value in pairs(pairs_of(text)) do
    lines[#lines + 1] = ("[%q] = %s"):format(name, tonumber(value) and not value:find "%s" and value or ("%q"):format(value))
  end
  return "return { " .. table.concat(lines, ", ") .. " }"
end

local ways = {
  function(text)
    if not may_run_long(text) then
      write(text)
      load({ conf_path = path }, true)
      os.remove(path)
    end
  end,
  function(text)
    write(as_lua(text))
    load({ conf_path = path }, true)
    os.remove(path)
  end,
  function(text)
    local values = pairs_of(text)
    local variables = {}
    for name, setting in pairs(settings.known) do
      variables[setting.env or false] = values[name]
    end
    load { conf_path = false, getenv = function(name) return variables[name] end }
  end,
  function(text)
    load({ conf_path = false, flags = pairs_of(text) }, true)
  end,
  function(text)
    local values = pairs_of(text)
    for name, value in pairs(values) do
      values[name] = tonumber(value) or value
    end
    load({ conf_path = false, script = values }, true)
  end,
}

local function check(input)
  ways[((input:byte() or 0) - ("0"):byte()) % #ways + 1](input:sub(2))
end

-- A fault: a rate that is no number in the end.
local function plant()
  settings.known.rate.check = nil
  settings.known.pair_rate.check = nil
end

return { check = check, plant = plant }
