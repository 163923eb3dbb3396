-- SPDX-License-Identifier: MIT
-- The two kinds of stores that are compared: by a name, each makes a store, empties it and fills it. Both are on the same disk.
local sql = require "spec.support.sql"

local stores = {}

local disk, url = os.getenv "CUNNEKT_TEST_CLUSTER", os.getenv "CUNNEKT_TEST_POSTGRES"

---@class bench.store
---@field name string
---@field url fun(name: string): string
---@field clear fun(name: string) removes it
---@field pending fun(name: string, count: integer) copies its only event, so that so many wait
---@field seen fun(name: string, count: integer) adds so many keys of events

-- ---- SQLite ---------------------------------------------------------------------------------------------------------

---@type bench.store
local sqlite = { name = "SQLite" }
stores.sqlite = sqlite

local function path_of(name)
  return ("%s/run/%s.db"):format(disk, name)
end

function sqlite.url(name)
  return "sqlite:" .. path_of(name)
end

function sqlite.clear(name)
  os.execute(("rm -f %s*"):format(path_of(name)))
end

-- Rows of another size than its cache would be written again and again meanwhile.
local function fill(name, text, ...)
  sql.run(path_of(name), "PRAGMA synchronous = OFF; PRAGMA cache_size = -600000", text:format(...))
end

local numbers = "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < %d) "

function sqlite.pending(name, count)
  fill(name, numbers .. [[INSERT INTO event (id, contact, body, accepted_at, seq)
    SELECT id + n, CAST('106540352242922:' || printf('91%%010d', n %% 10000) AS BLOB),
      CAST(replace(CAST(body AS TEXT), substr(CAST(contact AS TEXT), 17), printf('91%%010d', n %% 10000)) AS BLOB), accepted_at, seq + n
    FROM number, event WHERE id = 1;
    UPDATE counter SET next = %d WHERE name = CAST('id' AS BLOB)]], count - 1, count + 1000)
end

-- Most of them in the order of the table, which is quick; then others between them, so that its pages are as full as usual.
function sqlite.seen(name, count)
  local ordered = count * 4 // 5
  local step = math.maxinteger // (ordered // 2)
  fill(name, numbers .. [[INSERT INTO seen (hash, rest, day)
    SELECT (n - %d) * %d - abs(random() %% %d), random(), unixepoch() / 86400 - n %% 8 FROM number]],
    ordered, ordered // 2, step, step)
  fill(name, numbers .. [[INSERT INTO seen (hash, rest, day)
    SELECT random(), random(), unixepoch() / 86400 - n %% 8 FROM number]], count - ordered)
  -- As keys that were folded (src/store/sqlite/keys.c).
  fill(name, [[INSERT OR REPLACE INTO seen_key (hash, id) SELECT hash, id FROM seen;
    INSERT OR REPLACE INTO folded (name, id) SELECT CAST('seen' AS BLOB), max(id) FROM seen]])
end

-- ---- PostgreSQL -----------------------------------------------------------------------------------------------------

---@type bench.store
local postgres = { name = "PostgreSQL" }
stores.postgres = postgres

local function run(text, ...)
  local command = "spec/support/postgres.sh --sql postgres '" .. text:format(...):gsub("'", [['\'']]) .. "'"
  assert(os.execute(command), command)
end

function postgres.url(name)
  return ("%s&options=-csearch_path%%3D%s"):format(url, name)
end

function postgres.clear(name)
  run("SET client_min_messages = warning; DROP SCHEMA IF EXISTS %s CASCADE", name)
end

-- What the database would do with new rows sooner or later is done before anything is measured.
local function settle(name, rows)
  run("VACUUM ANALYZE %s.%s", name, rows)
  run "CHECKPOINT"
end

function postgres.pending(name, count)
  run([[INSERT INTO %s.event (id, contact, body, accepted_at, seq)
    SELECT id + n, convert_to('106540352242922:' || '91' || lpad((n %% 10000)::text, 10, '0'), 'UTF8'),
      convert_to(replace(convert_from(body, 'UTF8'), substr(convert_from(contact, 'UTF8'), 17), '91' || lpad((n %% 10000)::text, 10, '0')), 'UTF8'),
      accepted_at, seq + n
    FROM generate_series(1, %d) AS n, %s.event WHERE id = 1;
    UPDATE %s.counter SET next = %d WHERE name = 'id']], name, count - 1, name, name, count + 1000)
  settle(name, "event")
end

function postgres.seen(name, count)
  local ordered = count * 4 // 5
  local step = math.maxinteger // (ordered // 2)
  run([[INSERT INTO %s.seen (id, hash, rest, day)
    SELECT n, (n - %d) * %d - (random() * %d)::bigint, (random() * 1e18)::bigint, floor(extract(epoch FROM now()) / 86400) - n %% 8
    FROM generate_series(1::bigint, %d) AS n]], name, ordered // 2, step, step - 1, ordered)
  run([[INSERT INTO %s.seen (id, hash, rest, day)
    SELECT n + %d, ((random() - 0.5) * 1.8e19)::bigint, (random() * 1e18)::bigint, floor(extract(epoch FROM now()) / 86400) - n %% 8
    FROM generate_series(1, %d) AS n ON CONFLICT DO NOTHING]], name, ordered, count - ordered)
  settle(name, "seen")
end

return stores
