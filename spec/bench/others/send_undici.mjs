// SPDX-License-Identifier: MIT
// Sends texts through undici's pool, 64 at a time, until it is stopped.
import { post } from "./undici_pool.mjs";

const body = JSON.stringify({ mobile: "919999999999", type: "text", text: ".".repeat(101) }); // 150 bytes, as all send

async function sendOn() {
  for (;;) await post(body);
}

for (let i = 0; i < 64; i++) sendOn();
