-- SPDX-License-Identifier: MIT
-- The answers to HTTP requests that a transcript gives: `http POST URL -> 200 {…}`, or `-> timeout`. This file finds the one
-- for a request.

local wildcard = require "cunnekt.testing.wildcard"

local http_answers = {}

local failures = {
  timeout = "no answer in time", network = "the connection was refused", tls = "the certificate is not valid",
}

---@class cunnekt.testing.http_answer
---@field method string
---@field url string with `…` for anything
---@field status? integer
---@field body? string
---@field kind? string without a status: of the error that the script gets
---@field problem? string what is wrong with the line

---Reads what is behind the arrow.
---@param method string
---@param url string
---@param text string
---@return cunnekt.testing.http_answer
function http_answers.read(method, url, text)
  local answer = { method = method, url = url }
  local status, body = text:match "^(%d%d%d)%s*(.*)$"
  if status and tonumber(status) >= 200 and tonumber(status) < 600 then
    answer.status, answer.body = tonumber(status), body
  elseif failures[text] then
    answer.kind = text
  else
    answer.problem = "write a status from 200 to 599 and the body behind ->, or one of timeout, network, tls"
  end
  return answer
end

local set_methods = {}
local set_mt = { __index = set_methods }

---Answers for one transcript.
function http_answers.new()
  return setmetatable({ _list = {} }, set_mt)
end

---Adds the answer of a step.
---@param step cunnekt.testing.step
function set_methods:add(step)
  table.insert(self._list, { step = step, answer = step.answer, matches = wildcard.matcher(step.answer.url) })
end

-- The first that was not used, so that several for one URL come in their order; else the last.
local function find(list, method, url)
  local used
  for _, one in ipairs(list) do
    if one.answer.method == method and one.matches(url) then
      if not one.is_used then
        return one
      end
      used = one
    end
  end
  return used
end

---The answer to a request, as cunnekt.virtual_network.answer.
---@param request table as of core.request
---@return table? nil: the transcript gives none
function set_methods:answer(request)
  local found = find(self._list, request.method or "GET", request.url)
  if not found then
    return nil
  end
  found.is_used = true
  local answer = found.answer
  if not answer.status then
    return { kind = answer.kind, message = failures[answer.kind] }
  end
  local is_json = answer.body:find "^[%[{]"
  return { status = answer.status, body = answer.body, headers = { "Content-Type: " .. (is_json and "application/json" or "text/plain") } }
end

---The steps whose answers nobody asked for.
---@return cunnekt.testing.step[]
function set_methods:unused()
  local steps = {}
  for _, one in ipairs(self._list) do
    if not one.is_used then
      steps[#steps + 1] = one.step
    end
  end
  return steps
end

---What to say of a request that a transcript has no answer for.
---@param request table as of core.request
---@return string
function http_answers.missing(request)
  local method = request.method or "GET"
  -- A key may be in the URL's user part.
  local url = request.url:gsub("^(%a+://)[^/?#@]*@", "%1")
  return ("the script asked %s %s, and the transcript has no answer; write: -- http %s %s -> 200 {}"):format(
    method, url, method, url)
end

return http_answers
