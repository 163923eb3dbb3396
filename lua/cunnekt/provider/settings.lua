-- SPDX-License-Identifier: MIT
-- The settings, and where the value of each comes from: the host's overrides, flags, the script's options, the environment,
-- cunnekt.conf.lua or a default, in this order. `settings.known` is the only list. A wrong value raises a message that
-- names its source; secrets are never repeated.

local address = require "cunnekt.base.address"
local identity = require "cunnekt.provider.identity"
local limits = require "cunnekt.provider.limits"
local options = require "cunnekt.base.options"
local own_secrets = require "cunnekt.provider.own_secrets"
local words = require "cunnekt.base.words"

local settings = {}

local CONF = "cunnekt.conf.lua"

-- ---- checks: each returns nil, or what is wrong ---------------------------------------------------------------------

local function from_zero(value)
  if value ~= value or value < 0 or value == math.huge then
    return ("must be 0 or more, got %g"):format(value)
  end
end

local function above_zero(value)
  if value ~= value or value <= 0 or value == math.huge then
    return ("must be more than 0, got %g"):format(value)
  end
end

local function web_address(value)
  if not value:find "^[Hh][Tt][Tt][Pp][Ss]?://[^%s/?#]+[^%s?#]*$" then
    return "must be an address such as https://app2.cunnekt.com/v1"
  end
end

local function listen_address(value)
  if not address.parse(value) or value:find "^:" or value:find "%s" then
    return "must be HOST:PORT, such as 127.0.0.1:8080"
  end
end

local function url_path(value)
  if not value:find "^/[%w%-._~/%%]*$" then
    return "must be a path such as /webhook"
  end
end

local function path_segment(value)
  if not value:find "^[%w%-._~]+$" then
    return "must be made of letters, digits and -._~ only, since it becomes part of an address"
  end
end

local function header_text(value)
  if value:find "[%c ]" then
    return "holds a space or a control character"
  end
end

local function take_over_time(value)
  if not (value >= 0.5 and value <= 3600) then
    return ("must be from 0.5 to 3600, got %g"):format(value)
  end
end

local function store_name(value)
  local is_known = value:find "^sqlite:." or value:find "^memory:" or value:find "^postgres://"
  if not (is_known or value:find "^postgresql://") then
    return "must be sqlite:FILE, memory: or postgres://…"
  end
end

local function country_code(value)
  if not identity.country(value) then
    return "must be a country code such as '91'"
  end
end

local function line_id(value)
  if not identity.line(value) then
    return "must be the provider's id of a business number, such as '106540352242922'"
  end
end

-- ---- the settings ---------------------------------------------------------------------------------------------------

---@class cunnekt.setting
---@field about string what it is; cunnekt.conf(5) is made from this
---@field type string|string[] as for options.check
---@field env? string the environment variable
---@field default? any
---@field check? fun(value: any): string? returns what is wrong
---@field is_secret? boolean never from a flag, never in a message
---@field has_password? boolean an address that may contain one; see settings.shown
---@field is_client? boolean an option of cunnekt.client
---@field meaning? string what to give, for messages

