//! `/v1/files`.

use super::files::{KEPT_HEADERS, pictures, read_headers, rest_of_file};
use super::operation::{Access, Answer, Operation, in_path, in_query};
use super::schema;
use crate::error::Kind;
use serde_json::{Value, json};

/// `POST /v1/files`
pub(in crate::api) fn create() -> Operation {
    Operation {
        body: Some(json!({"multipart/form-data": {"schema": schema("FileForm")}})),
        answers: vec![Answer::ok("The file.", schema("File"))],
        errors: &[
            Kind::InvalidBody,
            Kind::InvalidParameter,
            Kind::TooLarge,
            Kind::UnsupportedMediaType,
            Kind::Overloaded,
            Kind::StorageFull,
        ],
        ..operation(
            "uploadFile",
            "Keep an input image",
            "For a day, or as long as `expires_after` says; up to 1 GiB an account. Later calls name it by its id.",
        )
    }
}

/// `GET /v1/files`
pub(in crate::api) fn list() -> Operation {
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 10000, "default": 10000});
    let order = json!({"type": "string", "enum": ["asc", "desc"], "default": "desc"});
    let id = json!({"type": "string", "pattern": ID});
    Operation {
        parameters: vec![
            in_query("limit", "How many to list.", &limit),
            in_query("order", "Oldest or newest first.", &order),
            in_query("after", "The last file of the page before.", &id),
            in_query(
                "purpose",
                "Only those of this purpose.",
                &json!({"type": "string"}),
            ),
        ],
        answers: vec![Answer::ok("A page of files.", schema("FileList"))],
        errors: &[Kind::InvalidParameter],
        ..operation("listFiles", "The input images that are kept", "")
    }
}

/// `GET /v1/files/{id}`
pub(in crate::api) fn show() -> Operation {
    Operation {
        parameters: vec![id()],
        answers: vec![Answer::ok("The file.", schema("File"))],
        errors: &[Kind::NotFound],
        ..operation("getUploadedFile", "One of them", "")
    }
}

/// `GET /v1/files/{id}/content`
pub(in crate::api) fn content() -> Operation {
    let mut answers = vec![Answer {
        headers: KEPT_HEADERS,
        content: pictures(),
        ..Answer::ok("The picture.", json!({}))
    }];
    answers.extend(rest_of_file());
    Operation {
        parameters: [vec![id()], read_headers()].concat(),
        answers,
        errors: &[Kind::NotFound, Kind::Gone],
        ..operation("getFileContent", "The bytes as they were uploaded", "")
    }
}

/// `DELETE /v1/files/{id}`
pub(in crate::api) fn delete() -> Operation {
    Operation {
        parameters: vec![id()],
        answers: vec![Answer::ok("It is gone.", schema("DeletedFile"))],
        errors: &[Kind::NotFound],
        ..operation(
            "deleteFile",
            "Forget one",
            "Calls that were accepted before are not disturbed.",
        )
    }
}

const ID: &str = "^file-[0-9a-f]{32}$";

fn id() -> Value {
    in_path("id", "The file's id.", "file-01")
}

fn operation(id: &'static str, summary: &'static str, description: &'static str) -> Operation {
    Operation {
        id,
        tag: "uploads",
        summary,
        description,
        access: Access::Key,
        parameters: Vec::new(),
        body: None,
        answers: Vec::new(),
        errors: &[],
    }
}
