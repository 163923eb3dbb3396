-- SPDX-License-Identifier: MIT
-- What holds for signatures of webhooks, for the handshake that verifies an address, and for the encodings below them.
-- An input is a secret, a text from outside, and a body.

local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local webhook = require "cunnekt.provider.webhook"

-- The shortest way to say what is genuine.
local function is_genuine(header, signature)
  return header:match "^%s*(.-)%s*$":lower() == signature
end

local function check_signatures(secret, text, body)
  local signature = "sha256=" .. core.hex(core.hmac_sha256(secret, body))
  assert(#signature == 71)
  for _, header in ipairs { signature, signature:upper(), " " .. signature .. "\t" } do
    assert(webhook.check_signature(header, body, secret), "a genuine signature is refused")
  end
  -- One digit another, at a place that the input names.
  local at = 8 + (text:byte() or 0) % 64
  local digit = signature:sub(at, at) == "0" and "1" or "0"
  for _, header in ipairs {
    text, "sha256=" .. text, signature:sub(1, at - 1) .. digit .. signature:sub(at + 1), signature .. text, text .. signature,
    signature:sub(1, at), signature:sub(1, 7) .. signature:sub(8):rep(2), "sha1=" .. signature:sub(8), "",
  } do
    assert(webhook.check_signature(header, body, secret) == is_genuine(header, signature), "a wrong signature is taken")
  end
  assert(not webhook.check_signature(nil, body, secret))
  assert(body == text or not webhook.check_signature(signature, text, secret), "the signature of another body is taken")
end

local function check_handshake(token, query)
  local values = http.parse_query(query)
  for name, value in pairs(values) do
    assert(http.url_decode(http.url_encode(name)) == name and http.url_decode(http.url_encode(value)) == value)
  end
  local challenge = webhook.verify(values, token)
  assert(challenge == nil or (values["hub.verify_token"] == token and challenge == values["hub.challenge"]))
  local right = ("hub.mode=subscribe&hub.verify_token=%s&hub.challenge=%s"):format(http.url_encode(token), http.url_encode(query))
  assert(webhook.verify(http.parse_query(right), token) == query, "the right token is refused")
  assert(webhook.verify(http.parse_query(right), token .. "x") == nil)
end

local function check_encodings(text, at)
  assert(core.base64_decode(core.base64_encode(text)) == text)
  local decoded = core.base64_decode(text)
  assert(decoded == nil or core.base64_encode(decoded) == text, "two texts decode to the same")
  local pieces = core.sha256():update(text:sub(1, at)):update(text:sub(at + 1))
  assert(pieces:digest() == core.sha256_of(text), "the digest depends on the pieces")
  assert(core.equal(text, text) and not core.equal(text, text .. "x"))
end

local function check(input)
  local first = (input:byte(1) or 0) % 80
  local second = first + 2 + (input:byte(2) or 0) % 120
  local secret, text, body = input:sub(3, first + 2), input:sub(first + 3, second), input:sub(second + 1)
  check_encodings(text, first)
  check_encodings(input, second)
  if secret ~= "" then
    check_signatures(secret, text, body)
    check_handshake(secret, text)
  end
end

-- Planted is a leak, in c/planted.c.
return { check = check }
