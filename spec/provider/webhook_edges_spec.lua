-- SPDX-License-Identifier: MIT
-- What goes with webhooks: names for the files in them, keys, and the two checks of Meta's own.

local core = require "cunnekt.core"
local json = require "cunnekt.base.json"
local webhook = require "cunnekt.provider.webhook"
local webhooks = require "spec.support.webhooks"

local function parse_one(body)
  local events, err = webhook.parse(body)
  assert.is_nil(err)
  assert.equal(1, #events)
  return events[1]
end

describe("webhook.safe_filename", function()
  it("keeps a readable name and cannot leave a folder", function()
    local names = {
      ["report.pdf"] = "report.pdf", ["Übersicht 2024 (1).PDF"] = "Übersicht 2024 (1).PDF", ["परीक्षण.pdf"] = "परीक्षण.pdf", ["no extension"] = "no extension",
      ["../../etc/passwd"] = "passwd", ["/etc/shadow"] = "shadow", ["..\\..\\boot.ini"] = "boot.ini", ["C:\\x\\y.txt"] = "y.txt", ["C:y.txt"] = "C_y.txt",
      [".bashrc"] = "bashrc", ["...a..b"] = "a.b", [" a .txt "] = "a.txt", ["a. "] = "a", ["a\0b\n\r\27.txt"] = "a_b___.txt", ["-rf"] = "_-rf", ["~root"] = "_~root",
      ["con"] = "_con", ["NUL.txt"] = "_NUL.txt", ["com1.tar.gz"] = "_com1.tar.gz", ["LPT9 .x"] = "_LPT9.x", ["console.log"] = "console.log", ["COM¹"] = "_COM¹",
      ['a<b>c:"d|e?f*g'] = "a_b_c__d_e_f_g", ["evil\u{202E}gpj.exe"] = "evilgpj.exe", ["a\xFFb"] = "a_b", ["\u{FEFF}.x"] = "x", ["a\u{85}b"] = "ab",
    }
    for name, safe in pairs(names) do
      assert.equal(safe, webhook.safe_filename(name, "image/png", "77"), name)
    end
  end)

  it("makes one of the id and the type when there is none", function()
    for _, name in ipairs { "", ".", "..", "...", "/", "a/", "\\", " ", ". .", "\u{200B}" } do
      assert.equal("77.jpg", webhook.safe_filename(name, "IMAGE/JPEG", "77"), name)
    end
    assert.equal("wamid.a_b+==.ogg", webhook.safe_filename(nil, "audio/ogg; codecs=opus", "wamid.a/b+=="))
    assert.equal("77.bin", webhook.safe_filename(nil, "x/y", "77"))
    assert.equal("file.bin", webhook.safe_filename())
    assert.equal("file.pdf", webhook.safe_filename("..", "application/pdf", "../.."):gsub("^_", "file"))
  end)

  it("is cut to 120 bytes between characters, with its extension", function()
    local safe = webhook.safe_filename(("é"):rep(500) .. ".docx")
    assert.is_true(#safe <= 120 and #safe > 100)
    assert.is_truthy(utf8.len(safe))
    assert.matches("é%.docx$", safe)
    assert.equal(118, #webhook.safe_filename(("x"):rep(100000)))
    assert.is_true(#webhook.safe_filename("con." .. ("x"):rep(300)) <= 120)
  end)

  it("holds for names made of anything", function()
    math.randomseed(23)
    local parts = { "/", "\\", ".", "..", "\0", "\n", " ", "a", "é", "😀", "\xFF", "\xE2\x82", ":", "con", "nul", "-", "~", "\u{202E}", ".txt", ("x"):rep(90), "COM1" }
    for _ = 1, 5000 do
      local words = {}
      for i = 1, math.random(0, 9) do
        words[i] = parts[math.random(#parts)]
      end
      local name = table.concat(words)
      local safe = webhook.safe_filename(name, parts[math.random(#parts)], table.concat(words, "/"))
      assert.is_true(#safe >= 1 and #safe <= 120, name)
      assert.is_truthy(utf8.len(safe), name)
      assert.is_nil(safe:find '[%c/\\:*?"<>|]', name)
      assert.is_nil(safe:find "^[.%s~-]", name)
      assert.is_nil(safe:find "[.%s]$", name)
      local device = safe:lower():match "^[^.]*"
      assert.is_false(device == "con" or device == "nul" or device == "com1", name)
    end
  end)
end)

describe("webhook.key and dedupe_key", function()
  it("are the conversation, and the event's own", function()
    local message = parse_one(webhooks.sample "text")
    assert.equal("123456789:919999999999", webhook.key(message))
    assert.equal("m:123456789:" .. message.id, webhook.dedupe_key(message))
    local status = parse_one(webhooks.sample "read")
    assert.equal("123456789:919999999999", webhook.key(status))
    assert.equal("s:" .. status.id .. ":read:919999999999", webhook.dedupe_key(status))
    local hidden = parse_one '{"messages":[{"id":"a","from_user_id":"IN.1"}]}'
    assert.equal(":IN.1", webhook.key(hidden))
    assert.equal("m::a", webhook.dedupe_key(hidden))
  end)

  it("are empty where nothing is known", function()
    local unknown = parse_one '{"metadata":{"phone_number_id":"1"}}'
    assert.equal("1:", webhook.key(unknown))
    assert.is_nil(webhook.dedupe_key(unknown))
    assert.equal(":", webhook.key(parse_one "5"))
    assert.equal("123456789:", webhook.key(parse_one(json.encode(webhooks.value { errors = { { code = 1 } } }))))
    assert.is_nil(webhook.dedupe_key(parse_one '{"messages":[{}]}'))
  end)
end)

describe("webhook.verify", function()
  local query = { ["hub.mode"] = "subscribe", ["hub.verify_token"] = "secret", ["hub.challenge"] = "1158201444" }

  it("answers the challenge for the right token only", function()
    assert.equal("1158201444", webhook.verify(query, "secret"))
    assert.is_nil(webhook.verify(query, "other"))
    assert.is_nil(webhook.verify(query, nil))
    assert.is_nil(webhook.verify({ ["hub.mode"] = "subscribe", ["hub.verify_token"] = "", ["hub.challenge"] = "1" }, ""))
    assert.is_nil(webhook.verify({}, "secret"))
    for name in pairs(query) do
      local part = { ["hub.mode"] = "subscribe", ["hub.verify_token"] = "secret", ["hub.challenge"] = "1" }
      part[name] = name == "hub.mode" and "unsubscribe" or nil
      assert.is_nil(webhook.verify(part, "secret"))
    end
  end)
end)

describe("webhook.check_signature", function()
  -- RFC 4231, test case 2.
  local body, secret = "what do ya want for nothing?", "Jefe"
  local digits = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"

  it("takes the body's own signature, in digits of any case", function()
    assert.is_true(webhook.check_signature("sha256=" .. digits, body, secret))
    assert.is_true(webhook.check_signature("SHA256=" .. digits:upper(), body, secret))
    local raw = "\0\xFF" .. webhooks.sample "text"
    assert.is_true(webhook.check_signature("sha256=" .. core.hex(core.hmac_sha256("k", raw)), raw, "k"))
  end)

  it("refuses everything else", function()
    local headers = {
      digits, "sha1=" .. digits, "sha256=", "sha256=" .. digits:sub(2), "sha256=" .. digits .. "0", "sha256=" .. ("0"):rep(64), "", "sha256=" .. ("g"):rep(64),
      "sha256=" .. digits .. "," .. digits,
    }
    for _, header in ipairs(headers) do
      assert.is_false(webhook.check_signature(header, body, secret), header)
    end
    assert.is_false(webhook.check_signature(nil, body, secret))
    assert.is_false(webhook.check_signature("sha256=" .. digits, body .. " ", secret))
    assert.is_false(webhook.check_signature("sha256=" .. digits, body, "jefe"))
    assert.error_matches(function()
      webhook.check_signature("sha256=" .. digits, body, "")
    end, "must be a string that is not empty")
  end)
end)
