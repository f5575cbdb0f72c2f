//! What calls bring, as schemas: one a model, derived from its form, and the shapes that say the same in other words.

use super::schema;
use crate::catalogue::{Catalogue, Model, json_schema};
use crate::types::Operation;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// By name.
pub(super) fn schemas(catalogue: &Catalogue) -> Vec<(String, Value)> {
    let models = catalogue.models();
    let names = component_names(models.iter().map(|model| model.id.as_str()));
    let named: Vec<(&str, &Model)> = names
        .iter()
        .map(String::as_str)
        .zip(models.iter().map(AsRef::as_ref))
        .collect();
    let editors: Vec<(&str, &Model)> = named
        .iter()
        .filter(|(_, model)| model.supports(Operation::Edit))
        .copied()
        .collect();
    let mut schemas = vec![
        (
            "GenerationRequest".to_owned(),
            in_any_shape("FlatGeneration"),
        ),
        ("FlatGeneration".to_owned(), flat(&named)),
        ("EditRequest".to_owned(), in_any_shape("FlatEdit")),
        ("FlatEdit".to_owned(), flat(&editors)),
        ("EditForm".to_owned(), edit_form(&editors)),
        ("DashScopeRequest".to_owned(), dashscope(&named)),
        ("ChatRequest".to_owned(), chat(&named)),
        ("Message".to_owned(), message()),
    ];
    let of_models = named
        .iter()
        .map(|(name, model)| ((*name).to_owned(), component(name, model)));
    schemas.extend(of_models);
    schemas
}

/// A component's name has only letters, digits, `.`, `-` and `_`; a model's id may have anything. Ids that would get
/// the same name are numbered.
fn component_names<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let mut taken = BTreeSet::new();
    let mut names = Vec::new();
    for id in ids {
        let legal: String = id
            .chars()
            .map(|c| if is_legal(c) { c } else { '_' })
            .collect();
        let numbered = (2..).map(|number| format!("Request.{legal}.{number}"));
        let mut candidates = [format!("Request.{legal}")].into_iter().chain(numbered);
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

fn in_any_shape(flat: &str) -> Value {
    json!({"anyOf": [schema(flat), schema("DashScopeRequest"), schema("ChatRequest")]})
}

/// Parameters at the top, as the model's own schema has them.
fn flat(models: &[(&str, &Model)]) -> Value {
    if models.is_empty() {
        return json!({"description": "No model of this installation does this.", "not": {}});
    }
    let schemas: Vec<Value> = models.iter().map(|(name, _)| schema(name)).collect();
    let mapping: BTreeMap<&str, String> = models
        .iter()
        .flat_map(|(name, model)| {
            let place = format!("#/components/schemas/{name}");
            ids(model).map(move |id| (id, place.clone()))
        })
        .collect();
    json!({
        "description": "Everything at the top, by the names of the model's form.",
        "oneOf": schemas,
        "discriminator": {"propertyName": "model", "mapping": mapping},
    })
}

fn ids(model: &Model) -> impl Iterator<Item = &str> {
    let aliases = model.aliases.iter().map(String::as_str);
    [model.id.as_str()].into_iter().chain(aliases)
}

fn model_property(models: &[(&str, &Model)]) -> Value {
    let all: Vec<&str> = models.iter().flat_map(|(_, model)| ids(model)).collect();
    json!({"description": "The model.", "enum": all})
}

fn dashscope(models: &[(&str, &Model)]) -> Value {
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

fn chat(models: &[(&str, &Model)]) -> Value {
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
fn edit_form(models: &[(&str, &Model)]) -> Value {
    let file = json!({"type": "string", "contentMediaType": "application/octet-stream"});
    let files = json!({"type": "array", "items": file, "maxItems": 16});
    let mut properties = Map::new();
    let parameters = models.iter().flat_map(|(_, model)| &model.parameters);
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

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_id_becomes_a_legal_name_of_its_own() {
        let names = component_names(["a", "org/a", "org a", "org_a", "Ünï"].into_iter());
        let expected = [
            "Request.a",
            "Request.org_a",
            "Request.org_a.2",
            "Request.org_a.3",
            "Request._n_",
        ];
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
