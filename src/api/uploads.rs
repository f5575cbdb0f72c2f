//! `/v1/files`: input images that are uploaded once and named in later calls, as OpenAI's SDKs send and read them.

use super::name::Name;
use super::params::Params;
use super::reply::{Refusal, json_response};
use super::{Api, body, files};
use crate::dialect::flat::Flat;
use crate::engine::{KEEP_FILES, NewFile};
use crate::error::{Error, Fault, Kind};
use crate::intake::multipart::{Form, Value};
use crate::store::FilePage;
use crate::types::{Caller, FileId, InputFile};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::time::Duration;

/// OpenAI's purposes under which an image may come.
pub(super) const PURPOSES: [&str; 3] = ["vision", "user_data", "assistants"];

/// The most of a file's name that is kept.
const MOST_NAME_CHARS: usize = 255;

/// How many files a page may list.
const LONGEST_PAGE: u32 = 10_000;

/// `POST /v1/files`
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let kept = async {
        api.0.engine.may_admit(&caller)?;
        let boundary = body::boundary(&headers).ok_or_else(not_a_form)?;
        let form = body::read_parts(&api, &headers, &boundary, body).await?;
        api.0.engine.keep_file(&caller, new_file(form)?).await
    };
    answer(kept.await.map(|file| card(&file)))
}

/// `GET /v1/files`
pub(super) async fn list(State(api): State<Api>, caller: Caller, params: Params) -> Response {
    let listed = async {
        let page = page(params)?;
        // One more tells whether there is another page.
        let asked = FilePage {
            most: page.most + 1,
            ..page.clone()
        };
        let mut files = api.0.engine.list_files(&caller, &asked).await?;
        let has_more = files.len() > page.most as usize;
        files.truncate(page.most as usize);
        Ok(json!({
            "object": "list",
            "data": files.iter().map(card).collect::<Vec<_>>(),
            "first_id": files.first().map(|file| file.id.as_str()),
            "last_id": files.last().map(|file| file.id.as_str()),
            "has_more": has_more,
        }))
    };
    answer(listed.await)
}

/// `GET /v1/files/{id}`
pub(super) async fn show(State(api): State<Api>, caller: Caller, Name(id): Name) -> Response {
    let found = api.0.engine.find_file(&caller, &id).await;
    answer(found.map(|file| card(&file)))
}

/// `GET /v1/files/{id}/content`: the bytes as they were uploaded.
pub(super) async fn content(
    State(api): State<Api>,
    caller: Caller,
    Name(id): Name,
    headers: HeaderMap,
) -> Response {
    let content = async {
        let file = api.0.engine.find_file(&caller, &id).await?;
        files::answer(&api, &file.picture, &headers).await
    };
    content
        .await
        .unwrap_or_else(|error| Refusal::new(&Flat, error).into_response())
}

/// `DELETE /v1/files/{id}`
pub(super) async fn delete(State(api): State<Api>, caller: Caller, Name(id): Name) -> Response {
    let deleted = api.0.engine.delete_file(&caller, &id).await;
    answer(deleted.map(|id| json!({"id": id.as_str(), "object": "file", "deleted": true})))
}

fn answer(outcome: Result<serde_json::Value, Error>) -> Response {
    match outcome {
        Ok(body) => json_response(StatusCode::OK, body.to_string()),
        Err(error) => Refusal::new(&Flat, error).into_response(),
    }
}

/// A file as OpenAI shows one. It needs no processing: what is kept is an image.
fn card(file: &InputFile) -> serde_json::Value {
    json!({
        "id": file.id.as_str(),
        "object": "file",
        "bytes": file.picture.bytes,
        "created_at": file.created_at.seconds(),
        "expires_at": file.expires_at.seconds(),
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
    })
}

fn not_a_form() -> Error {
    Error::new(
        Kind::UnsupportedMediaType,
        "this endpoint reads a form (`multipart/form-data`) with `file` and `purpose`",
    )
}

