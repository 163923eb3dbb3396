-- SPDX-License-Identifier: MIT
-- `cunnekt trigger`: makes one event of a customer, and gives it to a sandbox or posts it to a webhook. The bodies are made
-- by sandbox/samples.lua.

local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local identity = require "cunnekt.provider.identity"
local json = require "cunnekt.base.json"
local samples = require "cunnekt.sandbox.samples"
local settings = require "cunnekt.provider.settings"
local usage = require "cunnekt.cli.usage"
local webhooks = require "cunnekt.sandbox.webhooks"
local whole_file = require "cunnekt.base.whole_file"

local command = {}

command.help = [[
NAME
       cunnekt trigger - act as a customer

SYNOPSIS
       cunnekt trigger TYPE [OPTIONS] (--sandbox URL | --webhook URL)

DESCRIPTION
       Makes one event in the provider's own form. With --sandbox, a customer of
       a running sandbox writes it, and the sandbox posts it to its bot; with
       --webhook it is posted to that URL directly.

       TYPE is a message: text button list quick_reply form image video audio
       document sticker location contacts reaction order system edit revoke
       request_welcome call_permission_reply unsupported unknown; a status:
       sent delivered read played failed; or another event: echo call payment
       user_preferences user_id_update group automatic_event history
       state_sync error, or WhatsApp's name of a change of the account, such
       as message_template_status_update.

OPTIONS
       --from NUMBER
              The customer (919999999999). For a status: who was written to.

       --name NAME
              The customer's name.

       --text TEXT
              The text; the title of a choice; the caption of a file; the
              answers of a form, as JSON; stop or resume, for
              user_preferences.

       --id ID
              For button, list and quick_reply the id that was chosen; for
              reactions, edits, deletions and statuses the message; else the
              message's own id.

       --file FILE
              The file that is sent, for media.

       --set FIELD=VALUE
              Change any field of the event; may be repeated. FIELD is a path
              such as messages.0.text.body, or one within the message or status,
              such as text.body. FIELD:=JSON sets a value that is not a string;
              FIELD:=null removes the field.

       --envelope
              In Meta's own envelope instead of Cunnekt's flattened form.

       --json
              Print what was posted.

ENVIRONMENT
       CUNNEKT_APP_SECRET  with --webhook: signs the event, as Meta does

EXIT STATUS
       0      the bot answered 2xx
       1      it did not
       2      the command line was not understood

EXAMPLES
       cunnekt trigger text --text hi --sandbox http://127.0.0.1:8025
       cunnekt trigger button --id bad --webhook http://127.0.0.1:8080/webhook
       cunnekt trigger document --file bill.pdf --sandbox http://127.0.0.1:8025
       cunnekt trigger failed --id wamid.X --set errors.0.code:=131047 \
              --webhook http://127.0.0.1:8080/webhook
]]

local function define(parser)
  parser:argument "type"
  for _, name in ipairs { "from", "name", "text", "id", "file" } do
    parser:option("--" .. name)
  end
  parser:option("--set"):count "*"
  parser:flag "--envelope"
  parser:flag "--json"
  parser:mutex(parser:option "--sandbox", parser:option "--webhook")
end

-- FIELD=VALUE and FIELD:=JSON as path → value; or nil and what is wrong.
local function read_changes(list)
  local changes = {}
  for _, word in ipairs(list) do
    local path, text = word:match "^([^=]-):=(.*)$"
    if path and path ~= "" then
      local value, err = json.decode(text)
      if value == nil then
        return nil, ("--set %s: %s"):format(path, err.message)
      end
      changes[path] = value
    else
      path, text = word:match "^([^=]+)=(.*)$"
      if not path then
        return nil, ("--set takes FIELD=VALUE, got '%s'"):format(word)
      end
      changes[path] = text
    end
  end
  return changes
end

