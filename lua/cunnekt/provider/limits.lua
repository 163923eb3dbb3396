-- SPDX-License-Identifier: MIT
-- Every documented limit of Cunnekt and WhatsApp, and the checks of messages against them. Lengths are Unicode characters,
-- as WhatsApp counts them. Where Cunnekt's limit is looser than WhatsApp's, Cunnekt's is an error and WhatsApp's a warning,
-- logged once per process, since some accounts are allowed more. Limits of this program's own are not here.
--
-- Sources: Cunnekt's API collection, and https://developers.facebook.com/docs/whatsapp/cloud-api/ (messages, overview,
-- webhooks) for what Cunnekt leaves to WhatsApp.

local blame = require "cunnekt.base.blame"
local errors = require "cunnekt.base.errors"
local log = require "cunnekt.base.log"
local units = require "cunnekt.time.units"
local words = require "cunnekt.base.words"

local limits = {}

---@class cunnekt.limit
---@field max integer
---@field min? integer of a list
---@field by "Cunnekt"|"WhatsApp" whose limit it is
---@field warn? integer WhatsApp's own, tighter limit: beyond it a warning is logged

---@type table<string, cunnekt.limit> lengths in characters
limits.characters = {
  text = { max = 4096, by = "WhatsApp" },
  header = { max = 60, by = "WhatsApp" },
  body = { max = 1024, by = "Cunnekt" },
  -- Cunnekt says nothing about the body of a link button; WhatsApp treats it as any other interactive body.
  cta_body = { max = 1024, by = "WhatsApp" },
  -- A value in the body of a template, which is all of it, or has other values beside it.
  template_body = { max = 32768, by = "WhatsApp" },
  body_value = { max = 1024, by = "WhatsApp" },
  caption = { max = 1024, by = "WhatsApp" },
  button_title = { max = 24, by = "Cunnekt", warn = 20 },
  button_id = { max = 256, by = "WhatsApp" },
  -- Cunnekt's page gives 24 for "list title", which may mean the label or a row's title: used for both.
  list_title = { max = 24, by = "Cunnekt", warn = 20 },
  row_title = { max = 24, by = "Cunnekt" },
  row_description = { max = 72, by = "WhatsApp" },
  row_id = { max = 200, by = "WhatsApp" },
  form_cta = { max = 20, by = "Cunnekt" },
  cta_text = { max = 20, by = "WhatsApp" },
}

---@type table<string, cunnekt.limit> numbers of items
limits.items = {
  buttons = { min = 1, max = 3, by = "Cunnekt" },
  list = { min = 1, max = 10, by = "Cunnekt" },
  cards = { min = 2, max = 10, by = "WhatsApp" },
  card_buttons = { min = 1, max = 2, by = "WhatsApp" },
  template_buttons = { min = 1, max = 10, by = "WhatsApp" },
}

---Blanks in a row that WhatsApp takes in the parameter of a template, which may have no line break and no tab either.
limits.parameter_blanks = 4

---@type table<string, integer> largest media, in bytes. Only downloads and the sandbox see files: the client sends links
limits.media_bytes = {
  image = 5 * 1024 * 1024,
  video = 16 * 1024 * 1024,
  audio = 10 * 1024 * 1024, -- Cunnekt's; WhatsApp takes 16 MB
  document = 100 * 1024 * 1024,
}

---Seconds for which free-form messages may follow a customer's last one: the service window.
limits.service_window = units.day

---Bytes of a webhook's body, which holds up to 1,000 events; and days for which an unaccepted one is repeated.
limits.webhook_bytes = 3 * 1024 * 1024
limits.webhook_days = 7

---Messages a second for a business number and for one contact, and how many at once to a contact
---(overview#throughput, #pair-rate-limits).
limits.rate = 80
limits.pair_rate, limits.pair_burst = 1 / 6, 45

---Digits of a telephone number with its country code: ITU-T E.164 allows 15, the shortest in use have 7.
limits.number_digits = { min = 7, max = 15 }

---Digits of the longest national numbers: up to here a number without "+" may lack its country code.
limits.national_digits = 10

---A user id, "IN." and up to 128 characters.
limits.user_id_characters = 131

local warned = {}
local logger

---Sets the function that gets the warnings; by default the log does.
---@param fn? fun(message: string) nil: the log
---@return fun(message: string)? previous
function limits.set_logger(fn)
  local previous = logger
  logger = fn
  return previous
end

---Logs a warning once per key and process. It must not contain anything of the message's content.
---@param key string
---@param message string
function limits.warn_once(key, message)
  if warned[key] then
    return
  end
  warned[key] = true
  if logger then
    return logger(message)
  end
  local place = blame.place(2)
  log.warn("%s", place and place .. ": " .. message or message)
end

---Forgets which warnings were logged, so that they are logged again.
function limits.forget_warnings()
  warned = {}
end

---Counts the characters of a string, which must be UTF-8.
---@param field string the field's name, for the error
---@param value string
---@return integer? length
---@return cunnekt.error? err kind "invalid", where it is not UTF-8
function limits.length(field, value)
  local length, bad = utf8.len(value)
  if length then
    return length
  end
  local message = "%s is not UTF-8: byte %d is 0x%02X"
  return nil, errors.new("invalid", message:format(field, bad, value:byte(bad)), { field = field })
end

local function too_long(field, limit, length)
  local message = ("%s is %d characters long; %s allows %d"):format(field, length, limit.by, limit.max)
  return errors.new("invalid", message, { field = field, limit = limit.max, length = length })
end

---Checks a string against a limit of `limits.characters`.
---@param name string the limit
---@param field string the field's name, for the error: "buttons[2].title"
---@param value string
---@return true? ok
---@return cunnekt.error? err kind "invalid", with field, limit and length
function limits.check(name, field, value)
  local limit = limits.characters[name]
  local length, err = limits.length(field, value)
  if not length then
    return nil, err
  end
  if length > limit.max then
    return nil, too_long(field, limit, length)
  end
  if limit.warn and length > limit.warn then
    local message = "%s is %d characters long; Cunnekt allows %d, but WhatsApp itself only %d"
    limits.warn_once(name, message:format(field, length, limit.max, limit.warn))
  end
  return true
end

local function allowed_range(limit)
  if limit.min > 1 then
    return ("%d to %d"):format(limit.min, limit.max)
  end
  return tostring(limit.max)
end

---Checks a number of items against a limit of `limits.items`.
---@param name string the limit
---@param field string the list's name, for the error
---@param count integer
---@return true? ok
---@return cunnekt.error? err kind "invalid", with field, limit and length
function limits.check_items(name, field, count)
  local limit = limits.items[name]
  if count >= limit.min and count <= limit.max then
    return true
  end
  local broken = count < limit.min and limit.min or limit.max
  local message
  if count == 0 then
    message = ("%s is empty; it needs at least %d"):format(field, limit.min)
  else
    message = ("%s has %s; %s allows %s"):format(field, words.count(count, "item"), limit.by, allowed_range(limit))
  end
  return nil, errors.new("invalid", message, { field = field, limit = broken, length = count })
end

return limits