---@type table<string, cunnekt.setting>
settings.known = {
  api_key = {
    about = "the key of the API, from the API page of the Cunnekt dashboard",
    type = "string", env = "CUNNEKT_API_KEY", check = header_text, is_secret = true, is_client = true,
  },
  base_url = {
    about = "the address of Cunnekt's API",
    type = "string",
    env = "CUNNEKT_BASE_URL",
    default = "https://app2.cunnekt.com/v1",
    check = web_address,
    has_password = true,
    is_client = true,
  },
  rate = {
    about = "messages a second for the business number; 0: no limit",
    type = "number",
    env = "CUNNEKT_RATE",
    default = limits.rate,
    check = from_zero,
    is_client = true,
    meaning = "messages a second, such as 80; 0 is no limit",
  },
  pair_rate = {
    about = "messages a second for one contact, after bursts to 45; 0: no limit",
    type = "number",
    env = "CUNNEKT_PAIR_RATE",
    default = limits.pair_rate,
    check = from_zero,
    is_client = true,
    meaning = "messages a second to one contact, such as 0.2; 0 is no limit",
  },
  timeout = {
    about = "seconds that a request may take",
    type = "number", default = 30, check = above_zero, is_client = true, meaning = "seconds, such as 30",
  },
  connect_timeout = {
    about = "seconds that a connection may take to be made",
    type = "number", default = 10, check = above_zero, is_client = true, meaning = "seconds, such as 10",
  },
  retries = {
    about = "how often a message is tried again that the provider surely did not take",
    type = "integer", default = 3, check = from_zero, is_client = true,
  },
  ca_file = {
    about = "a file of certificates to trust, instead of those of the system",
    type = "string", is_client = true,
  },
  proxy = {
    about = "the HTTP proxy for requests to the API",
    type = "string", has_password = true, is_client = true,
  },
  mobile_format = {
    about = "how numbers are sent: in digits, or with a plus before them",
    type = { "digits", "plus" }, default = "digits", is_client = true,
  },
  default_country = {
    about = "the country code of numbers that are written without one",
    type = "string|integer", check = country_code, is_client = true,
  },
  phone_number_id = {
    about = "the business number that a bot writes first from: the provider's id of it",
    type = "string|integer", env = "CUNNEKT_PHONE_NUMBER_ID", check = line_id,
  },
  listen = {
    about = "the address for webhooks, HOST:PORT; port 0: any free port",
    type = "string", env = "CUNNEKT_LISTEN", default = "127.0.0.1:8080", check = listen_address,
  },
  admin = {
    about = "the address of /healthz, /readyz and /metrics; keep it private",
    type = "string", env = "CUNNEKT_ADMIN", check = listen_address,
  },
  webhook_path = {
    about = "the path that webhooks come to",
    type = "string", env = "CUNNEKT_WEBHOOK_PATH", default = "/webhook", check = url_path,
  },
  webhook_secret = {
    about = "webhooks are taken at /webhook/SECRET and nowhere else",
    type = "string", env = "CUNNEKT_WEBHOOK_SECRET", check = path_segment, is_secret = true,
  },
  app_secret = {
    about = "checks the signature X-Hub-Signature-256 of each webhook",
    type = "string", env = "CUNNEKT_APP_SECRET", check = header_text, is_secret = true,
  },
  verify_token = {
    about = "answers the handshake that verifies the webhook's address",
    type = "string", env = "CUNNEKT_VERIFY_TOKEN", is_secret = true,
  },
  store = {
    about = "where the bot keeps its state: sqlite:FILE, beside the script when it is relative, postgres://USER@HOST/DATABASE, or memory:",
    type = "string", env = "CUNNEKT_STORE", default = "sqlite:cunnekt.db", check = store_name, has_password = true,
  },
  take_over = {
    about = "seconds without a sign of life after which a host that stands by takes over a database of PostgreSQL",
    type = "number", env = "CUNNEKT_TAKE_OVER", default = 15, check = take_over_time, meaning = "seconds, such as 15",
  },
}

own_secrets.watch(settings.known)

local function types_of(is_wanted)
  local types = {}
  for name, setting in pairs(settings.known) do
    if is_wanted(setting) then
      types[name] = setting.type
    end
  end
  return types
end

---@type table<string, string|string[]> the options of cunnekt.client, for options.check
settings.client_types = types_of(function(setting)
  return setting.is_client
end)

local flag_types = types_of(function(setting)
  return not setting.is_secret
end)

local all_types = types_of(function()
  return true
end)

-- ---- sources --------------------------------------------------------------------------------------------------------

local function refuse(label, what)
  error(("%s: %s"):format(label, what), 0)
end

local function meaning_of(setting)
  return setting.meaning and ("; give " .. setting.meaning) or ""
end

local function checked(label, setting, value)
  if setting.is_secret then
    -- A key that was copied or read from a file often ends with a line break.
    value = words.trim(value)
    if value == "" then
      -- Taken for "none", it would open the door that it was meant to close.
      refuse(label, "is empty; give it a value, or do not set it at all")
    end
  end
  local problem = setting.check and setting.check(value)
  if problem then
    refuse(label, problem .. meaning_of(setting))
  end
  return value
end

-- A value that is text in its source: an environment variable, a flag.
local function from_text(label, setting, text)
  local is_number = setting.type == "number" or setting.type == "integer"
  if not is_number or type(text) == "number" then
    return checked(label, setting, text)
  end
  local number = tonumber(text)
  if not number then
    refuse(label, ("'%s' is not a number%s"):format(text, meaning_of(setting)))
  end
  return checked(label, setting, number)