-- The options for samples.build; or nil and what is wrong.
local function read_options(parsed)
  local kind = parsed.type
  if not (samples.is_message(kind) or samples.is_status(kind) or samples.is_event(kind)) then
    local known = {}
    for _, list in ipairs { samples.types, samples.statuses, samples.events } do
      table.move(list, 1, #list, #known + 1, known)
    end
    return nil, ("unknown type '%s'%s"):format(kind, usage.hint(kind, known))
  elseif not parsed.sandbox and not parsed.webhook then
    return nil, "--sandbox URL or --webhook URL is missing"
  elseif not (parsed.sandbox or parsed.webhook):find "^https?://[^/%s]" then
    return nil, "the URL must begin with http:// or https://"
  end
  local changes, problem = read_changes(parsed.set)
  if not changes then
    return nil, problem
  end
  local from, err
  if parsed.from then
    from, err = identity.normalise(parsed.from, nil, "--from")
  end
  if err then
    return nil, err.message
  end
  local wanted = {
    from = from, name = parsed.name, text = parsed.text, id = parsed.id, set = changes,
    envelope = parsed.envelope,
  }
  if parsed.file then
    local unread
    wanted.data, unread = whole_file.read(parsed.file)
    if not wanted.data then
      return nil, unread
    end
    wanted.filename = parsed.file:match "[^/]+$"
  end
  return wanted
end

local function fail(message)
  io.stderr:write(("cunnekt trigger: %s\n"):format(message))
  return 1
end

local function finish(parsed, shown, id, status)
  print(parsed.json and shown or ("%s %s, answered %d"):format(parsed.type, id, status))
  if status < 200 or status > 299 then
    return fail(("the bot answered %d"):format(status))
  end
  return 0
end

local function post_to_webhook(parsed, wanted)
  local body, about = samples.build(parsed.type, wanted)
  local text = json.encode(body)
  local headers = webhooks.headers(text, settings.environment "app_secret")
  local answer, err = http.post(parsed.webhook, text, { headers = headers, timeout = 30 })
  if not answer then
    return fail(tostring(err))
  end
  return finish(parsed, text, about.id, answer.status)
end

local STATUS_FIELDS = { id = true, from = true, set = true, envelope = true }

local function post_to_sandbox(parsed, wanted)
  local call = "messages"
  if samples.is_status(parsed.type) then
    call, wanted.status = "statuses", parsed.type
    for name in pairs(wanted) do
      if name ~= "status" and not STATUS_FIELDS[name] then
        wanted[name] = nil
      end
    end
  else
    call = samples.is_event(parsed.type) and "events" or call
    wanted.type = parsed.type
    wanted.data = wanted.data and core.base64_encode(wanted.data)
  end
  wanted.wait = true
  local text = json.encode(wanted)
  local base = parsed.sandbox:gsub("/+$", ""):gsub("/v1$", "")
  local answer, err = http.post(base .. "/control/" .. call, text, {
    headers = { ["Content-Type"] = "application/json" }, timeout = 60,
  })
  if not answer then
    return fail(tostring(err))
  end
  local result = json.decode(answer.body) or {}
  if answer.status ~= 200 then
    return fail(result.error and result.error.message or ("the sandbox answered %d"):format(answer.status))
  elseif not result.webhook then
    io.stderr:write "cunnekt trigger: the sandbox has no webhook URL, so no bot received it\n"
  elseif not result.webhook.status then
    return fail(("the sandbox could not reach the bot (%s); it keeps trying"):format(result.webhook.error))
  end
  return finish(parsed, text, result.id, result.webhook and result.webhook.status or 200)
end

---@param args string[]
---@return integer code
function command.run(args)
  local parsed, code = usage.parse("trigger", command.help, define, args)
  if not parsed then
    return code
  end
  local wanted, problem = read_options(parsed)
  if not wanted then
    return usage.mistake("trigger", problem)
  end
  return (parsed.sandbox and post_to_sandbox or post_to_webhook)(parsed, wanted)
end

return command
