// SPDX-License-Identifier: MIT
// The same with better-sqlite3: stored and synced before the 200, then answered. That it was answered is not recorded.
import http from "node:http";
import Database from "better-sqlite3";
import { textsOf } from "./event.mjs";
import { groupCommit } from "./group_commit.mjs";
import { reply } from "./undici_pool.mjs";

const store = groupCommit(new Database("node.db"));

http
  .createServer({ keepAliveTimeout: 60000 }, (request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", async () => {
      const body = Buffer.concat(chunks).toString();
      const events = textsOf(JSON.parse(body));
      await store(body);
      response.end();
      for (const event of events) reply(event);
    });
  })
  .listen(Number(process.env.BENCH_PORT), "127.0.0.1");