end

---A setting from the environment.
---@param name string
---@param getenv? fun(variable: string): string? os.getenv by default
---@return any? value nil when it is not set, or empty; an empty secret raises
function settings.environment(name, getenv)
  local setting = settings.known[name]
  local text = setting.env and (getenv or os.getenv)(setting.env)
  if not text or (text == "" and not setting.is_secret) then
    return nil
  end
  return from_text(setting.env, setting, text)
end

local is_lua_word = { ["end"] = true, ["then"] = true, ["do"] = true, ["until"] = true, ["in"] = true, ["function"] = true }

-- Lua quotes what it cannot read or use. That may be a key whose quotes are missing; signs and Lua's own names surely are none.
local function without_values(problem)
  return (problem:gsub(" near .*$", ""):gsub("'([^']*)'", function(name)
    local is_harmless = not name:find "[%w\x80-\xff]" or is_lua_word[name] or _G[name] ~= nil
    return not is_harmless and "'…'" or nil
  end))
end

local not_there = 2 -- ENOENT

-- Calls a function that raises for a wrong value, where somebody wants to hear of all that are wrong: they are told then, and
-- the value is nil.
local function try(on_problem, name, fn, ...)
  if not on_problem then
    return fn(...)
  end
  local ok, value, source = pcall(fn, ...)
  if not ok then
    on_problem(value, name)
    return nil
  end
  return value, source
end

local function load_conf(path)
  local file, problem, code = io.open(path, "r")
  if not file and code == not_there then
    return {}
  elseif not file then
    -- Passed over, its settings would be missing without a word.
    refuse(path, ("cannot be read: %s"):format(problem:match "[^:]*$":match "^%s*(.*)"))
  end
  file:close()
  -- Without an environment: the file is data, written as Lua.
  local chunk
  chunk, problem = loadfile(path, "t", {})
  if not chunk then
    problem = without_values(problem)
    error(problem:find(path, 1, true) and problem or ("%s: %s"):format(path, problem), 0)
  end
  local ok, conf = pcall(chunk)
  if not ok then
    error(without_values(tostring(conf)), 0)
  elseif type(conf) ~= "table" then
    refuse(path, "must return a table, as in: return { listen = \"127.0.0.1:8080\" }")
  end
  return conf
end

local function conf_value(path, name, value)
  options.check(path, { [name] = value }, all_types, 0, settings.known)
  return checked(("%s: %s"):format(path, name), settings.known[name], value)
end

local function read_conf(path, on_problem)
  local read = {}
  for name, value in pairs(try(on_problem, nil, load_conf, path) or {}) do
    read[name] = try(on_problem, name, conf_value, path, name, value)
  end
  return read
end

local function flag_value(name, value)
  if settings.known[name] and settings.known[name].is_secret then
    refuse("--" .. name, ("a secret does not belong on a command line; use %s"):format(settings.known[name].env))
  elseif not flag_types[name] then
    options.check("flags", { [name] = value }, flag_types, 0)
  end
  return from_text("--" .. name:gsub("_", "-"), settings.known[name], value)
end

local function read_flags(flags, on_problem)
  local read = {}
  for name, value in pairs(flags) do
    read[name] = try(on_problem, name, flag_value, name, value)
  end
  return read
end

-- `level`: as in `error`, seen from settings.load.
local function read_script(where, script, level)
  options.check(where, script, all_types, level + 2, settings.known)
  local read = {}
  for name, value in pairs(script) do
    local ok, found = pcall(checked, ("%s: option '%s'"):format(where, name), settings.known[name], value)
    if not ok then
      error(found, level + 1)
    end
    read[name] = found
  end
  return read
end

-- Set by the command line; see settings.set_host.
local host = {}

---@class cunnekt.settings.host
---@field overrides? table<string, any> take precedence over everything: `cunnekt dev` points a script at its sandbox
---@field flags? table<string, any> of the command line
---@field conf_path? string
---@field folder? string the script's; cunnekt.conf.lua and a relative path of the store are in it, not in the working folder

