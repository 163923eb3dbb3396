// SPDX-License-Identifier: MIT
// Bun with what it brings along: its server, its SQLite, its fetch. Stored and synced before the 200, then answered. That
// it was answered is not recorded.
import { Database } from "bun:sqlite";
import { acceptedId, answerTo, headers, textsOf } from "./event.mjs";
import { groupCommit } from "./group_commit.mjs";

const url = `${process.env.BENCH_SINK}/sendreplymessage`;
const store = groupCommit(new Database("bun.db"));

async function reply(event) {
  const answer = await fetch(url, { method: "POST", headers, body: answerTo(event) });
  return acceptedId(answer.status, await answer.json());
}

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.BENCH_PORT),
  idleTimeout: 200, // seconds; ten by default, which would close a connection in the middle of a measurement
  async fetch(request) {
    const body = await request.text();
    const events = textsOf(JSON.parse(body));
    await store(body);
    for (const event of events) reply(event);
    return new Response();
  },
});
