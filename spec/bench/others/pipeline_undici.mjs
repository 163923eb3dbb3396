// SPDX-License-Identifier: MIT
// The obvious handler in Node: keeps nothing, answers each text through undici's pool.
import http from "node:http";
import { Pool } from "undici";

const sink = new URL(process.env.BENCH_SINK);
const pool = new Pool(sink.origin, { connections: 64 });
const path = `${sink.pathname}/sendreplymessage`;

async function reply(message) {
  const { statusCode, body } = await pool.request({
    method: "POST",
    path,
    headers: { "API-KEY": "bench", "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ mobile: message.from, type: "text", text: `Thank you for your ${message.text.body}` }),
  });
  const answer = await body.json();
  if (statusCode !== 200 || !answer.messages[0].id) throw new Error(`refused: ${statusCode}`);
}

// A connection that rests for five seconds would be closed, in the middle of a measurement.
http
  .createServer({ keepAliveTimeout: 60000 }, (request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const event = JSON.parse(Buffer.concat(chunks).toString());
      response.end();
      for (const entry of event.entry)
        for (const change of entry.changes)
          for (const message of change.value.messages) if (message.type === "text") reply(message);
    });
  })
  .listen(Number(process.env.BENCH_PORT), "127.0.0.1");
