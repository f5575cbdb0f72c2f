// The official library for JavaScript reads what a receiver got: secret, headers and body, as JSON on stdin.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const given = JSON.parse(readFileSync(0, "utf8"));
const body = Buffer.from(given.body);
for (const secret of given.secrets) {
  if (new Webhook(secret).verify(body, given.headers).code !== 200) throw new Error("another body");
}
try {
  new Webhook(given.stranger).verify(body, given.headers);
} catch {
  console.log("passed");
}
