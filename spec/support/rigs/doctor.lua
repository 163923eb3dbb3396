-- SPDX-License-Identifier: MIT
-- Runs `cunnekt doctor` as a user does, and finds lines in what it prints.

local json = require "cunnekt.base.json"
local process = require "spec.support.process"

local doctor = {}

-- No spec may depend on which ports are free on the machine.
local defaults = { CUNNEKT_API_KEY = "key-of-the-api", CUNNEKT_WEBHOOK_SECRET = "secret-of-the-webhook", CUNNEKT_LISTEN = "127.0.0.1:0" }

---@class cunnekt.spec.doctor_result
---@field code integer
---@field out string
---@field wrong string all lines of the level, joined
---@field note string
---@field ok string

---@param words string[]
---@param opts? {env: table<string, string>?, cwd: string?, as: string[]?} `env`: "" takes a variable away; `as`: what runs the host
---@return cunnekt.spec.doctor_result
function doctor.run(words, opts)
  opts = opts or {}
  local env = {}
  for name, value in pairs(defaults) do
    env[name] = value
  end
  for name, value in pairs(opts.env or {}) do
    env[name] = value ~= "" and value or nil
  end
  local command = { table.unpack(opts.as or {}) }
  table.move({ process.host, "doctor", "--json", table.unpack(words) }, 1, #words + 3, #command + 1, command)
  local result = process.run(command, { cwd = opts.cwd, env = env, is_bare = true })
  local texts = { ok = {}, note = {}, wrong = {} }
  local read = assert(json.decode(result.out), result.out .. result.err)
  for _, finding in ipairs(read.findings) do
    table.insert(texts[finding.level], ("%s: %s"):format(finding.about, finding.text))
  end
  assert(read.is_well == (#texts.wrong == 0) and (result.code == 0) == read.is_well, result.out)
  for _, secret in pairs { env.CUNNEKT_API_KEY, env.CUNNEKT_WEBHOOK_SECRET, env.CUNNEKT_APP_SECRET } do
    assert(not result.out:find(secret, 1, true), "a secret is shown: " .. result.out)
  end
  return {
    code = result.code, out = result.out, ok = table.concat(texts.ok, "\n"), note = table.concat(texts.note, "\n"),
    wrong = table.concat(texts.wrong, "\n"),
  }
end

return doctor
