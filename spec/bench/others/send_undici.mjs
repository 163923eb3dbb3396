// SPDX-License-Identifier: MIT
// Sends texts through undici's pool, 64 at a time, until it is stopped.
import { Pool } from "undici";

const sink = new URL(process.env.BENCH_SINK);
const pool = new Pool(sink.origin, { connections: 64 });
const text = "hello";

async function sendOn() {
  for (;;) {
    const { statusCode, body } = await pool.request({
      method: "POST",
      path: `${sink.pathname}/sendreplymessage`,
      headers: { "API-KEY": "bench", "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ mobile: "919999999999", type: "text", text }),
    });
    const answer = await body.json();
    if (statusCode !== 200 || !answer.messages[0].id) throw new Error(`refused: ${statusCode}`);
  }
}

for (let i = 0; i < 64; i++) sendOn();
