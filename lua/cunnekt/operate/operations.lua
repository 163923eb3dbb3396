-- SPDX-License-Identifier: MIT
-- All operations by name: the only way to run one, over the admin socket of a running host and by the command line on a
-- store without a host. An operation takes its target and its arguments, and gives what JSON can hold, or nil and an
-- error. It may wait. What each one does is in the file of its kind.

local errors = require "cunnekt.base.errors"
local identity = require "cunnekt.provider.identity"
local options = require "cunnekt.base.options"

local operations = {}

---How the error begins for a name that a host does not know, of whatever version it is.
operations.no_operation = "there is no operation "

---A store, and the service that runs on it in this process, if any.
---@class cunnekt.operate.target
---@field store table
---@field service? cunnekt.operate.service

---What operators may ask of a running service.
---@class cunnekt.operate.service
---@field store table
---@field settings table<string, any>
---@field counts table<string, integer>
---@field started_at number seconds since 1970
---@field is_stopping boolean
---@field standing_by string? why it has no store yet
---@field inbox cunnekt.operate.inbox
---@field outbox cunnekt.operate.outbox
---@field engine {put_own: fun(self, record: cunnekt.inbox.record): boolean?, cunnekt.error?} put_own: stores an event of our own, and queues it
---@field dialogs {evict: fun(self, id: integer), evict_of: fun(self, contact: string)} evict: from memory; of: those of a conversation
---@field address fun(self): string? where webhooks come in; nil before it listens
---@field chat fun(self, contact: string): cunnekt.chat

---@class cunnekt.operate.inbox
---@field has_room fun(self, n: integer): boolean whether n more events can be accepted
---@field count fun(self): integer waiting and running events
---@field active fun(self): integer running events
---@field enqueue fun(self, records: cunnekt.inbox.record[]) queues events that are stored
---@field retry_first fun(self, id: integer, contact: string, seq: integer?) queues an event of the store ahead of all others of its contact
---@field retry_now fun(self, seq: integer, contact: string) ends the pause before an event's next attempt
---@field forget fun(self, seq: integer, contact: string): boolean drops what memory has of an event; false: it is running

---@class cunnekt.operate.outbox
---@field count fun(self): integer messages that wait or are being sent
---@field retry_first fun(self, row: table) queues a message of the store ahead of all others to its contact
---@field drop fun(self, id: integer, contact: string): boolean false: it is being sent

---@class cunnekt.operate.operation
---@field types table<string, string|string[]> of its arguments, for options.check
---@field run fun(target: cunnekt.operate.target, args: table): table?, cunnekt.error?

---@type table<string, cunnekt.operate.operation>
local known = {}
for _, part in ipairs { "events", "messages", "dialogs", "scripts", "contacts", "values", "host" } do
  for name, operation in pairs(require("cunnekt.operate." .. part).operations) do
    known[name] = operation
  end
end

-- The arguments with their contact as the store has it.
local function with_contact(target, args)
  if not args.contact then
    return args
  end
  local default_country = target.service and target.service.settings.default_country
  local contact, err = identity.meant(args.contact, { default_country = default_country }, "contact")
  if not contact then
    return nil, err
  end
  local copy = {}
  for name, value in pairs(args) do
    copy[name] = value
  end
  copy.contact = contact
  return copy
end

---Runs an operation. May wait.
---@param target cunnekt.operate.target
---@param name string such as "events.list"
---@param args? table
---@return table? result what JSON can hold
---@return cunnekt.error? err kind invalid, not_found or store
function operations.run(target, name, args)
  local operation = known[name]
  if not operation then
    return nil, errors.new("invalid", ("%s'%s'"):format(operations.no_operation, name))
  end
  local ok, problem = pcall(options.check, name, args or {}, operation.types, 0)
  if not ok then
    return nil, errors.new("invalid", tostring(problem))
  end
  local read, err = with_contact(target, args or {})
  if not read then
    return nil, err
  end
  return operation.run(target, read)
end

return operations
