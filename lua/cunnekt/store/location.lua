-- SPDX-License-Identifier: MIT
-- Where a store is, by its URL: its file, or for one without a file the name that its admin socket is made of.

local errors = require "cunnekt.base.errors"
local settings = require "cunnekt.provider.settings"

local location = {}

-- A service of systemd may write into this folder of its own, and often not into its script's.
local state_folder

---For a command that means another process than its own: the folder that systemd gives to the service.
---@param folder? string nil: this process's
function location.set_state_folder(folder)
  state_folder = folder
end

---Whether a store's URL names a database of PostgreSQL.
---@param url string
---@return boolean
function location.is_postgres(url)
  return url:find "^postgres://" ~= nil or url:find "^postgresql://" ~= nil
end

-- Each schema that a URL names has its own.
local function postgres_path(url)
  local schema = url:match "search_path%%3[Dd]([%w_%%.-]+)"
  local name = "cunnekt-postgres" .. (schema and "-" .. schema or "")
  local folder = state_folder or (os.getenv "STATE_DIRECTORY" or ""):match "^/[^:]*"
  return folder and folder:gsub("/*$", "/", 1) .. name or settings.beside_script(name)
end

---The file of a store's URL, or the name that stands for one: in the folder of the service, or beside the script.
---@param url string "sqlite:FILE", "memory:" or "postgres://…"
---@return string? path ":memory:" without a file
---@return cunnekt.error? err kind invalid
function location.path(url)
  local path = url == "memory:" and ":memory:" or url:match "^sqlite:(.+)$" or location.is_postgres(url) and postgres_path(url)
  if path then
    return path
  end
  -- The URL of a database can contain a password, so it is not repeated.
  return nil, errors.new("invalid", "unknown kind of store; use sqlite:FILE, memory: or postgres://USER@HOST/DATABASE")
end

---The folder of a store's file.
---@param path string
---@return string
function location.folder(path)
  local folder = path:match "^(.*)/[^/]*$" or "."
  return folder == "" and "/" or folder
end

return location
