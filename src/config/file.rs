//! `pinhole.toml`: the settings at its top level, and `[provider.NAME]` sections.

use super::error::{ConfigError, suggestion};
use super::secret;
use super::table::{Setting, TABLE};
use super::{OTHER_STORES, Origin, ProviderSettings, Settings, Sourced};
use miette::NamedSource;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// A file that was read, with its secrets covered in the copy that errors show.
pub struct File {
    /// Where it lies, as the user named it.
    pub path: PathBuf,
    text: String,
    source: NamedSource<String>,
    entries: Vec<Entry>,
    providers: Vec<Provider>,
}

/// A setting in the file.
struct Entry {
    name: String,
    value: Value,
}

/// A `[provider.NAME]` section.
struct Provider {
    name: String,
    place: Range<usize>,
    options: Vec<Entry>,
}

/// A value as text, and where it stands.
struct Value {
    text: String,
    place: Range<usize>,
}

type Item<'i> = (Spanned<std::borrow::Cow<'i, str>>, Spanned<DeValue<'i>>);

impl File {
    /// Reads and parses it. `named_by` is the flag or variable that asked for it.
    pub fn read(path: &Path, named_by: &str) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let path = path.display();
            ConfigError::plain(format!(
                "cannot read the configuration file `{path}` ({named_by}): {error}"
            ))
        })?;
        Self::parse(path, text)
    }

    pub(super) fn parse(path: &Path, text: String) -> Result<Self, ConfigError> {
        let covered = secret::cover(&text, &secret::places(&text));
        let mut file = Self {
            path: path.to_owned(),
            source: NamedSource::new(path.display().to_string(), covered),
            text: String::new(),
            entries: Vec::new(),
            providers: Vec::new(),
        };
        let table = DeTable::parse(&text).map_err(|error| file.syntax(&error, text.len()))?;
        let items = in_order(table.into_inner());
        let exact: Vec<_> = secret_values(&items);
        let covered = secret::cover(file.source.inner(), &exact);
        file.source = NamedSource::new(path.display().to_string(), covered);
        for item in items {
            file.take(item)?;
        }
        file.text = text;
        Ok(file)
    }

    /// The folder where relative paths begin.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Sets this row if the file has it; gives the text and its line.
    pub fn set(
        &self,
        settings: &mut Settings,
        row: &Setting,
    ) -> Result<Option<(String, usize)>, ConfigError> {
        let Some(entry) = self.entries.iter().find(|entry| entry.name == row.name) else {
            return Ok(None);
        };
        let Value { text, place } = &entry.value;
        (row.set)(settings, text, self.folder()).map_err(|right| {
            ConfigError::wrong_value(row, row.name, text, &right).at(
                self.source.clone(),
                place.clone(),
                "this value",
            )
        })?;
        Ok(Some((text.clone(), self.line(place.start))))
    }

    /// The providers, and where each of their options came from.
    pub fn providers(&self) -> Result<(Vec<ProviderSettings>, Vec<Sourced>), ConfigError> {
        let mut settings = Vec::new();
        let mut origins = Vec::new();
        for provider in &self.providers {
            let mut one = ProviderSettings {
                name: provider.name.clone(),
                ..ProviderSettings::default()
            };
            for Entry { name, value } in &provider.options {
                origins.push(Sourced {
                    name: format!("provider.{}.{name}", provider.name),
                    value: secret::shown(name, &value.text),
                    origin: Origin::File(self.path.clone(), self.line(value.place.start)),
                });
                if name == "kind" {
                    one.kind.clone_from(&value.text);
                } else {
                    one.options.insert(name.clone(), value.text.clone());
                }
            }
            if one.kind.is_empty() {
                let message = format!("provider `{}` needs a `kind`", provider.name);
                return Err(self
                    .fault(&message, &provider.place, "this section")
                    .with_help("The kind says which service it is: kind = \"sketch\"."));
            }
            settings.push(one);
        }
        Ok((settings, origins))
    }

    /// Takes one item of the top level.
    fn take(&mut self, (key, value): Item<'_>) -> Result<(), ConfigError> {
        let name = key.get_ref().as_ref();
        if name == "provider" {
            return self.take_providers(&key, value);
        }
        if let Some((_, why)) = OTHER_STORES.iter().find(|(store, _)| *store == name) {
            let message = format!("`{name}` is set, but {why}; remove it to go on");
            return Err(self.fault(&message, &key.span(), "this setting"));
        }
        if !TABLE.iter().any(|row| row.name == name) {
            let known = TABLE.iter().map(|row| row.name).chain(["provider"]);
            return Err(self
                .fault(
                    &format!("there is no setting `{name}`"),
                    &key.span(),
                    "unknown",
                )
                .with_help(suggestion(name, known)));
        }
        let value = self.scalar(name, value)?;
        self.entries.push(Entry {
            name: name.to_owned(),
            value,
        });
        Ok(())
    }

    /// Takes `[provider.…]`.
    fn take_providers(
        &mut self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        let unnamed = |file: &Self, place| {
            file.fault(
                "a provider needs a name",
                place,
                "not a section with a name",
            )
            .with_help("Write [provider.NAME], with its `kind` below.")
        };
        let DeValue::Table(sections) = value.into_inner() else {
            return Err(unnamed(self, &key.span()));
        };
        for (name, section) in in_order(sections) {
            let place = name.span();
            let DeValue::Table(options) = section.into_inner() else {
                return Err(unnamed(self, &place));
            };
            if !is_name(name.get_ref()) {
                return Err(self
                    .fault("this is no name for a provider", &place, "this name")
                    .with_help("A name has letters, digits, `-`, `_` and `.`."));
            }
            let mut provider = Provider {
                name: name.into_inner().into_owned(),
                place,
                options: Vec::new(),
            };
            for (key, value) in in_order(options) {
                let name = key.into_inner().into_owned();
                let value = self.scalar(&name, value)?;
                provider.options.push(Entry { name, value });
            }
            self.providers.push(provider);
        }
        Ok(())
    }

    /// A value as text: one value, or a list of them joined by commas.
    fn scalar(&self, name: &str, value: Spanned<DeValue<'_>>) -> Result<Value, ConfigError> {
        let place = value.span();
        match as_text(value.get_ref()) {
            Some(text) => Ok(Value { text, place }),
            None => {
                let message = format!("`{name}` must be one value or a list of them");
                Err(self.fault(&message, &place, "not a plain value"))
            }
        }
    }

    fn fault(&self, message: &str, place: &Range<usize>, label: &str) -> ConfigError {
        ConfigError::plain(message).at(self.source.clone(), place.clone(), label)
    }

    /// A file that is no TOML. The parser's own rendering would print the line with its secrets.
    fn syntax(&self, error: &toml::de::Error, len: usize) -> ConfigError {
        let place = error.span().unwrap_or(len..len);
        self.fault(
            "the configuration file is not valid TOML",
            &place,
            error.message(),
        )
    }

    /// The line of this place, from 1.
    fn line(&self, at: usize) -> usize {
        1 + self.text[..at].matches('\n').count()
    }
}

