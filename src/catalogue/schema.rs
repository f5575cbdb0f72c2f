//! The schema check: a [`Draft`] and a [`Model`] become a [`Request`], or a list of everything that is wrong.
//!
//! The only place where a [`Request`] is made. It knows no dialect: every field brings the path that the
//! client wrote, and faults point there.

use crate::catalogue::checked::{Checked, ImagePaths, Rules, image_inputs};
use crate::catalogue::envelope::{self, EnvelopeRead};
use crate::catalogue::hint::Hints;
use crate::catalogue::model::{Kind, Model, Parameter};
use crate::catalogue::value::{image_paths, read};
use crate::catalogue::words::{fault, name};
use crate::error::Fault;
use crate::types::words::nearest;
use crate::types::{Draft, Field, Operation, Request};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The most faults that one call is told.
const MOST_FAULTS: usize = 64;

/// Checks a call against its model. All faults are told at once, in the order of the client's fields, then
/// what is missing in the order of the form.
pub fn check(model: &Model, draft: Draft, rules: &Rules) -> Result<Checked, Vec<Fault>> {
    let fields: Vec<&Field> = draft
        .fields
        .iter()
        .filter(|field| is_given(field))
        .collect();
    let operation = operation_of(model, &fields, rules);
    let mut check = Check {
        model,
        fields: &fields,
        rules,
        operation,
        hints: Hints::of(&fields),
        found: BTreeMap::new(),
        faulty: BTreeSet::new(),
        values: BTreeMap::new(),
        image_paths: BTreeMap::new(),
        system_prompt: None,
        envelope: EnvelopeRead::new(rules.default_response_format),
        adapted: Vec::new(),
        faults: Vec::new(),
    };
    check.operation_is_supported();
    for (at, field) in fields.iter().enumerate() {
        check.field(at, field);
    }
    check.join_system_prompt();
    check.fill_defaults();
    check.drop_what_does_not_apply();
    check.refuse_forbidden();
    check.name_missing();
    check.finish()
}

/// An explicit null says nothing.
fn is_given(field: &Field) -> bool {
    !field.value.is_null()
}

/// An empty list of images is no image.
fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// What the path says; else an edit where an image was sent that only edits take; else what the model does first.
fn operation_of(model: &Model, fields: &[&Field], rules: &Rules) -> Operation {
    let has_edit_input = fields.iter().any(|field| {
        let parameter = model.parameter(&field.name);
        parameter.is_some_and(Parameter::makes_an_edit) && !is_empty_list(&field.value)
    });
    match rules.operation {
        Some(operation) => operation,
        None if has_edit_input && model.supports(Operation::Edit) => Operation::Edit,
        None if model.supports(Operation::Generate) => Operation::Generate,
        None => Operation::Edit,
    }
}

/// One check under way.
pub(super) struct Check<'a> {
    pub(super) model: &'a Model,
    fields: &'a [&'a Field],
    pub(super) rules: &'a Rules,
    operation: Operation,
    hints: Hints,
    /// Where the client sent each parameter: the field's number and its path.
    pub(super) found: BTreeMap<&'a str, (usize, String)>,
    /// Parameters whose value is wrong; nothing more is said about them.
    pub(super) faulty: BTreeSet<&'a str>,
    /// By parameter; `n` stands among them until the end.
    pub(super) values: BTreeMap<String, Value>,
    image_paths: ImagePaths<'a>,
    /// A system prompt for a model that has none.
    pub(super) system_prompt: Option<String>,
    envelope: EnvelopeRead,
    pub(super) adapted: Vec<String>,
    /// With the number of the field they belong to.
    pub(super) faults: Vec<(usize, Fault)>,
}

impl<'a> Check<'a> {
    fn operation_is_supported(&mut self) {
        if self.model.supports(self.operation) {
            return;
        }
        let what = match self.operation {
            Operation::Generate => "make images without an input image",
            Operation::Edit => "edit images",
        };
        let message = format!("{} cannot {what}", self.model.id);
        self.faults
            .push((0, fault("", "not_supported_by_operation", message)));
    }

    fn field(&mut self, at: usize, field: &Field) {
        let parameter = self.model.parameter(&field.name);
        if !self.rules.reject_adaptation && self.hints.may_drop(field, parameter) {
            return self.adapted.push(format!("{}=dropped", field.name));
        }
        let sizes = self.sizes_for(field);
        let outcome = match (self.size_row(field), parameter) {
            (Some(row), _) => self.size_in_own_words(at, field, row),
            (None, Some(parameter)) => self.parameter(at, field, parameter),
            (None, None) if envelope::is_envelope(&field.name) => self.envelope_field(at, field),
            (None, None) if self.joins_system_prompt(field) => self.keep_system_prompt(at, field),
            (None, None) => match sizes {
                Some(sizes) => self.ratio_as_size(at, field, sizes),
                None => Err(self.unknown(field)),
            },
        };
        if let Err(fault) = outcome {
            self.faulty
                .extend(parameter.map(|parameter| parameter.name.as_str()));
            self.faults.push((at, fault));
        }
    }

