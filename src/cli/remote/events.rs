//! An answer that is a stream of events, as our own server writes it: `event:` and one line of `data:` each.

use super::{Marks, read_error, request_id, told};
use crate::cli::failure::{Exit, Failure, Outcome};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use reqwest::Response;
use serde_json::Value;

/// Larger than any event: a preview is a picture of a few megabytes in base64.
const LONGEST_EVENT: usize = 128 * 1024 * 1024;

/// The events of one answer.
pub(in crate::cli) struct Events {
    pub(in crate::cli) marks: Marks,
    /// The request's id, where there is one.
    pub(in crate::cli) request: Option<String>,
    blocks: BoxStream<'static, Result<bytes::Bytes, String>>,
    /// What was read and is not handed out.
    buffer: Vec<u8>,
    /// How much of it has no line break.
    looked_at: usize,
}

impl Events {
    pub(super) fn of(response: Response) -> Self {
        Self {
            marks: Marks::of(&response),
            request: request_id(&response),
            blocks: Box::pin(response.bytes_stream().map_err(|error| told(&error))),
            buffer: Vec::new(),
            looked_at: 0,
        }
    }

    /// The data of the next event; `None` at the end. An `error` event is a failure, as its status would have been.
    /// Being dropped halfway loses nothing: what was read stays for the next call.
    pub(in crate::cli) async fn next(&mut self) -> Outcome<Option<Value>> {
        loop {
            while let Some(line) = self.line() {
                let Some(data) = line.strip_prefix(b"data:") else {
                    continue;
                };
                if data.trim_ascii() == b"[DONE]" {
                    continue;
                }
                let event: Value =
                    serde_json::from_slice(data).map_err(|_| broken("an event is no JSON"))?;
                if event["error"].is_object() {
                    return Err(self.failure(&event));
                }
                return Ok(Some(event));
            }
            match self.blocks.next().await {
                None => return Ok(None),
                Some(Err(why)) => return Err(broken(&why)),
                Some(Ok(block)) if self.buffer.len() + block.len() > LONGEST_EVENT => {
                    return Err(broken("an event is too long"));
                }
                Some(Ok(block)) => self.buffer.extend_from_slice(&block),
            }
        }
    }

    /// The next whole line, without its end.
    fn line(&mut self) -> Option<Vec<u8>> {
        let found = memchr::memchr(b'\n', &self.buffer[self.looked_at..]);
        let Some(found) = found else {
            self.looked_at = self.buffer.len();
            return None;
        };
        let mut line: Vec<u8> = self.buffer.drain(..=self.looked_at + found).collect();
        self.looked_at = 0;
        while line.ends_with(b"\n") || line.ends_with(b"\r") {
            line.pop();
        }
        Some(line)
    }

    fn failure(&self, event: &Value) -> Failure {
        let failure = Failure::from(read_error(500, event));
        match self.marks.get("task-id") {
            Some(task) => failure.why(format!("task {task}")),
            None => failure,
        }
    }
}

fn broken(why: &str) -> Failure {
    Failure::new(Exit::Failed, "the server's answer broke off")
        .why(why)
        .fix("`pinhole task ls` shows how the task ended; its pictures are kept")
}
