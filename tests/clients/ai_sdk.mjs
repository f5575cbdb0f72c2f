// Vercel's AI SDK with its two OpenAI providers. OPENAI_BASE_URL and OPENAI_API_KEY come from the environment.
import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { experimental_generateImage as generateImage } from "ai";

const baseURL = process.env.OPENAI_BASE_URL;
const apiKey = process.env.OPENAI_API_KEY;
const openai = createOpenAI({ baseURL, apiKey });
const compatible = createOpenAICompatible({ name: "pinhole", baseURL, apiKey });
const isPng = (image) => assert.equal(Buffer.from(image.uint8Array).subarray(1, 4).toString(), "PNG");

for (const model of [openai.image("gpt-image-2"), compatible.imageModel("gpt-image-2")]) {
  const { images } = await generateImage({ model, prompt: "a lighthouse at dusk", size: "1024x1024", n: 2 });
  assert.equal(images.length, 2);
  images.forEach(isPng);

  const edited = await generateImage({ model, prompt: { text: "night", images: [images[0].uint8Array] } });
  isPng(edited.image);
}

// A model that OpenAI does not have: the provider then asks for base64 by name.
isPng((await generateImage({ model: openai.image("NBP"), prompt: "a lake" })).image);

// What only this model has goes through the provider's own options.
const providerOptions = { openai: { quality: "low", background: "transparent" } };
isPng((await generateImage({ model: openai.image("gpt-image-2"), prompt: "a leaf", providerOptions })).image);

await assert.rejects(generateImage({ model: openai.image("nope"), prompt: "x" }), { statusCode: 404 });
await assert.rejects(
  generateImage({ model: compatible.imageModel("gpt-image-2"), prompt: "x", size: "7x7" }),
  (error) => error.statusCode === 400 && error.message.includes("`size` must be one of"),
);

console.log("passed");
