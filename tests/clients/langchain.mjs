// LangChain's image tool. OPENAI_API_KEY comes from the environment.
import assert from "node:assert/strict";
import { DallEAPIWrapper } from "@langchain/openai";

const baseUrl = process.env.OPENAI_BASE_URL;
// Its own default quality is one that OpenAI's present models do not have either.
const ask = { baseUrl, model: "gpt-image-2", quality: "low", dallEResponseFormat: "b64_json" };
const isPng = (data) => assert.equal(Buffer.from(data, "base64").subarray(1, 4).toString(), "PNG");

isPng(await new DallEAPIWrapper(ask).invoke("a lighthouse at dusk"));

const several = await new DallEAPIWrapper({ ...ask, n: 2 }).invoke("a lake");
assert.equal(several.length, 2);
several.forEach((part) => isPng(part.image_url.url));

const url = await new DallEAPIWrapper({ ...ask, dallEResponseFormat: "url" }).invoke("a forest");
const picture = Buffer.from(await (await fetch(url)).arrayBuffer());
assert.equal(picture.subarray(1, 4).toString(), "PNG");

await assert.rejects(new DallEAPIWrapper({ ...ask, quality: "standard" }).invoke("x"), { status: 400, param: "quality" });

console.log("passed");
