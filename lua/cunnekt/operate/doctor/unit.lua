-- SPDX-License-Identifier: MIT
-- Reads a unit of systemd as far as `cunnekt doctor` needs it: which script it runs with which options, and in which environment.
-- So the settings that are checked are those that the service has.

local core = require "cunnekt.core"
local is_open_to_others = require("cunnekt.operate.doctor.settings").is_open_to_others
local settings = require "cunnekt.provider.settings"
local whole_file = require "cunnekt.base.whole_file"
local words = require "cunnekt.base.words"

local unit = {}

-- Where systemd looks for units, the first of a name wins.
local folders = {
  "/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
}

-- ---- the form of the files -----------------------------------------------------------------------------------------

-- Lines, with those joined that end with a backslash, and without comments.
local function lines_of(text)
  local lines, open = {}, ""
  for line in (text .. "\n"):gmatch "(.-)\r?\n" do
    if not line:find "^%s*[#;]" then
      local head = line:match "^(.*)\\$"
      if head then
        open = open .. head .. " "
      else
        lines[#lines + 1], open = words.trim(open .. line), ""
      end
    end
  end
  return lines
end

-- Splits at spaces outside of quotes, and takes the quotes away.
local function split(text)
  local list, at = {}, 1
  while true do
    at = text:find("%S", at)
    if not at then
      return list
    end
    local word = ""
    repeat
      local quote = text:match("^[\"']", at)
      local piece, next_at
      if quote then
        piece, next_at = text:match("^" .. quote .. "([^" .. quote .. "]*)" .. quote .. "?()", at)
      else
        piece, next_at = text:match("^([^%s\"']+)()", at)
      end
      word, at = word .. piece, next_at
    until at > #text or text:find("^%s", at)
    list[#list + 1] = word
  end
end

local function unquoted(text)
  return text:match "^\"(.*)\"$" or text:match "^'(.*)'$" or text
end

-- Reads one file of a unit into its lists. An empty value takes back what came before.
local function add_file(values, text)
  local section
  for _, line in ipairs(lines_of(text)) do
    section = line:match "^%[(.*)%]$" or section
    local key, value = line:match "^(%w+)%s*=%s*(.*)$"
    if key and section == "Service" then
      values[key] = value ~= "" and (values[key] or {}) or {}
      if value ~= "" then
        table.insert(values[key], value)
      end
    end
  end
end

-- ---- finding it ----------------------------------------------------------------------------------------------------

local function drop_ins_of(path)
  local names, list = core.names(path .. ".d") or {}, {}
  table.sort(names)
  for _, name in ipairs(names) do
    if name:find "%.conf$" then
      list[#list + 1] = path .. ".d/" .. name
    end
  end
  return list
end

-- The files of a unit, its own first; nil when there is none.
local function files_of(name)
  if name:find("/", 1, true) then
    return { name, table.unpack(drop_ins_of(name)) }
  end
  name = name:find "%.service$" and name or name .. ".service"
  local own, drop_ins = nil, {}
  for _, folder in ipairs(folders) do
    local path = folder .. "/" .. name
    own = own or (core.stat(path) and path)
    for _, drop_in in ipairs(drop_ins_of(path)) do
      drop_ins[#drop_ins + 1] = drop_in
    end
  end
  return own and { own, table.unpack(drop_ins) }
end

-- ---- what it says --------------------------------------------------------------------------------------------------

local function note_assignment(self, assignment, is_in_unit)
  local name, value = assignment:match "^([%a_][%w_]*)=(.*)$"
  if name then
    self.environment[name] = value
    local is_secret = false
    for _, setting in pairs(settings.known) do
      is_secret = is_secret or (setting.is_secret and setting.env == name)
    end
    self.secrets_in_unit[name] = is_in_unit and is_secret or nil
  end
end

local function read_environment_file(self, entry)
  local is_optional, path = entry:match "^(%-?)(.*)$"
  local text, problem = whole_file.read(path)
  if text then
    self.environment_files[#self.environment_files + 1] = path
    for _, line in ipairs(lines_of(text)) do
      local name, value = line:match "^([%a_][%w_]*)%s*=%s*(.*)$"
      if name then
        note_assignment(self, name .. "=" .. unquoted(value), false)
      end
    end
  elseif is_optional == "" or core.stat(path) then
    self.problems[#self.problems + 1] = problem
  end
end

---@class cunnekt.doctor.unit
---@field path string
---@field args string[] what follows `cunnekt run`
---@field environment table<string, string>
---@field environment_files string[] those that could be read
---@field secrets_in_unit table<string, boolean> variables with a secret that are in the unit itself
---@field state_folder string? where the service may write
---@field is_other_user boolean whether the service runs as another user than root
---@field problems string[] environment files that cannot be read

---Reads a unit.
---@param name string of the service, or the path of a file
---@return cunnekt.doctor.unit?
---@return string? problem
function unit.read(name)
  local files = files_of(name)
  if not files then
    return nil, ("there is no unit %s; systemctl list-unit-files 'cunnekt*' lists them"):format(name)
  end
  local values = {}
  for _, path in ipairs(files) do
    local text, problem = whole_file.read(path)
    if not text then
      return nil, "cannot read " .. problem
    end
    add_file(values, text)
  end
  local state = (values.StateDirectory or {})[1]
  local self = {
    state_folder = state and not state:find "%%" and "/var/lib/" .. state:match "^[^%s:]*" or nil,
    path = files[1], environment = {}, environment_files = {}, secrets_in_unit = {}, problems = {},
    is_other_user = values.DynamicUser ~= nil or (values.User ~= nil and values.User[1] ~= "root"),
  }
  for _, line in ipairs(values.Environment or {}) do
    for _, assignment in ipairs(split(line)) do
      note_assignment(self, assignment, true)
    end
  end
  for _, entry in ipairs(values.EnvironmentFile or {}) do
    read_environment_file(self, entry)
  end
  local command = split((values.ExecStart or {})[1] or "")
  if command[2] ~= "run" then
    return nil, ("%s does not start `cunnekt run`"):format(files[1])
  end
  self.args = { table.unpack(command, 3) }
  return self
end

-- ---- what is wrong with it -----------------------------------------------------------------------------------------

local function is_readable_to_all(path)
  local found = core.stat(path)
  return not found or found.mode & tonumber("004", 8) ~= 0
end

---Findings on the files of a unit.
---@param its_unit cunnekt.doctor.unit
---@param script? string
---@return cunnekt.doctor.finding[]
function unit.findings(its_unit, script)
  local findings = {}
  local function wrong(about, sentence, ...)
    findings[#findings + 1] = { level = "wrong", about = about, text = sentence:format(...) }
  end
  for _, problem in ipairs(its_unit.problems) do
    local hint = problem:find "[Pp]ermission" and "run this with sudo" or "make it from .env.example: sudo install -m 600 .env.example FILE"
    wrong("unit", "the environment file cannot be read: %s; %s", problem, hint)
  end
  for _, path in ipairs(its_unit.environment_files) do
    if is_open_to_others(path) then
      wrong("secret", "%s holds secrets, and can be read by other users; chmod 600 it", path)
    end
  end
  for name in pairs(its_unit.secrets_in_unit) do
    wrong("secret", "%s holds %s, and every user can read units; move it to a file of mode 600, named by EnvironmentFile", its_unit.path, name)
  end
  for _, path in ipairs(its_unit.is_other_user and { script or its_unit.path, settings.conf_path() } or {}) do
    if not is_readable_to_all(path) then
      wrong("unit", "%s cannot be read by the service, which is another user; chmod 644 it, and keep secrets in the environment file", path)
    end
  end
  return findings
end

return unit