/// What the form says, each field once.
fn new_file(mut form: Form) -> Result<NewFile, Error> {
    let (mut file, mut purpose, mut keep) = (None, None, KEEP_FILES);
    for field in std::mem::take(&mut form.fields) {
        match (field.name.as_str(), field.value) {
            ("file", Value::File(handle)) if file.is_none() => {
                file = Some((handle, field.filename))
            }
            ("purpose", Value::Text(text)) if purpose.is_none() => {
                purpose = Some(read_purpose(text)?)
            }
            ("expires_after[anchor]", Value::Text(text)) => check_anchor(&text)?,
            ("expires_after[seconds]", Value::Text(text)) => keep = read_keep(&text)?,
            (name, _) => return Err(out_of_place(name)),
        }
    }
    let missing = |name: &str, what: &str| {
        let message = format!("`{name}` is required: {what}");
        fault(name, "missing_parameter", message)
    };
    let purpose = purpose.ok_or_else(|| missing("purpose", "for an input image it is `vision`"))?;
    let (handle, name) = file.ok_or_else(|| missing("file", "the image, as a file of the form"))?;
    let blob = form.take(&handle).ok_or_else(Error::internal)?;
    let name = name.unwrap_or_else(|| format!("image.{}", blob.picture().format.name()));
    Ok(NewFile {
        name: name.chars().take(MOST_NAME_CHARS).collect(),
        purpose,
        keep,
        blob,
    })
}

fn out_of_place(name: &str) -> Error {
    let shown: String = name.chars().take(60).collect();
    match name {
        "file" => fault(name, "invalid_type", "`file` must be one file".to_owned()),
        "purpose" => fault(
            name,
            "invalid_type",
            "`purpose` must be one text".to_owned(),
        ),
        _ => {
            let message = format!(
                "`{shown}` is not read here; there are file, purpose, expires_after[anchor], expires_after[seconds]"
            );
            fault(&shown, "unknown_parameter", message)
        }
    }
}

fn read_purpose(text: String) -> Result<String, Error> {
    if PURPOSES.contains(&text.as_str()) {
        return Ok(text);
    }
    let message = format!(
        "`purpose` must be one of {}: only input images are kept here",
        PURPOSES.join(", ")
    );
    Err(fault("purpose", "invalid_enum", message))
}

fn check_anchor(text: &str) -> Result<(), Error> {
    if text == "created_at" {
        return Ok(());
    }
    let name = "expires_after[anchor]";
    let message = format!("`{name}` must be created_at");
    Err(fault(name, "invalid_enum", message))
}

fn read_keep(text: &str) -> Result<Duration, Error> {
    let longest = KEEP_FILES.as_secs();
    let seconds = text.parse().ok().filter(|it| (1..=longest).contains(it));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let name = "expires_after[seconds]";
        let message = format!(
            "`{name}` must be a whole number between 1 and {longest}: files are kept for a day at most"
        );
        fault(name, "out_of_range", message)
    })
}

fn fault(param: &str, code: &'static str, message: String) -> Error {
    Error::faults(vec![Fault {
        param: param.to_owned(),
        code,
        message,
    }])
}

/// Which files a list is to hold, in OpenAI's words.
fn page(mut params: Params) -> Result<FilePage, Error> {
    let size = format!("a whole number between 1 and {LONGEST_PAGE}");
    let most = params.read("limit", &size, |text| {
        let number = text.parse().ok();
        number.filter(|number| (1..=LONGEST_PAGE).contains(number))
    })?;
    let oldest_first = params.read("order", "asc or desc", |text| match text {
        "asc" => Some(true),
        "desc" => Some(false),
        _ => None,
    })?;
    let page = FilePage {
        oldest_first: oldest_first.unwrap_or(false),
        after: params.read(
            "after",
            "the id of a file: `file-` and 32 digits",
            FileId::parse,
        )?,
        purpose: params.take("purpose")?,
        most: most.unwrap_or(LONGEST_PAGE),
    };
    params.nothing_else(&["limit", "order", "after", "purpose"])?;
    Ok(page)
}