local function beside_script(path)
  local folder = host.folder
  if not folder or path:find "^/" then
    return path
  end
  return folder:gsub("/*$", "/", 1) .. path
end

---A file's path: beside the script when it is relative, wherever the host was started.
---@param path string
---@return string
function settings.beside_script(path)
  return (beside_script(path))
end

---Sets values for every later `settings.load` of the process. For the command line, once, at its start.
---@param values? cunnekt.settings.host nil: nothing
function settings.set_host(values)
  host = values or {}
end

---The path of cunnekt.conf.lua, which need not exist.
---@return string path
function settings.conf_path()
  return host.conf_path or beside_script(CONF)
end

-- A program that only sends (`false`) does not run a file that happens to be in its folder.
local function conf_of(path, on_problem)
  if path == nil or path == false then
    path = host.conf_path or (path == nil and beside_script(CONF))
  end
  return path and read_conf(path, on_problem) or {}
end

---@class cunnekt.settings.load_options
---@field flags? table<string, any> of the command line; the host's by default
---@field script? table<string, any> the script's own options
---@field where? string the function whose options these are, for messages; "settings" by default
---@field conf_path? string|false cunnekt.conf.lua by default; false: only the one that the host was started with
---@field names? table<string, any> only these settings, by name; all by default
---@field getenv? fun(variable: string): string?
---@field on_problem? fun(message: string, name: string?) hears of each wrong value, which is passed over then; nothing is raised
---@field level? integer whose line an error about the script's options names, as in `error`

-- The first layer that has the setting. The environment is read last of all: a variable that is overridden may be wrong.
local function found(name, layers, getenv)
  for _, layer in ipairs(layers) do
    local value = layer.values[name]
    if layer.source == "environment" then
      value = settings.environment(name, getenv)
    end
    if value ~= nil then
      return value, layer.source
    end
  end
  local default = settings.known[name].default
  return default, default ~= nil and "default" or nil
end

-- A relative file of a store is beside the script, wherever the host was started.
local function located(store)
  local path = store and store:match "^sqlite:(.+)$"
  return path and "sqlite:" .. beside_script(path) or store
end

---Finds the value of every setting. Raises a message about one that is wrong, unless `on_problem` is given.
---@param opts? cunnekt.settings.load_options
---@return table<string, any> values
---@return table<string, string> sources "override", "flag", "script", "environment", "conf" or "default" for each
function settings.load(opts)
  opts = opts or {}
  local layers = {
    { source = "override", values = host.overrides or {} },
    { source = "flag", values = read_flags(opts.flags or host.flags or {}, opts.on_problem) },
    { source = "script", values = read_script(opts.where or "settings", opts.script or {}, opts.level or 3) },
    { source = "environment", values = {} },
    { source = "conf", values = conf_of(opts.conf_path, opts.on_problem) },
  }
  local values, sources = {}, {}
  for name in pairs(opts.names or settings.known) do
    values[name], sources[name] = try(opts.on_problem, name, found, name, layers, opts.getenv)
  end
  values.store = located(values.store)
  own_secrets.note(settings.known, values)
  return values, sources
end

---A setting as operators may see it.
---@param name string
---@param value any
---@return string
function settings.shown(name, value)
  local setting, text = settings.known[name], tostring(value)
  if setting.is_secret then
    return "set, and not shown here"
  elseif text:find "^postgres%a*://.*[@?]" or text:find "^postgres%a*://[^/%[]*:%d*[^%d/,]" then
    -- A password may be before the host, which may be missing, or among the options, and hold any sign that should be written as %XX.
    local before, place = text:match "^(postgres%a*://)[^@?]*@([%w.,:/_%-]*)"
    local is_plain = before and not text:find("@.*@")
    return is_plain and before .. "…@" .. place or "postgres://…"
  elseif setting.has_password and not text:find "^sqlite:" and text:find("@", 1, true) then
    -- All that a password can reach: it may hold any sign, and a proxy needs no scheme.
    return (text:match "^%a[%w+.-]*://" or "") .. "…@" .. text:match "[^@]*$"
  end
  return text
end

---The settings that are options of cunnekt.client.
---@param values table<string, any>
---@return table<string, any>
function settings.client_options(values)
  local chosen = {}
  for name in pairs(settings.client_types) do
    chosen[name] = values[name]
  end
  return chosen
end

return settings
