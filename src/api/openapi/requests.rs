//! What calls bring, as schemas: one a model, derived from its form, and the shapes that say the same in other words.

use super::schema;
use crate::api::uploads::PURPOSES;
use crate::catalogue::{Catalogue, Model, edit_condition, json_schema};
use crate::engine::KEEP_FILES;
use crate::types::Operation;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// By name.
pub(super) fn schemas(catalogue: &Catalogue) -> Vec<(String, Value)> {
    let names = legal_names(catalogue.current().map(|model| model.id.as_str()));
    let all: Vec<Named<'_>> = names
        .into_iter()
        .zip(catalogue.current().map(AsRef::as_ref))
        .map(|(name, model)| Named { name, model })
        .collect();
    let editors = all
        .iter()
        .filter(|it| it.model.supports(Operation::Edit))
        .cloned();
    let editors: Vec<Named<'_>> = editors.collect();
    let shapes = [
        ("GenerationRequest", in_any_shape(&SHAPES)),
        ("FlatGeneration", flat(&all, Named::request)),
        ("DashScopeRequest", dashscope(&all)),
        ("ChatRequest", chat(&all)),
        ("EditRequest", in_any_shape(&EDIT_SHAPES)),
        ("FlatEdit", flat(&editors, Named::edit)),
        ("DashScopeEdit", edit_of("DashScopeRequest", &editors)),
        ("ChatEdit", edit_of("ChatRequest", &editors)),
        ("EditForm", edit_form(&editors)),
        ("CompletionRequest", completion()),
        ("Message", message()),
        ("FileForm", file_form()),
    ];
    let shapes = shapes.map(|(name, schema)| (name.to_owned(), schema));
    let of_models = all
        .iter()
        .map(|it| (it.request(), component(&it.request(), it.model)));
    let of_editors = editors
        .iter()
        .filter_map(|it| Some((it.edit(), an_edit(it)?)));
    shapes
        .into_iter()
        .chain(of_models)
        .chain(of_editors)
        .collect()
}

/// A model by the name that its components have.
#[derive(Clone)]
struct Named<'a> {
    name: String,
    model: &'a Model,
}

impl Named<'_> {
    /// The component of a flat body for it.
    fn request(&self) -> String {
        format!("Request.{}", self.name)
    }

    /// The component of a flat body that is an edit: if the model does nothing else, any for it.
    fn edit(&self) -> String {
        match edit_condition(self.model) {
            Some(_) => format!("Edit.{}", self.name),
            None => self.request(),
        }
    }
}

/// A component's name has only letters, digits, `.`, `-` and `_`; a model's id may have anything. Ids that would get
/// the same name are numbered.
fn legal_names<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let mut taken = BTreeSet::new();
    let mut names = Vec::new();
    for id in ids {
        let legal: String = id
            .chars()
            .map(|c| if is_legal(c) { c } else { '_' })
            .collect();
        let numbered = (2..).map(|number| format!("{legal}.{number}"));
        let mut candidates = [legal.clone()].into_iter().chain(numbered);
        names.extend(candidates.find(|name| taken.insert(name.clone())));
    }
    names
}

/// A model's schema as a part of the document: without an address of its own, which its references would start from.
fn component(name: &str, model: &Model) -> Value {
    let mut component = json_schema(model);
    if let Value::Object(entries) = &mut component {
        entries.remove("$schema");
        entries.remove("$id");
    }
    rebase(&mut component, &format!("#/components/schemas/{name}"));
    component
}

