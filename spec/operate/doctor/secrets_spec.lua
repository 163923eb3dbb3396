-- SPDX-License-Identifier: MIT
-- Secrets in the wrong place, as `cunnekt doctor` finds them.

local doctor = require "spec.support.rigs.doctor"
local process = require "spec.support.process"

local HEX = ("0123456789abcdef"):rep(2)

describe("cunnekt doctor, asked about secrets,", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  local function ask(env)
    return doctor.run({}, { cwd = folder.path, env = env })
  end

  it("finds nothing where each is in its place", function()
    local result = ask { CUNNEKT_APP_SECRET = HEX, CUNNEKT_VERIFY_TOKEN = "a-word-of-mine" }
    assert.equal("", result.wrong)
    assert.equal(0, result.code)
  end)

  it("finds the webhook's secret in the path", function()
    local result = ask { CUNNEKT_WEBHOOK_SECRET = "", CUNNEKT_WEBHOOK_PATH = "/webhook/3f9c2b7d1e8a4f60" }
    assert.matches("CUNNEKT_WEBHOOK_PATH seems to hold a secret.*set CUNNEKT_WEBHOOK_SECRET", result.wrong)
    assert.is_nil(result.out:find("3f9c2b7d1e8a4f60", 1, true))
    result = ask { CUNNEKT_WEBHOOK_SECRET = "3f9c2b7d1e8a4f60", CUNNEKT_WEBHOOK_PATH = "/webhook/3f9c2b7d1e8a4f60" }
    assert.matches("CUNNEKT_WEBHOOK_PATH holds the webhook secret: take it out", result.wrong)
    assert.matches("webhook_path is not used", ask({ CUNNEKT_WEBHOOK_PATH = "/hooks" }).note)
    assert.equal("", ask({ CUNNEKT_WEBHOOK_SECRET = "", CUNNEKT_WEBHOOK_PATH = "/whatsapp/incoming-messages" }).wrong)
  end)

  it("finds an app secret and a verify token that are exchanged", function()
    local result = ask { CUNNEKT_APP_SECRET = "a-word-of-mine", CUNNEKT_VERIFY_TOKEN = HEX }
    assert.matches("CUNNEKT_APP_SECRET and CUNNEKT_VERIFY_TOKEN look exchanged", result.wrong)
  end)

  it("finds two secrets that are the same", function()
    local result = ask { CUNNEKT_VERIFY_TOKEN = "secret-of-the-webhook" }
    assert.matches("CUNNEKT_VERIFY_TOKEN and CUNNEKT_WEBHOOK_SECRET are the same", result.wrong)
  end)

  it("finds a placeholder, and quotes that belong to the file", function()
    assert.matches("CUNNEKT_API_KEY is still a placeholder", ask({ CUNNEKT_API_KEY = "…" }).wrong)
    assert.matches("CUNNEKT_API_KEY is still a placeholder", ask({ CUNNEKT_API_KEY = "<key>" }).wrong)
    assert.matches("CUNNEKT_API_KEY has quotes around it", ask({ CUNNEKT_API_KEY = '"a-key-in-quotes"' }).wrong)
  end)

  it("finds a variable with another name", function()
    local result = ask { CUNNEKT_API_KEY = "", CUNNEKT_APIKEY = "k" }
    assert.matches("the variable CUNNEKT_APIKEY is no setting; did you mean CUNNEKT_API_KEY%?", result.wrong)
    assert.matches("there is no API key", result.wrong)
    assert.matches("the variable CUNNEKT_SHOP is no setting; cunnekt run %-h lists them", ask({ CUNNEKT_SHOP = "1" }).note)
  end)

  it("finds a secret that is set and empty", function()
    local result = process.cunnekt({ "doctor" }, { cwd = folder.path, env = { CUNNEKT_WEBHOOK_SECRET = "" } })
    assert.equal(1, result.code)
    assert.matches("WRONG CUNNEKT_WEBHOOK_SECRET: is empty; give it a value, or do not set it at all", result.out)
  end)

  it("refuses one on the command line", function()
    local result = process.cunnekt { "doctor", "--webhook-secret", "x" }
    assert.equal(2, result.code)
    assert.matches("a secret does not belong on a command line; set CUNNEKT_WEBHOOK_SECRET", result.err)
  end)

  it("finds one in a file of settings that others can read", function()
    local conf = process.write(folder.path .. "/cunnekt.conf.lua", 'return { app_secret = "s3cr3t" }')
    process.run { "chmod", "640", conf }
    assert.matches("cunnekt.conf.lua holds app_secret and can be read by other users; move it", ask().wrong)
    process.run { "chmod", "600", conf }
    assert.equal("", ask().wrong)
  end)
end)
