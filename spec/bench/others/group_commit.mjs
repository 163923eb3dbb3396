// SPDX-License-Identifier: MIT
// Stores webhooks in SQLite before they are answered: all that have come in one turn of the event loop in one transaction,
// with one fsync. For the databases of better-sqlite3 and bun:sqlite, which have the same methods.

export function groupCommit(db) {
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("PRAGMA synchronous = FULL");
  // Fewer checkpoints than by default, which all stop the event loop.
  db.exec("PRAGMA wal_autocheckpoint = 4000");
  db.exec("CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL)");
  const insert = db.prepare("INSERT INTO event (at, body) VALUES (?, ?)");
  const insertAll = db.transaction((waiting) => {
    const now = Date.now();
    for (const { body } of waiting) insert.run(now, body);
  });
  let waiting = [];

  function commit() {
    const committed = waiting;
    waiting = [];
    insertAll(committed);
    for (const { stored } of committed) stored();
  }

  // Resolves when the body is on the disk.
  return (body) =>
    new Promise((stored) => {
      waiting.push({ body, stored });
      if (waiting.length === 1) setImmediate(commit);
    });
}
