// SPDX-License-Identifier: MIT
// The same with whatsapp-api-js, as its manual says; its requests are turned to where the messages are taken.
import http from "node:http";
import { Text } from "whatsapp-api-js/messages";
import { WhatsAppAPI } from "whatsapp-api-js/middleware/node-http";
import { said } from "./event.mjs";

const sink = process.env.BENCH_SINK;
const whatsapp = new WhatsAppAPI({
  token: "bench",
  secure: false,
  v: "v21.0",
  ponyfill: { fetch: (url, options) => fetch(sink + new URL(url).pathname, options) },
});

whatsapp.on.message = ({ message, reply }) => reply(new Text(said(message.text.body)));

http
  .createServer(async (request, response) => {
    response.statusCode = await whatsapp.handle_post(request);
    response.end();
  })
  .listen(Number(process.env.BENCH_PORT), "127.0.0.1");
