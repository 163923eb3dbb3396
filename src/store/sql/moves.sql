-- The move of a whole store to another one; move.h is about what a host hears of it.

-- name: get_move
-- Before a host may use the store.
SELECT state, CAST(origin AS TEXT), CAST(target AS TEXT) FROM move;
-- postgres:
SELECT state, convert_from(origin, 'UTF8'), convert_from(target, 'UTF8') FROM move;

-- name: move
SELECT pair, state, origin, target FROM move;

-- name: counters
-- But the one that is a connection's own.
SELECT name, next FROM counter WHERE name <> CAST('batch' AS BLOB);

-- name: tables
-- What is copied, and the statements that do it: all tables with their columns as the database has them, those of the key first, so that
-- the columns have one order in every database. Counters, which only grow, and the move itself are not copied; nor is a table without a
-- key, which holds the version, nor what a file has to find rows by.
WITH field AS (
  SELECT t.name AS owner, '"' || c.name || '"' AS name, c.pk > 0 AS is_key,
    CASE c.type WHEN 'INTEGER' THEN 'i' WHEN 'REAL' THEN 'r' ELSE 't' END AS type
  FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
  WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT IN ('counter', 'move', 'folded', 'seen_key', 'sent_key')
  ORDER BY t.name, c.pk = 0, c.pk, c.name),
listed AS (
  SELECT owner, group_concat(name) AS names, group_concat('?') AS marks, group_concat(type, '') AS types, sum(is_key) AS keys,
    group_concat(CASE WHEN is_key THEN name END) AS key_names, group_concat(CASE WHEN is_key THEN '?' END) AS key_marks
  FROM field GROUP BY owner)
SELECT owner AS name, names AS columns, types, keys,
  'SELECT count(*) FROM ' || owner AS counting,
  'SELECT ' || names || ' FROM ' || owner || ' ORDER BY ' || key_names || ' LIMIT 2000' AS first_page,
  'SELECT ' || names || ' FROM ' || owner || ' WHERE (' || key_names || ') > (' || key_marks || ') ORDER BY ' || key_names || ' LIMIT 2000'
    AS next_page,
  'INSERT INTO ' || owner || ' (' || names || ') VALUES (' || marks || ')' AS loading,
  'DELETE FROM ' || owner AS clearing
FROM listed ORDER BY owner;
-- postgres:
WITH field AS (
  SELECT CAST(c.relname AS text) AS owner, '"' || a.attname || '"' AS name, a.attname AS plain,
    array_position(CAST(i.indkey AS smallint[]), a.attnum) AS pk,
    CASE format_type(a.atttypid, NULL) WHEN 'bytea' THEN 't' WHEN 'double precision' THEN 'r' ELSE 'i' END AS type
  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
  WHERE c.relkind = 'r' AND c.relnamespace = CAST(current_schema() AS regnamespace) AND c.relname NOT IN ('counter', 'move')),
numbered AS (
  SELECT *, row_number() OVER (PARTITION BY owner ORDER BY pk, plain COLLATE "C") AS n FROM field),
listed AS (
  SELECT owner, string_agg(name, ',' ORDER BY n) AS names, string_agg('$' || n, ',' ORDER BY n) AS marks,
    string_agg(type, '' ORDER BY n) AS types, count(pk) AS keys,
    string_agg(name, ',' ORDER BY n) FILTER (WHERE pk IS NOT NULL) AS key_names,
    string_agg('$' || n, ',' ORDER BY n) FILTER (WHERE pk IS NOT NULL) AS key_marks,
    string_agg(CASE type WHEN 't' THEN 'coalesce(octet_length(' || name || '),0)' ELSE '8' END, '+' ORDER BY n) AS sizes
  FROM numbered GROUP BY owner),
paged AS (
  SELECT *, 'SELECT ' || names || ' FROM (SELECT *, sum(row_bytes) OVER (ORDER BY ' || key_names || ') - row_bytes AS page_bytes FROM (SELECT *, ' || sizes
      || ' AS row_bytes FROM ' || owner AS before,
    ' ORDER BY ' || key_names || ' LIMIT 2000) AS most) AS page WHERE page_bytes < 1048576 ORDER BY ' || key_names AS after
  FROM listed)
SELECT owner AS name, names AS columns, types, keys,
  'SELECT count(*) FROM ' || owner AS counting,
  before || after AS first_page,
  before || ' WHERE (' || key_names || ') > (' || key_marks || ')' || after AS next_page,
  'INSERT INTO ' || owner || ' (' || names || ') VALUES (' || marks || ')' AS loading,
  'TRUNCATE ' || owner AS clearing
FROM paged ORDER BY owner COLLATE "C";
