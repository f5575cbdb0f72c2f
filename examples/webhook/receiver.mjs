// A receiver of Pinhole's callbacks that believes nothing unsigned. Needs Node alone.
//
// WEBHOOK_SECRET=$(pinhole webhook secret show) node receiver.mjs 8090

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");
const seen = new Set(); // a receiver that matters keeps these where a restart finds them

// Over the bytes as they came, before anything has parsed them.
function isSigned(headers, body) {
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"];
  if (!id || !(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300)) return false; // older may be a recording
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
  // Two signatures stand there while secrets change.
  return (headers["webhook-signature"] ?? "").split(" ").some((one) => {
    const given = Buffer.from(one.replace(/^v1,/, ""), "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

const server = createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const body = Buffer.concat(pieces);
  if (!isSigned(request.headers, body)) return response.writeHead(401).end();
  const id = request.headers["webhook-id"];
  if (!seen.has(id)) {
    seen.add(id);
    const { taskId, state, resultJson } = JSON.parse(body).data;
    const links = resultJson ? JSON.parse(resultJson).resultUrls : [];
    console.log(taskId, state, ...links);
  }
  response.writeHead(204).end(); // anything but 2xx and it comes again
});

server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("listening on", server.address().port));