/// Whether model files can call a provider this.
fn is_name(name: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    !name.is_empty() && name.chars().all(fits)
}

/// A table's items as the file has them, so that the first fault of the file is the one reported.
fn in_order<'i>(table: DeTable<'i>) -> Vec<Item<'i>> {
    let mut items: Vec<_> = table.into_iter().collect();
    items.sort_by_key(|(key, _)| key.span().start);
    items
}

/// Where the values of secrets stand, at any depth. A provider's own name hides nothing.
fn secret_values(items: &[Item<'_>]) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for (key, value) in items {
        match value.get_ref() {
            DeValue::Table(sections) if key.get_ref() == "provider" => {
                for section in sections.values() {
                    collect_secrets(false, section, &mut places);
                }
            }
            _ => collect_secrets(secret::is_secret(key.get_ref()), value, &mut places),
        }
    }
    places
}

fn collect_secrets(hidden: bool, value: &Spanned<DeValue<'_>>, places: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::Table(table) => {
            for (key, value) in table {
                collect_secrets(hidden || secret::is_secret(key.get_ref()), value, places);
            }
        }
        _ if hidden => places.push(value.span()),
        _ => {}
    }
}

fn as_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => Some(as_digits(number)),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| match item.get_ref() {
                DeValue::Array(_) => None,
                item => as_text(item),
            });
            items
                .collect::<Option<Vec<_>>>()
                .map(|items| items.join(","))
        }
        DeValue::Table(_) => None,
    }
}

/// In decimal, whatever the file's base.
fn as_digits(number: &DeInteger<'_>) -> String {
    match i128::from_str_radix(number.as_str(), number.radix()) {
        Ok(value) => value.to_string(),
        Err(_) => number.to_string(),
    }
}
