// SPDX-License-Identifier: MIT
// The obvious handler in Node: keeps nothing, answers each text through undici's pool.
import http from "node:http";
import { textsOf } from "./event.mjs";
import { reply } from "./undici_pool.mjs";

// A connection that rests for five seconds would be closed, in the middle of a measurement.
http
  .createServer({ keepAliveTimeout: 60000 }, (request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const events = textsOf(JSON.parse(Buffer.concat(chunks).toString()));
      response.end();
      for (const event of events) reply(event);
    });
  })
  .listen(Number(process.env.BENCH_PORT), "127.0.0.1");
