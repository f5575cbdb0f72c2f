// OpenAI's SDK for Node, as its users use it. OPENAI_BASE_URL and OPENAI_API_KEY come from the environment.
import assert from "node:assert/strict";
import OpenAI, { toFile } from "openai";

const client = new OpenAI();
const model = "gpt-image-2";
const picture = (image) => {
  const data = Buffer.from(image.b64_json, "base64");
  assert.equal(data.subarray(1, 4).toString(), "PNG");
  return data;
};
const types = async (stream) => {
  const seen = [];
  for await (const event of await stream) seen.push(event.type);
  return seen;
};

const ids = [];
for await (const one of client.models.list()) ids.push(one.id);
assert.ok(ids.includes(model));

const made = await client.images.generate({ model, prompt: "a lighthouse at dusk", n: 2 });
const [first, second] = made.data.map(picture);
assert.notDeepEqual(first, second);

const image = [await toFile(first, "a.png", { type: "image/png" }), await toFile(second, "blob")];
picture((await client.images.edit({ model, prompt: "night", image })).data[0]);
picture((await client.images.edit({ model, prompt: "night", image: image[0] })).data[0]);

const file = await client.files.create({ file: image[0], purpose: "vision" });
assert.deepEqual([file.filename, file.bytes, file.object], ["a.png", first.length, "file"]);
assert.deepEqual(await client.files.retrieve(file.id), file);
const files = [];
for await (const one of client.files.list({ limit: 1 })) files.push(one.id);
assert.ok(files.includes(file.id));
assert.deepEqual(Buffer.from(await (await client.files.content(file.id)).arrayBuffer()), first);
const named = { model, prompt: "night", images: [{ file_id: file.id }] };
const byName = await client.post("/images/edits", { body: named });
assert.deepEqual(picture(byName.data[0]), picture((await client.images.edit({ model, prompt: "night", image: image[0] })).data[0]));
assert.equal((await client.files.delete(file.id)).deleted, true);
await assert.rejects(client.post("/images/edits", { body: named }), { status: 400, param: "images[0].file_id" });

assert.deepEqual(await types(client.images.generate({ model, prompt: "a lake", stream: true, partial_images: 1 })), [
  "image_generation.partial_image",
  "image_generation.completed",
]);
assert.deepEqual(await types(client.images.edit({ model, prompt: "a lake", image: image[0], stream: true })), [
  "image_edit.completed",
]);

const talks = { model: "gemini-3.5-flash", messages: [{ role: "user", content: "Why is the sky blue?" }] };
const chat = await client.chat.completions.create({ ...talks, max_tokens: 5 });
assert.equal(chat.choices[0].finish_reason, "length");
assert.equal(chat.choices[0].message.content.trim().split(" ").length, 5);
let said = "";
let usage;
for await (const chunk of await client.chat.completions.create({
  ...talks,
  stream: true,
  stream_options: { include_usage: true },
})) {
  said += chunk.choices[0]?.delta.content ?? "";
  usage = chunk.usage ?? usage;
}
assert.match(said, /canned[^]*20 characters/);
assert.equal(usage.total_tokens, 0);
const whole = await client.chat.completions.stream(talks).finalContent();
assert.equal(whole, said);
const broken = { ...talks, messages: [{ role: "user", content: "[pinhole:partial=1/2] x" }], stream: true };
await assert.rejects(async () => {
  for await (const _ of await client.chat.completions.create(broken));
}, /upstream broke off/);
await assert.rejects(client.chat.completions.create({ ...talks, model }), { status: 400, param: "model" });

await assert.rejects(client.images.generate({ model, prompt: "x", n: 11 }), { status: 400, param: "n" });
await assert.rejects(client.images.generate({ model: "nope", prompt: "x" }), { status: 404, code: "model_not_found" });
await assert.rejects(client.images.generate({ model, prompt: "[pinhole:fail=unknown] x" }), { status: 504 });
await assert.rejects(new OpenAI({ apiKey: "sk-wrong" }).models.list(), { status: 401, code: "invalid_api_key" });

console.log("passed");
