//! What the parameters of one operation must be to each other, as schemas that all must hold.

use super::{is_always_named, values};
use crate::catalogue::model::{Condition, Model, Parameter, When};
use crate::types::Operation;
use serde_json::{Value, json};

/// Whether a body asks for an edit, for a model that does both.
pub(super) fn is_edit(model: &Model) -> Value {
    let inputs = model.parameters.iter().filter(|it| it.makes_an_edit());
    any(inputs.map(is_said).collect())
}

/// The rules of a model in one operation.
pub(super) struct Rules<'a> {
    pub(super) model: &'a Model,
    pub(super) operation: Operation,
}

impl Rules<'_> {
    pub(super) fn all(&self) -> Vec<Value> {
        let of_parameters = self.model.parameters.iter().enumerate();
        let of_parameters =
            of_parameters.flat_map(|(at, parameter)| self.of_parameter(at, parameter));
        let forbids = self.model.forbids.iter().map(|forbid| {
            let refused = not(self.holds(&forbid.when, self.model.parameters.len()));
            told(refused, &forbid.message)
        });
        let all = of_parameters.chain(forbids);
        all.filter(|rule| *rule != Value::Bool(true)).collect()
    }

    fn of_parameter(&self, at: usize, parameter: &Parameter) -> Vec<Value> {
        if !parameter.applies_to(self.operation) {
            return vec![is_unsaid(parameter)];
        }
        let mut rules = vec![self.presence(parameter)];
        if let Some(only_with) = &parameter.only_with {
            let message = format!("`{}` only applies with {only_with}", parameter.name);
            let rule = any(vec![not(is_said(parameter)), self.holds(only_with, at)]);
            rules.push(told(rule, &message));
        }
        rules
    }

    /// How often it may be said: once at most, and once at least if it is required.
    fn presence(&self, parameter: &Parameter) -> Value {
        // Its property and the list of required ones say so already; of pictures, an empty list would pass there.
        if is_always_named(self.model, parameter) && !parameter.kind.is_image() {
            return Value::Bool(true);
        }
        let names: Vec<Value> = names(parameter)
            .map(|name| is_said_as(parameter, name))
            .collect();
        match (parameter.is_required_for(self.operation), names.len()) {
            (true, _) => one(names),
            (false, 1) => Value::Bool(true),
            (false, _) => one(names.into_iter().chain([not(is_said(parameter))]).collect()),
        }
    }

    /// Whether conditions hold, as far as the parameters before number `before` have been dropped where they have no
    /// meaning.
    fn holds(&self, when: &When, before: usize) -> Value {
        if when
            .operation
            .is_some_and(|wanted| wanted != self.operation)
        {
            return Value::Bool(false);
        }
        let conditions = when.parameters.iter();
        all(conditions
            .map(|(name, condition)| self.has(name, condition, before))
            .collect())
    }

    /// Whether a parameter has one of these values: it was said, or that is its default.
    fn has(&self, name: &str, condition: &Condition, before: usize) -> Value {
        let mut parameters = self.model.parameters.iter().enumerate();
        let Some((at, parameter)) = parameters.find(|(_, it)| it.name == name) else {
            return Value::Bool(false);
        };
        if !parameter.applies_to(self.operation) {
            return Value::Bool(false);
        }
        let values = values::fulfilling(parameter, condition);
        let mut ways: Vec<Value> = names(parameter)
            .map(|name| json!({"required": [name], "properties": {name: values}}))
            .collect();
        if parameter
            .default
            .as_ref()
            .is_some_and(|it| condition.holds(it))
        {
            let mut by_default = vec![not(is_said(parameter))];
            if let Some(only_with) = parameter.only_with.as_ref().filter(|_| at < before) {
                by_default.push(self.holds(only_with, at));
            }
            ways.push(all(by_default));
        }
        any(ways)
    }
}

fn names(parameter: &Parameter) -> impl Iterator<Item = &String> {
    [&parameter.name].into_iter().chain(&parameter.aliases)
}

fn is_said(parameter: &Parameter) -> Value {
    any(names(parameter)
        .map(|name| is_said_as(parameter, name))
        .collect())
}

fn is_said_as(parameter: &Parameter, name: &str) -> Value {
    json!({"required": [name], "properties": {name: {"not": nothing(parameter)}}})
}

fn is_unsaid(parameter: &Parameter) -> Value {
    let names = names(parameter).map(|name| (name.clone(), nothing(parameter)));
    json!({"properties": Value::Object(names.collect())})
}

/// The values that say nothing.
fn nothing(parameter: &Parameter) -> Value {
    if parameter.kind.is_image() {
        json!({"enum": [null, []]})
    } else {
        json!({"type": "null"})
    }
}

/// With words for who reads the schema.
fn told(rule: Value, message: &str) -> Value {
    match rule {
        Value::Object(mut rule) => {
            rule.insert("description".to_owned(), message.into());
            Value::Object(rule)
        }
        plain => plain,
    }
}

fn not(schema: Value) -> Value {
    match schema {
        Value::Bool(truth) => Value::Bool(!truth),
        schema => json!({"not": schema}),
    }
}

fn any(ways: Vec<Value>) -> Value {
    if ways.contains(&Value::Bool(true)) {
        return Value::Bool(true);
    }
    joined("anyOf", ways, false)
}

fn all(conditions: Vec<Value>) -> Value {
    if conditions.contains(&Value::Bool(false)) {
        return Value::Bool(false);
    }
    joined("allOf", conditions, true)
}

fn one(ways: Vec<Value>) -> Value {
    joined("oneOf", ways, false)
}

/// Schemas under a keyword; those that are always `empty`, as one of none would be, add nothing to it.
fn joined(keyword: &str, mut schemas: Vec<Value>, empty: bool) -> Value {
    schemas.retain(|schema| *schema != Value::Bool(empty));
    match schemas.len() {
        0 => Value::Bool(empty),
        1 => schemas.remove(0),
        _ => json!({keyword: schemas}),
    }
}