/// Makes the references of a whole schema those of a part at this place.
fn rebase(schema: &mut Value, place: &str) {
    match schema {
        Value::Object(entries) => {
            for (key, value) in entries {
                match value.as_str().and_then(|text| text.strip_prefix('#')) {
                    Some(rest) if key == "$ref" => *value = format!("{place}{rest}").into(),
                    _ => rebase(value, place),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rebase(item, place)),
        _ => {}
    }
}

/// A flat body that is an edit.
fn an_edit(named: &Named<'_>) -> Option<Value> {
    let condition = edit_condition(named.model)?;
    Some(json!({"allOf": [schema(&named.request()), condition]}))
}

/// What the body of a call may be.
const SHAPES: [&str; 3] = ["FlatGeneration", "DashScopeRequest", "ChatRequest"];

/// The same, of an edit.
const EDIT_SHAPES: [&str; 3] = ["FlatEdit", "DashScopeEdit", "ChatEdit"];

fn in_any_shape(shapes: &[&str]) -> Value {
    let shapes: Vec<Value> = shapes.iter().map(|name| schema(name)).collect();
    json!({"anyOf": shapes})
}

/// Parameters at the top, as the model's own schema has them.
fn flat<'a>(models: &[Named<'a>], component: fn(&Named<'a>) -> String) -> Value {
    if models.is_empty() {
        return json!({"description": "No model of this installation does this.", "not": {}});
    }
    let schemas: Vec<Value> = models.iter().map(|it| schema(&component(it))).collect();
    let mapping: BTreeMap<&str, String> = models
        .iter()
        .flat_map(|it| {
            let place = format!("#/components/schemas/{}", component(it));
            ids(it.model).map(move |id| (id, place.clone()))
        })
        .collect();
    json!({
        "description": "Everything at the top, by the names of the model's form.",
        "oneOf": schemas,
        "discriminator": {"propertyName": "model", "mapping": mapping},
    })
}

/// Another shape of body for an edit: some model that edits, and a picture somewhere.
fn edit_of(shape: &str, models: &[Named<'_>]) -> Value {
    json!({
        "allOf": [
            schema(shape),
            {"properties": {"model": model_property(models)}, "anyOf": with_pictures(models)},
        ],
    })
}

/// Where a picture can stand: at the top, in the input or the parameters, in a message.
fn with_pictures(models: &[Named<'_>]) -> Vec<Value> {
    let parameters = models.iter().flat_map(|it| &it.model.parameters);
    let pictures = parameters.filter(|it| it.kind.is_image() && it.applies_to(Operation::Edit));
    let names: BTreeSet<&String> = pictures
        .flat_map(|it| [&it.name].into_iter().chain(&it.aliases))
        .collect();
    let named = names.iter().map(
        |name| json!({"required": [name], "properties": {*name: {"not": {"enum": [null, []]}}}}),
    );
    let named = json!({"anyOf": named.collect::<Vec<_>>()});
    let pictures = ["image", "image_url"]
        .map(|name| json!({"required": [name], "properties": {name: {"not": {"type": "null"}}}}));
    let part = json!({"type": "object", "anyOf": pictures});
    let message = json!({
        "type": "object",
        "required": ["content"],
        "properties": {"content": {"type": "array", "contains": part}},
    });
    let said = json!({
        "required": ["messages"],
        "properties": {"messages": {"type": "array", "contains": message}},
    });
    vec![
        named.clone(),
        said.clone(),
        json!({"required": ["input"], "properties": {"input": {"anyOf": [named, said]}}}),
        json!({"required": ["parameters"], "properties": {"parameters": named}}),
    ]
}

fn ids(model: &Model) -> impl Iterator<Item = &str> {
    let aliases = model.aliases.iter().map(String::as_str);
    [model.id.as_str()].into_iter().chain(aliases)
}

fn model_property(models: &[Named<'_>]) -> Value {
    let all: Vec<&str> = models.iter().flat_map(|it| ids(it.model)).collect();
    json!({"description": "The model.", "enum": all})
}

fn dashscope(models: &[Named<'_>]) -> Value {
    let input = json!({
        "type": "object",
        "description": "What the picture is made from: `prompt`, or `messages` with texts and pictures.",
        "properties": {"messages": messages(&["array", "null"])},
    });
    json!({
        "type": "object",
        "description": "DashScope's shape. Parameters at the top count too.",
        "required": ["model", "input"],
        "properties": {
            "model": model_property(models),
            "input": input,
            "parameters": {"type": ["object", "null"], "description": "Parameters, by the names of the model's form."},
        },
    })
}

fn chat(models: &[Named<'_>]) -> Value {
    json!({
        "type": "object",
        "description": "A chat's shape: the users' texts are the prompt, their pictures the input images. Parameters at the top count too.",
        "required": ["model", "messages"],
        "properties": {
            "model": model_property(models),
            "messages": messages(&["array"]),
            "input": {"type": "null", "description": "With an input it is DashScope's shape."},
        },
    })
}

/// A chat's body, where nothing else is read.
fn completion() -> Value {
    let modalities = json!({
        "type": ["array", "null"],
        "items": {"type": "string", "enum": ["text", "image"]},
        "description": "With `image`, a model of images makes some; without, a model of text writes one.",
    });
    let image_config = json!({
        "type": ["object", "null"],
        "properties": {"aspect_ratio": {}},
        "additionalProperties": {"type": "null"},
        "description": "What stands at the top in other bodies.",
    });
    json!({
        "description": "A chat's shape, with the parameters of the model's form at the top.",
        "allOf": [
            schema("ChatRequest"),
            {"properties": {"modalities": modalities, "image_config": image_config}},
        ],
    })
}

/// The most messages, and the most parts of one.
const MOST: usize = 256;

fn messages(types: &[&str]) -> Value {
    json!({"type": types, "items": schema("Message"), "maxItems": MOST})
}

/// A null says nothing, whatever its name.
fn closed(required: &[&str], properties: Value) -> Value {
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": {"type": "null"},
    })
}

fn message() -> Value {
    let picture = json!({"type": ["string", "object", "null"], "description": "A URL, a `data:` URL, or an object with it."});
    let part = closed(
        &[],
        json!({
            "type": {"enum": ["text", "image", "image_url", null]},
            "text": {"type": ["string", "null"]},
            "image": picture,
            "image_url": picture,
        }),
    );
    closed(
        &["role", "content"],
        json!({
            "role": {"type": "string", "enum": ["user", "system", "developer"]},
            "content": {"anyOf": [{"type": "string"}, {"type": "array", "items": part, "maxItems": MOST}]},
            "name": {},
        }),
    )
}

/// A form's fields: in a form every value is a text or a file.
fn edit_form(models: &[Named<'_>]) -> Value {
    let files = json!({"type": "array", "items": picture_file(), "maxItems": 16});
    let mut properties = Map::new();
    let parameters = models.iter().flat_map(|it| &it.model.parameters);
    for parameter in parameters.filter(|it| it.applies_to(Operation::Edit)) {
        let of_form = if parameter.kind.is_image() {
            files.clone()
        } else {
            json!({"type": "string"})
        };
        properties
            .entry(parameter.name.clone())
            .or_insert_with(|| described(of_form, &parameter.description));
    }
    properties.insert("model".to_owned(), model_property(models));
    properties.insert(
        "image".to_owned(),
        described(files.clone(), "The pictures to work from, in order."),
    );
    properties.insert(
        "image[]".to_owned(),
        described(files, "The same, as some clients write it."),
    );
    json!({
        "type": "object",
        "description": "A form. Fields may come in any order, `image` any number of times.",
        "required": ["model"],
        "properties": properties,
    })
}

fn file_form() -> Value {
    let seconds = json!({
        "type": "integer",
        "minimum": 1,
        "maximum": KEEP_FILES.as_secs(),
        "description": "How long it is kept.",
    });
    json!({
        "type": "object",
        "description": "A form; each field once.",
        "required": ["file", "purpose"],
        "properties": {
            "file": described(picture_file(), "The image."),
            "purpose": {"type": "string", "enum": PURPOSES},
            "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
            "expires_after[seconds]": seconds,
        },
        "additionalProperties": false,
    })
}

fn picture_file() -> Value {
    json!({"type": "string", "contentMediaType": "application/octet-stream"})
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_id_becomes_a_legal_name_of_its_own() {
        let names = legal_names(["a", "org/a", "org a", "org_a", "Ünï"].into_iter());
        let expected = ["a", "org_a", "org_a.2", "org_a.3", "_n_"];
        assert_eq!(names, expected);
    }

    #[test]
    fn references_start_from_the_place_of_the_part() {
        let mut schema = json!({"a": [{"$ref": "#/$defs/b"}, {"$ref": "other"}], "c": "#/not"});
        rebase(&mut schema, "#/x");
        assert_eq!(
            schema,
            json!({"a": [{"$ref": "#/x/$defs/b"}, {"$ref": "other"}], "c": "#/not"})
        );
    }
}
