// SPDX-License-Identifier: MIT
// Sends answers through undici's pool.
import { Pool } from "undici";
import { acceptedId, answerTo, headers } from "./event.mjs";

const sink = new URL(process.env.BENCH_SINK);
const pool = new Pool(sink.origin, { connections: 64 });
const path = `${sink.pathname}/sendreplymessage`;

export async function post(message) {
  const { statusCode, body } = await pool.request({ method: "POST", path, headers, body: message });
  return acceptedId(statusCode, await body.json());
}

export const reply = (event) => post(answerTo(event));
