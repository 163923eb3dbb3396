-- SPDX-License-Identifier: MIT
-- Fills a new store, cunnekt.db in the current folder, with so many conversations, each with an event that was handled
-- and a message that was accepted. Usage: lua5.4 fill.lua COUNT
local sql = require "spec.support.sql"
local store = require "cunnekt.store"

local count = assert(math.tointeger(tonumber(arg[1])))
local at_once = 20000

store.open("sqlite:cunnekt.db"):close()
local db = sql.open "cunnekt.db"

local numbers = "WITH RECURSIVE number (n) AS (SELECT %d UNION ALL SELECT n + 1 FROM number WHERE n < %d) "
local fills = {
  [[INSERT INTO conversation (contact, state, last_inbound, version)
    SELECT CAST(printf('106540352242922:91%%010d', n) AS BLOB),
      CAST(printf('{"step":"menu","name":"Asha Rao","orders":[%%d],"language":"en"}', n) AS BLOB), unixepoch() - n %% 80000, 1
    FROM number]],
  "INSERT INTO seen (hash, rest, day) SELECT random(), random(), unixepoch() / 86400 - n %% 8 FROM number",
  [[INSERT INTO sent (hash, message_id, contact, rank, day)
    SELECT random(), CAST(printf('wamid.filled%%020d', n) AS BLOB), CAST(printf('106540352242922:91%%010d', n) AS BLOB),
      0, unixepoch() / 86400 - n %% 8
    FROM number]],
}
-- As keys that were folded (src/store/sqlite/keys.h).
local keys = {
  "INSERT INTO seen_key (hash, id) SELECT hash, id FROM seen ORDER BY hash",
  "INSERT INTO sent_key (hash, id) SELECT hash, id FROM sent ORDER BY hash",
  "INSERT OR REPLACE INTO folded (name, id) SELECT CAST('seen' AS BLOB), max(id) FROM seen",
  "INSERT OR REPLACE INTO folded (name, id) SELECT CAST('sent' AS BLOB), max(id) FROM sent",
}
for first = 0, count - 1, at_once do
  local last = math.min(first + at_once, count) - 1
  for _, fill in ipairs(fills) do
    db:run((numbers .. fill):format(first, last))
  end
end
for _, text in ipairs(keys) do
  db:run(text)
end
db:close()
