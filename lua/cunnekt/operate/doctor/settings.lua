-- SPDX-License-Identifier: MIT
-- What `cunnekt doctor` says of settings: which there are and where from, and secrets that are missing, exchanged, in a wrong
-- place or open to others. No secret is shown, nor what may be one.

local canonical = require "cunnekt.base.canonical"
local core = require "cunnekt.core"
local options = require "cunnekt.base.options"
local settings = require "cunnekt.provider.settings"
local words = require "cunnekt.base.words"

local doctor_settings = {}

-- Variables that commands read and that are no settings.
local other_variables = { CUNNEKT_LOG = true }

-- A part of a path that nobody would type: as `openssl rand` makes them.
local secret_length = 16

---Whether users of the machine other than its owner can read a file.
---@param path string
---@return boolean
function doctor_settings.is_open_to_others(path)
  local found = core.stat(path)
  return found ~= nil and found.mode & tonumber("077", 8) ~= 0
end

---Whether only programs of this machine reach an address.
---@param address string HOST:PORT, or what follows the scheme of a URL
---@return boolean
function doctor_settings.is_loopback(address)
  return (address:find "^127%." or address:find "^localhost%f[:/%z]" or address:find "^%[::1%]") ~= nil
end

local is_open_to_others, is_loopback = doctor_settings.is_open_to_others, doctor_settings.is_loopback

-- ---- which there are -----------------------------------------------------------------------------------------------

local source_words = {
  flag = "from the command line",
  environment = "from the environment",
  conf = "from cunnekt.conf.lua",
  default = "by default",
}

-- The part of a webhook's path that looks like a secret.
local function secret_in_path(path)
  local last = path:match "([^/]+)/*$" or ""
  return #last >= secret_length and last:find "%d" and last or nil
end

local function shown(name, value)
  local secret = name == "webhook_path" and secret_in_path(value)
  if secret then
    return value:gsub(secret:gsub("%p", "%%%0") .. "/*$", "…")
  end
  return settings.shown(name, value)
end

---Lists the settings.
---@param add fun(level: string, about: string, sentence: string, ...: any)
---@param values table<string, any>
---@param sources table<string, string> as of settings.load
---@param wrong table<string, boolean> the settings whose value is not known, because it is wrong
function doctor_settings.list(add, values, sources, wrong)
  for _, name in ipairs(canonical.keys(settings.known)) do
    local value = values[name]
    if value ~= nil and not wrong[name] then
      add("ok", "settings", "%s is %s, %s", name, shown(name, value), source_words[sources[name]] or sources[name])
    end
  end
end

-- ---- secrets -------------------------------------------------------------------------------------------------------

local secrets = { "api_key", "app_secret", "verify_token", "webhook_secret" }

local function variable(name)
  return settings.known[name].env
end

-- What a copy of the instructions leaves behind, and what shells take away but files for services keep.
local function check_form(add, name, value)
  if value:find "^[\"'].*[\"']$" then
    add("wrong", "secret", "%s has quotes around it, which are taken as part of it: write it without them", variable(name))
  elseif value:find("…", 1, true) or value:find "^<.*>$" or value:find "^%.%.%.$" then
    add("wrong", "secret", "%s is still a placeholder: fill in the real one", variable(name))
  end
end

local function check_equal(add, values)
  for i, name in ipairs(secrets) do
    for k = i + 1, #secrets do
      local other = secrets[k]
      if values[name] and values[name] == values[other] then
        add("wrong", "secret", "%s and %s are the same: each needs a value of its own, for who sees one must not know the other",
          variable(name), variable(other))
      end
    end
  end
end

-- Meta's app secrets are 32 hexadecimal digits; a token to verify with is a word that somebody chose.
local function is_like_app_secret(text)
  return #text == 32 and text:find "^%x+$" ~= nil
end

local function check_exchanged(add, values)
  local app, token = values.app_secret, values.verify_token
  if app and token and is_like_app_secret(token) and not is_like_app_secret(app) then
    add("wrong", "secret", "CUNNEKT_APP_SECRET and CUNNEKT_VERIFY_TOKEN look exchanged: the app secret has 32 hexadecimal digits; "
      .. "the verify token is the word that you chose on the dashboard")
  end
end

local function check_path(add, values, sources, wrong)
  local path, secret = values.webhook_path, values.webhook_secret
  if wrong.webhook_path or wrong.webhook_secret then
    return
  elseif secret and path:find(secret, 1, true) then
    add("wrong", "secret", "CUNNEKT_WEBHOOK_PATH holds the webhook secret: take it out there; webhooks are taken at /webhook/SECRET")
  elseif secret and sources.webhook_path ~= "default" then
    add("note", "settings", "webhook_path is not used, because CUNNEKT_WEBHOOK_SECRET is set: webhooks are taken at /webhook/SECRET")
  elseif not secret and secret_in_path(path) then
    add("wrong", "secret", "CUNNEKT_WEBHOOK_PATH seems to hold a secret, which logs and command lines show: "
      .. "set CUNNEKT_WEBHOOK_SECRET to its last part instead, and leave the path out")
  end
end

local function check_conf(add, sources)
  local open = is_open_to_others(settings.conf_path())
  for _, name in ipairs(secrets) do
    if sources[name] == "conf" and open then
      add("wrong", "settings", "cunnekt.conf.lua holds %s and can be read by other users; move it to the environment, or chmod 600 the file", name)
    end
  end
end

-- ---- the environment -----------------------------------------------------------------------------------------------

local function check_names(add, variables)
  local is_known, suffixes = {}, {}
  for _, setting in pairs(settings.known) do
    if setting.env then
      is_known[setting.env] = true
      suffixes[#suffixes + 1] = setting.env:match "^CUNNEKT_(.*)$"
    end
  end
  table.sort(suffixes)
  for _, name in ipairs(variables) do
    if not is_known[name] and not other_variables[name] then
      local near = options.suggest(name:match "^CUNNEKT_(.*)$", suffixes)
      local hint = near and ("did you mean CUNNEKT_%s?"):format(near) or "cunnekt run -h lists them"
      add(near and "wrong" or "note", "settings", "the variable %s is no setting; %s", words.plain(name), hint)
    end
  end
end

---Checks what may be wrong with settings.
---@param add fun(level: string, about: string, sentence: string, ...: any)
---@param values table<string, any>
---@param sources table<string, string> as of settings.load
---@param wrong table<string, boolean> the settings whose value is not known, because it is wrong
---@param variables string[] names of the variables that begin with CUNNEKT_
function doctor_settings.check(add, values, sources, wrong, variables)
  if not values.app_secret and not values.webhook_secret and not (wrong.app_secret or wrong.webhook_secret) then
    local missing = "neither CUNNEKT_WEBHOOK_SECRET nor CUNNEKT_APP_SECRET is set"
    add("note", "settings", "%s: whoever finds the address can post events", missing)
  end
  if values.admin and not is_loopback(values.admin) then
    add("note", "settings", "the admin address %s can be reached from other machines; keep it behind a firewall", values.admin)
  end
  if values.base_url:find "^[hH][tT][tT][pP]:" and not is_loopback(values.base_url:match "^%w+://(.*)") then
    add("wrong", "settings", "base_url is not https: the key and all messages can be read on the way")
  end
  for _, name in ipairs(secrets) do
    if values[name] then
      check_form(add, name, values[name])
    end
  end
  check_equal(add, values)
  check_exchanged(add, values)
  check_path(add, values, sources, wrong)
  check_conf(add, sources)
  check_names(add, variables)
end

return doctor_settings
