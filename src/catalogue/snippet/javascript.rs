//! JavaScript for Node with OpenAI's SDK (`openai` 6.49.0), which sends fields that it does not know as they are.

use super::Example;
use super::chat::{Chat, Hand};
use super::text::{JSON, literal, media_type, quoted};
use crate::types::Operation;
use serde_json::json;

pub(super) fn pictures(example: &Example, base_url: &str) -> String {
    let (function, imports) = match example.operation {
        Operation::Generate => (
            "generate",
            "import { writeFile } from \"node:fs/promises\";\nimport OpenAI from \"openai\";",
        ),
        Operation::Edit => (
            "edit",
            "import { createReadStream } from \"node:fs\";\n\
             import { writeFile } from \"node:fs/promises\";\n\
             import OpenAI, { toFile } from \"openai\";",
        ),
    };
    let answer = [("response_format", json!("b64_json"))];
    let mut fields = String::new();
    for (name, value) in example.fields().chain(answer) {
        fields += &format!("  {}: {},\n", key(name), literal(&value, &JSON));
    }
    fields += &files(example);
    format!(
        "// npm install openai; run it as a module (picture.mjs)\n\
         {imports}\n\
         \n\
         const client = new OpenAI({{ baseURL: {}, apiKey: process.env.PINHOLE_API_KEY }});\n\
         const result = await client.images.{function}({{\n{fields}}});\n\
         for (const [index, image] of result.data.entries()) {{\n  \
           const file = `picture-${{index + 1}}.${{result.output_format}}`;\n  \
           await writeFile(file, Buffer.from(image.b64_json, \"base64\"));\n  \
           console.log(file);\n\
         }}",
        quoted(&format!("{base_url}/v1")),
    )
}

pub(super) fn text(example: &Example, base_url: &str) -> String {
    let chat = Chat::of(example);
    let hand = Hand {
        value: &|value| literal(value, &JSON),
        picture: &|file| format!("await dataUrl({}, \"{}\")", quoted(file), media_type(file)),
    };
    let mut fields = format!("  messages: {},\n", chat.messages("  ", &hand));
    for (name, value) in &chat.fields {
        fields += &format!("  {}: {},\n", key(name), literal(value, &JSON));
    }
    let (import, function) = if example.images.is_empty() {
        ("", "")
    } else {
        (
            "import { readFile } from \"node:fs/promises\";\n",
            "const dataUrl = async (file, type) => `data:${type};base64,${await readFile(file, \"base64\")}`;\n",
        )
    };
    format!(
        "// npm install openai; run it as a module (text.mjs)\n\
         {import}import OpenAI from \"openai\";\n\
         \n\
         const client = new OpenAI({{ baseURL: {}, apiKey: process.env.PINHOLE_API_KEY }});\n\
         {function}const completion = await client.chat.completions.create({{\n{fields}}});\n\
         console.log(completion.choices[0].message.content);",
        quoted(&format!("{base_url}/v1")),
    )
}

fn files(example: &Example) -> String {
    let read = |file: &String| {
        let (name, kind) = (quoted(file), media_type(file));
        format!("await toFile(createReadStream({name}), {name}, {{ type: \"{kind}\" }})")
    };
    let images: Vec<String> = example.images.iter().map(read).collect();
    let mut fields = match &images[..] {
        [] => String::new(),
        [image] => format!("  image: {image},\n"),
        images => format!("  image: [\n    {},\n  ],\n", images.join(",\n    ")),
    };
    if let Some(mask) = &example.mask {
        fields += &format!("  mask: {},\n", read(mask));
    }
    fields
}

/// A name is bare where the language takes it. `__proto__` is a field only between brackets; elsewhere it is what the
/// object inherits from.
fn key(name: &str) -> String {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let mut bytes = name.bytes();
    let is_bare = bytes.next().is_some_and(is_letter)
        && bytes.all(|byte| is_letter(byte) || byte.is_ascii_digit());
    if name == "__proto__" {
        format!("[{}]", quoted(name))
    } else if is_bare {
        name.to_owned()
    } else {
        quoted(name)
    }
}
