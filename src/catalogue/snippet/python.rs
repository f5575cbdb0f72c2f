//! Python with OpenAI's SDK (`openai` 3.52.0, `resources/images.py`): what its functions do not take by name goes to
//! `extra_body`, which it sends along unread.

use super::Example;
use super::text::{PYTHON, literal, quoted};
use crate::types::Operation;
use serde_json::{Value, json};

/// What `images.generate` takes by name.
const GENERATE: &[&str] = &[
    "prompt",
    "background",
    "model",
    "moderation",
    "n",
    "output_compression",
    "output_format",
    "quality",
    "response_format",
    "size",
    "style",
    "user",
];

/// What `images.edit` takes by name.
const EDIT: &[&str] = &[
    "prompt",
    "background",
    "input_fidelity",
    "model",
    "n",
    "output_compression",
    "output_format",
    "quality",
    "response_format",
    "size",
    "user",
];

pub(super) fn pictures(example: &Example, base_url: &str) -> String {
    let (function, known) = match example.operation {
        Operation::Generate => ("generate", GENERATE),
        Operation::Edit => ("edit", EDIT),
    };
    let answer = [("response_format", json!("b64_json"))];
    let fields: Vec<(&str, Value)> = example.fields().chain(answer).collect();
    let (named, extra): (Vec<_>, Vec<_>) =
        fields.iter().partition(|(name, _)| known.contains(name));
    let mut arguments = String::new();
    for (name, value) in named {
        arguments += &format!("    {name}={},\n", literal(value, &PYTHON));
    }
    arguments += &files(example);
    if !extra.is_empty() {
        let entry =
            |(name, value): &(&str, Value)| format!("\"{name}\": {}", literal(value, &PYTHON));
        let entries: Vec<String> = extra.into_iter().map(entry).collect();
        arguments += &format!("    extra_body={{{}}},\n", entries.join(", "));
    }
    format!(
        "# pip install openai\n\
         import base64\n\
         import os\n\
         from pathlib import Path\n\
         \n\
         from openai import OpenAI\n\
         \n\
         client = OpenAI(base_url={}, api_key=os.environ[\"PINHOLE_API_KEY\"])\n\
         result = client.images.{function}(\n{arguments})\n\
         for number, image in enumerate(result.data, start=1):\n    \
             file = Path(f\"picture-{{number}}.{{result.output_format}}\")\n    \
             file.write_bytes(base64.b64decode(image.b64_json))\n    \
             print(file)",
        quoted(&format!("{base_url}/v1")),
    )
}

fn files(example: &Example) -> String {
    let path = |file: &String| format!("Path({})", quoted(file));
    let images: Vec<String> = example.images.iter().map(path).collect();
    let mut arguments = match &images[..] {
        [] => String::new(),
        [image] => format!("    image={image},\n"),
        images => format!("    image=[{}],\n", images.join(", ")),
    };
    if let Some(mask) = &example.mask {
        arguments += &format!("    mask={},\n", path(mask));
    }
    arguments
}
