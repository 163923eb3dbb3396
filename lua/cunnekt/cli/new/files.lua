-- SPDX-License-Identifier: MIT
-- The files that `cunnekt new` makes.

local unit = require "cunnekt.cli.new.unit"

local files = {}

---The script, where no example is chosen.
files.script = [[
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

bot:on("text", { "^[Hh]i", "^[Hh]ello" }, function(msg)
  msg:reply_buttons {
    body = ("Hello %s! What can we do for you?"):format(msg.name or "friend"),
    buttons = { { id = "hours", title = "Opening hours" }, { id = "call", title = "Call me back" } },
  }
end)

bot:on("button", "hours", function(msg)
  msg:reply_text "We are open from 9 to 18, Monday to Saturday."
end)

-- A dialog asks, and waits for the answer: for days, and across restarts.
bot:dialog("call back", function(chat)
  local answer = chat:ask("When shall we call you?", { timeout = 24 * 3600 })
  if answer then
    chat:reply_text(("Thank you. We call you: %s."):format(answer.text))
  end
end)

bot:on("button", "call", function(msg)
  msg:start "call back"
end)

-- The last handler takes what no other one did.
bot:on("message", function(msg)
  msg:reply_text "Say hi to begin."
end)

-- What happens, line by line; cunnekt test bot.lua plays it.
--
-- customer: good morning
-- bot: Say hi to begin.
-- customer: hi
-- bot: Hello Asha! What can we do for you? [Opening hours] [Call me back]
-- customer: /button hours
-- bot: We are open from 9 to 18, Monday to Saturday.
-- customer: /button call
-- bot: When shall we call you?
-- customer: tomorrow at ten
-- bot: Thank you. We call you: tomorrow at ten.
]]

local CONF = [[
-- Settings of the bot beside this file; man cunnekt.conf lists all. Options of the command line and the environment win.
-- Secrets belong into the environment: see .env.example.
return {
  -- Where webhooks come in. A reverse proxy with a certificate passes them on to here.
  listen = "127.0.0.1:8080",

  -- The country of numbers that are written without one.
  -- default_country = "91",

  -- The business number that the bot writes first from: the provider's id of it, where there are several.
  -- phone_number_id = "106540352242922",

  -- Health and metrics for monitoring; not for the public.
  -- admin = "127.0.0.1:9090",
}
]]

local ENV = [[
# The secrets of the bot. Copy this file to /etc/%SERVICE%.env, give it the mode 600, and fill it in.
# A secret that is set and empty stops the start.

# The key of the API, from the API page of the Cunnekt dashboard.
CUNNEKT_API_KEY=

# Webhooks are taken at /webhook/<this> and nowhere else: openssl rand -hex 16
CUNNEKT_WEBHOOK_SECRET=

# Checks the signature of each webhook, where the provider signs.
#CUNNEKT_APP_SECRET=

# Answers the handshake by which a webhook's address is verified, where one is asked for.
#CUNNEKT_VERIFY_TOKEN=
]]

local README = [[
# %NAME%

A WhatsApp bot that runs with [cunnekt](https://www.cunnekt.com).

## Try it

```sh
cunnekt check bot.lua     # finds mistakes without running it
cunnekt test bot.lua      # plays the conversation at its end
cunnekt dev bot.lua       # you are the customer; no account is needed
```

Write the conversation at the end of `bot.lua` as you change the script: `cunnekt test` says line by line what differs.

## Put it into service

1. The script, where the service finds it. `%SERVICE%.service` names the folder:

   ```sh
   sudo mkdir -p /srv/%NAME%
   sudo cp bot.lua cunnekt.conf.lua /srv/%NAME%/
   ```

2. The secrets. Only root may read them; systemd hands them to the bot:

   ```sh
   sudo install -m 600 .env.example /etc/%SERVICE%.env
   sudo editor /etc/%SERVICE%.env
   ```

3. The service:

   ```sh
   sudo cp %SERVICE%.service /etc/systemd/system/
   sudo systemctl daemon-reload
   sudo systemctl enable --now %SERVICE%
   ```

4. The webhook. A reverse proxy with a certificate passes `/webhook/` on to 127.0.0.1:8080; for Caddy:

   ```
   bot.example.com {
     reverse_proxy /webhook/* 127.0.0.1:8080
   }
   ```

   On the dashboard, set the webhook to `https://bot.example.com/webhook/<CUNNEKT_WEBHOOK_SECRET>`.

## Look after it

```sh
sudo journalctl -u %SERVICE%
sudo cunnekt doctor --unit %SERVICE%     # with --online: asks the API, too
sudo cunnekt events list --store sqlite:/var/lib/%SERVICE%/bot.db
sudo cunnekt backup /var/lib/%SERVICE%/copy.db --store sqlite:/var/lib/%SERVICE%/bot.db
```

A new script: copy it to /srv/%NAME%, then `sudo systemctl restart %SERVICE%`. Dialogs that wait go on.
]]

local IGNORE = [[
.env
cunnekt.db*
]]

-- Where `make install` and the Debian package put the annotated sources. Folders that are not there are passed over.
local LUARC = [[
{
  "runtime.version": "Lua 5.4",
  "workspace.library": [ "/usr/local/share/lua/5.4/cunnekt", "/usr/share/lua/5.4/cunnekt" ]
}
]]

---The name of the service, which is the folder's.
---@param folder string
---@return string? service nil: the folder's name can be none
---@return string? name the folder's
function files.service(folder)
  local name = folder:match "([^/]*)$"
  if not name:find "^%a[%w_-]*$" then
    return nil
  end
  return "cunnekt-" .. name, name
end

---@class cunnekt.new.file
---@field name string
---@field text string
---@field about string

---All files of a folder.
---@param folder string with a name that files.service takes
---@param script string the source of bot.lua
---@return cunnekt.new.file[]
function files.all(folder, script)
  local service, name = files.service(folder)
  local function filled(text)
    return (text:gsub("%%(%u+)%%", { SERVICE = service, NAME = name }))
  end
  return {
    { name = "bot.lua", text = script, about = "the script" },
    { name = "cunnekt.conf.lua", text = CONF, about = "settings" },
    { name = ".env.example", text = filled(ENV), about = "the secrets, to be filled in" },
    { name = service .. ".service", text = unit.text(service, "/srv/" .. name), about = "for systemd" },
    { name = "README.md", text = filled(README), about = "from here to the service" },
    { name = ".gitignore", text = IGNORE, about = "what Git leaves out" },
    { name = ".luarc.json", text = LUARC, about = "what editors need to know" },
  }
end

---The names of the files of a folder.
---@param folder string
---@return string[]
function files.names(folder)
  local names = {}
  for i, file in ipairs(files.all(folder, "")) do
    names[i] = file.name
  end
  return names
end

return files