    fn parameter(
        &mut self,
        at: usize,
        field: &Field,
        parameter: &'a Parameter,
    ) -> Result<(), Fault> {
        if parameter.kind.is_image() && is_empty_list(&field.value) {
            return Ok(());
        }
        if !parameter.applies_to(self.operation) {
            if parameter.hint && !self.rules.reject_adaptation {
                self.adapted.push(format!("{}=dropped", parameter.name));
                return Ok(());
            }
            return Err(self.wrong_operation(field));
        }
        let value = match self.clamped(field, parameter) {
            Some(most) => most,
            None => self.read_in_form(field, parameter)?,
        };
        self.goes_by_one_name(field, parameter)?;
        if parameter.name == "stream" {
            self.envelope.stream = value == Value::Bool(true);
        }
        self.store(field, parameter, value)?;
        self.found
            .entry(&parameter.name)
            .or_insert_with(|| (at, field.path.clone()));
        Ok(())
    }

    /// A value as the parameter wants it; that it was written in another form is reported.
    fn read_in_form(&mut self, field: &Field, parameter: &Parameter) -> Result<Value, Fault> {
        let reading = read(parameter, &field.path, &field.value)?;
        if reading.adapted {
            self.adapt(field, &parameter.name, &reading.value)?;
        }
        Ok(reading.value)
    }

    /// One parameter may be sent twice, under two names or in two places: images are joined, other values must agree.
    pub(super) fn store(
        &mut self,
        field: &Field,
        parameter: &'a Parameter,
        value: Value,
    ) -> Result<(), Fault> {
        let Some(earlier) = self.values.remove(&parameter.name) else {
            self.values.insert(parameter.name.clone(), value);
            self.keep_image_paths(field, parameter);
            return Ok(());
        };
        if earlier == value {
            self.values.insert(parameter.name.clone(), earlier);
            return Ok(());
        }
        if let (Kind::Images(_), Value::Array(mut joined), Value::Array(more)) =
            (&parameter.kind, earlier, value)
        {
            joined.extend(more);
            let all = read(parameter, &field.path, &Value::Array(joined))?;
            self.values.insert(parameter.name.clone(), all.value);
            self.keep_image_paths(field, parameter);
            return Ok(());
        }
        let other = self
            .found
            .get(parameter.name.as_str())
            .map_or_else(|| parameter.name.clone(), |(_, path)| path.clone());
        Err(conflict(&parameter.name, &other, &field.path))
    }

    /// Reading two names at the top of a body as one parameter is adaptation.
    fn goes_by_one_name(&self, field: &Field, parameter: &Parameter) -> Result<(), Fault> {
        if !self.rules.reject_adaptation || self.rules.untyped_body {
            return Ok(());
        }
        let is_other = |earlier: &&Field| {
            [field, earlier].iter().all(|it| it.name == it.path) && earlier.name != field.name
        };
        let earlier = self.found.get(parameter.name.as_str());
        let Some(earlier) = earlier
            .and_then(|(at, _)| self.fields.get(*at))
            .copied()
            .filter(is_other)
        else {
            return Ok(());
        };
        let message = format!(
            "{} and {} are two names of one parameter; send one of them",
            name(&earlier.path),
            name(&field.path)
        );
        Err(fault(&field.path, "conflicting_values", message))
    }

    fn keep_image_paths(&mut self, field: &Field, parameter: &'a Parameter) {
        if parameter.kind.is_image() {
            let paths = self.image_paths.entry(&parameter.name).or_default();
            paths.extend(image_paths(&field.path, &field.value));
        }
    }

    /// What is no parameter may stand in two places too.
    pub(super) fn says_the_same(&self, at: usize, field: &Field) -> Result<(), Fault> {
        let earlier = self.fields[..at].iter().find(|it| it.name == field.name);
        match earlier {
            Some(earlier) if earlier.value != field.value => {
                Err(conflict(&field.name, &earlier.path, &field.path))
            }
            _ => Ok(()),
        }
    }

    fn envelope_field(&mut self, at: usize, field: &Field) -> Result<(), Fault> {
        self.says_the_same(at, field)?;
        let adapted = self.envelope.read(self.model, field)?;
        match adapted {
            Some(value) => self.adapt_envelope(field, &value),
            None => Ok(()),
        }
    }

    /// A prompt or previews that the model has no use for are dropped, numbers in texts are read.
    fn adapt_envelope(&mut self, field: &Field, value: &Value) -> Result<(), Fault> {
        if !value.is_null() {
            return self.adapt(field, &field.name, value);
        }
        if self.rules.reject_adaptation {
            return Err(self.unknown(field));
        }
        self.adapted.push(format!("{}=dropped", field.name));
        Ok(())
    }

    fn unknown(&self, field: &Field) -> Fault {
        let known = self
            .model
            .parameters
            .iter()
            .filter(|parameter| parameter.applies_to(self.operation))
            .map(|parameter| parameter.name.as_str())
            .chain(envelope::NAMES.iter().copied());
        let guess = match nearest(&field.name, known.filter(|known| *known != field.name)) {
            Some(guess) => format!("; did you mean `{guess}`?"),
            None => String::new(),
        };
        let message = format!(
            "{} is not a parameter of {}{guess}",
            name(&field.path),
            self.model.id
        );
        fault(&field.path, "unknown_parameter", message)
    }

