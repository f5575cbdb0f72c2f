//! Python with OpenAI's SDK (`openai` 3.52.0, `resources/images.py` and `resources/chat/completions/completions.py`):
//! what its functions do not take by name goes to `extra_body`, which it sends along unread.

use super::Example;
use super::chat::{Chat, Hand};
use super::text::{PYTHON, literal, media_type, quoted};
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

/// What `chat.completions.create` takes by name.
const CREATE: &[&str] = &[
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

pub(super) fn pictures(example: &Example, base_url: &str) -> String {
    let (function, known) = match example.operation {
        Operation::Generate => ("generate", GENERATE),
        Operation::Edit => ("edit", EDIT),
    };
    let answer = [("response_format", json!("b64_json"))];
    let fields: Vec<(&str, Value)> = example.fields().chain(answer).collect();
    let (named, extra) = arguments(&fields, known);
    let arguments = named + &files(example) + &extra;
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

pub(super) fn text(example: &Example, base_url: &str) -> String {
    let chat = Chat::of(example);
    let hand = Hand {
        value: &|value| literal(value, &PYTHON),
        picture: &|file| format!("data_url({}, \"{}\")", quoted(file), media_type(file)),
    };
    let messages = format!("    messages={},\n", chat.messages("    ", &hand));
    let (named, extra) = arguments(&chat.fields, CREATE);
    let (imports, function) = if example.images.is_empty() {
        ("import os\n", "")
    } else {
        (
            "import base64\nimport os\nfrom pathlib import Path\n",
            "\n\ndef data_url(file, kind):\n    \
             return f\"data:{kind};base64,{base64.b64encode(Path(file).read_bytes()).decode()}\"\n\n",
        )
    };
    format!(
        "# pip install openai\n\
         {imports}\n\
         from openai import OpenAI\n\
         {function}\n\
         client = OpenAI(base_url={}, api_key=os.environ[\"PINHOLE_API_KEY\"])\n\
         completion = client.chat.completions.create(\n{messages}{named}{extra})\n\
         print(completion.choices[0].message.content)",
        quoted(&format!("{base_url}/v1")),
    )
}

/// The arguments of a call: what a function knows by name, and the rest.
fn arguments(fields: &[(&str, Value)], known: &[&str]) -> (String, String) {
    let (named, extra): (Vec<_>, Vec<_>) =
        fields.iter().partition(|(name, _)| known.contains(name));
    let named = named
        .iter()
        .map(|(name, value)| format!("    {name}={},\n", literal(value, &PYTHON)));
    let entries: Vec<String> = extra
        .iter()
        .map(|(name, value)| format!("{}: {}", quoted(name), literal(value, &PYTHON)))
        .collect();
    let extra = if entries.is_empty() {
        String::new()
    } else {
        format!("    extra_body={{{}}},\n", entries.join(", "))
    };
    (named.collect(), extra)
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