    fn wrong_operation(&self, field: &Field) -> Fault {
        let message = match self.operation {
            Operation::Generate => format!(
                "{} only applies when an input image is edited",
                name(&field.path)
            ),
            Operation::Edit => format!(
                "{} does not apply when an input image is edited",
                name(&field.path)
            ),
        };
        fault(&field.path, "not_supported_by_operation", message)
    }

    fn fill_defaults(&mut self) {
        for parameter in self.applicable() {
            let said = self.values.contains_key(&parameter.name);
            if said || parameter.name == "n" || self.faulty.contains(parameter.name.as_str()) {
                continue;
            }
            if let Some(default) = &parameter.default {
                self.values.insert(parameter.name.clone(), default.clone());
            }
        }
    }

    /// Removes values that have no meaning beside the others: silently where they were only defaults.
    fn drop_what_does_not_apply(&mut self) {
        for parameter in self.applicable() {
            let Some(only_with) = &parameter.only_with else {
                continue;
            };
            let unclear = only_with
                .parameters
                .keys()
                .any(|other| self.faulty.contains(other.as_str()));
            if unclear || only_with.holds(self.operation, &self.values) {
                continue;
            }
            if self.values.remove(&parameter.name).is_none() {
                continue;
            }
            let Some((at, path)) = self.found.get(parameter.name.as_str()) else {
                continue;
            };
            if parameter.hint && !self.rules.reject_adaptation {
                self.adapted.push(format!("{}=dropped", parameter.name));
            } else {
                let message = format!("{} only applies with {only_with}", name(path));
                self.faults
                    .push((*at, fault(path, "conflicting_values", message)));
            }
        }
    }

    fn refuse_forbidden(&mut self) {
        for forbid in &self.model.forbids {
            if !forbid.when.holds(self.operation, &self.values) {
                continue;
            }
            let sent = forbid.when.parameters.keys();
            let first = sent
                .filter_map(|parameter| self.found.get(parameter.as_str()))
                .min_by_key(|(at, _)| *at);
            let (at, path) = first.map_or((0, ""), |(at, path)| (*at, path.as_str()));
            let fault = fault(path, "conflicting_values", forbid.message.clone());
            self.faults.push((at, fault));
        }
    }

    fn name_missing(&mut self) {
        for parameter in self.applicable() {
            let present = self.found.contains_key(parameter.name.as_str())
                || self.faulty.contains(parameter.name.as_str());
            if parameter.is_required_for(self.operation) && !present {
                let message = format!("`{}` is required", parameter.name);
                let fault = fault(&parameter.name, "missing_parameter", message);
                self.faults.push((usize::MAX, fault));
            }
        }
    }

    fn applicable(&self) -> impl Iterator<Item = &'a Parameter> + use<'a> {
        let operation = self.operation;
        let parameters = self.model.parameters.iter();
        parameters.filter(move |parameter| parameter.applies_to(operation))
    }

    fn finish(mut self) -> Result<Checked, Vec<Fault>> {
        if !self.faults.is_empty() {
            return Err(in_order(self.faults));
        }
        let n = self.values.remove("n").as_ref().and_then(Value::as_u64);
        let n = n.and_then(|n| u32::try_from(n).ok());
        let n = n.unwrap_or_else(|| default_n(self.model));
        let (images, mask) = image_inputs(self.model, &self.values, &self.image_paths);
        let EnvelopeRead {
            envelope,
            stream,
            include_usage,
            callback_url,
            ..
        } = self.envelope.settled();
        let id = self.model.id.clone();
        let pixels = self.model.pixels_of(&self.values);
        let request = Request::checked(id, self.operation, n, self.values, envelope);
        Ok(Checked {
            request: request.making(self.model.modality).with_pixels(pixels),
            adapted: self.adapted,
            stream,
            include_usage,
            callback_url,
            images,
            mask,
        })
    }
}

fn conflict(what: &str, one: &str, other: &str) -> Fault {
    let message = format!(
        "{} and {} both say `{what}` and differ; send one of them",
        name(one),
        name(other)
    );
    fault(other, "conflicting_values", message)
}

/// In the client's order; a flood of faults is cut with a word on the rest.
fn in_order(mut faults: Vec<(usize, Fault)>) -> Vec<Fault> {
    faults.sort_by_key(|(at, _)| *at);
    let rest = faults.len().saturating_sub(MOST_FAULTS);
    let told = faults.into_iter().take(MOST_FAULTS).map(|(_, fault)| fault);
    let mut told: Vec<Fault> = told.collect();
    if rest > 0 {
        let message = format!("and {rest} more faults");
        told.push(fault("", "too_many_faults", message));
    }
    told
}

fn default_n(model: &Model) -> u32 {
    model
        .parameter("n")
        .and_then(|n| n.default.as_ref()?.as_u64())
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(1)
}
