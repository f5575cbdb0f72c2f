//! A server, over HTTP: the one that holds the data folder, or the one that `PINHOLE_URL` names.

mod events;

pub(super) use events::Events;

use super::failure::{Exit, Failure, Outcome};
use super::out;
use super::place::Key;
use crate::error::{self, Error, Fault, Kind};
use futures::TryStreamExt;
use futures::stream::BoxStream;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// A little longer than the server lets a call wait, so that its own words arrive.
const LONGEST_CALL: Duration = Duration::from_secs(600);

/// A stream that is still running after this will not end.
const LONGEST_STREAM: Duration = Duration::from_secs(3600);

/// How a server that listens there is reached from this machine: who listens everywhere is reached at home.
pub(super) fn url_of(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}

/// A server and the key that signs in there.
pub(super) struct Server {
    base: String,
    client: Client,
    key: Option<Key>,
}

/// A reply that was no refusal.
pub(super) struct Answer {
    pub(super) body: Value,
    /// The request's id, where there is one.
    pub(super) request: Option<String>,
    pub(super) marks: Marks,
}

/// `x-pinhole-*` headers, by what follows the prefix.
pub(super) struct Marks(Vec<(String, String)>);

impl Marks {
    fn of(response: &Response) -> Self {
        let mark = |(name, value): (&HeaderName, &HeaderValue)| {
            let name = name.as_str().strip_prefix("x-pinhole-")?;
            Some((name.to_owned(), value.to_str().ok()?.to_owned()))
        };
        Self(response.headers().iter().filter_map(mark).collect())
    }

    /// One of them.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(mark, _)| mark == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Answer {
    /// One `x-pinhole-*` header.
    pub(super) fn mark(&self, name: &str) -> Option<&str> {
        self.marks.get(name)
    }
}

impl Server {
    /// Nothing is sent yet. Proxies of the environment are not asked: the server is named, and often local.
    pub(super) fn new(base: &str, key: Option<Key>) -> Outcome<Self> {
        let is_web = |url: &Url| matches!(url.scheme(), "http" | "https");
        if !Url::parse(base).is_ok_and(|url| is_web(&url)) {
            return Err(Failure::usage(format!(
                "`{}` is no address of a server",
                out::plain(base)
            ))
            .why("an address begins with http:// or https://")
            .fix("set PINHOLE_URL to one like http://127.0.0.1:7070, or unset it"));
        }
        let client = Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(10))
            .timeout(LONGEST_CALL)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Failure::failed("the HTTP client did not start").why(told(&error)))?;
        let base = base.to_owned();
        Ok(Self { base, client, key })
    }

    /// `GET`, with JSON back.
    pub(super) async fn get(&self, path: &str) -> Outcome<Value> {
        let request = self.client.get(format!("{}{path}", self.base));
        self.send_of_no_model(request).await
    }

    /// `GET` with a query, with JSON back.
    pub(super) async fn get_with(&self, path: &str, query: &[(&str, String)]) -> Outcome<Value> {
        let request = self.client.get(self.place(path, query)?);
        self.send_of_no_model(request).await
    }

    /// `DELETE` with a query, with JSON back.
    pub(super) async fn delete(&self, path: &str, query: &[(&str, String)]) -> Outcome<Value> {
        let request = self.client.delete(self.place(path, query)?);
        self.send_of_no_model(request).await
    }

    /// `POST` with a query and no body, with JSON back.
    pub(super) async fn post_with(&self, path: &str, query: &[(&str, String)]) -> Outcome<Value> {
        let request = self.client.post(self.place(path, query)?);
        self.send_of_no_model(request).await
    }

    fn place(&self, path: &str, query: &[(&str, String)]) -> Outcome<Url> {
        Url::parse_with_params(&format!("{}{path}", self.base), query).map_err(|error| {
            Failure::usage(format!("{} is no address of a server", self.base))
                .why(error.to_string())
                .fix("set PINHOLE_URL to one like http://127.0.0.1:7070")
        })
    }

    /// `POST` of JSON, with JSON back.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Outcome<Answer> {
        let request = self.client.post(format!("{}{path}", self.base));
        self.send(request.json(body)).await
    }

    /// Starts a task without waiting for it. It may have ended by now all the same; an answer that names a task has
    /// accepted it, however it ended.
    pub(super) async fn start(
        &self,
        body: &Value,
        idempotency_key: Option<&str>,
    ) -> Outcome<Answer> {
        let request = self
            .client
            .post(format!("{}/v1/images/generations", self.base))
            .header("prefer", "respond-async")
            .json(body);
        let response = match idempotency_key {
            Some(key) => {
                self.exchange(request.header("idempotency-key", key))
                    .await?
            }
            None => self.exchange(request).await?,
        };
        if response.status().is_success() || response.headers().contains_key("x-pinhole-task-id") {
            return self.read(response).await;
        }
        Err(self.refused(response).await)
    }

    /// Whether the key calls itself a test key.
    pub(super) fn has_test_key(&self) -> bool {
        self.key.as_ref().is_some_and(Key::is_test)
    }

    /// `POST` of JSON, with a stream of events back. It may take longer than any other call: it says that it lives.
    pub(super) async fn stream(&self, path: &str, body: &Value) -> Outcome<Events> {
        let request = self.client.post(format!("{}{path}", self.base));
        let response = self
            .exchange(request.json(body).timeout(LONGEST_STREAM))
            .await?;
        if response.status().is_success() {
            return Ok(Events::of(response));
        }
        Err(self.refused(response).await)
    }

    /// The bytes of a result. One of the server's own is read at the address we know, whatever its public one is;
    /// one that lies elsewhere is fetched there. Neither needs the key: its name is the permission.
    pub(super) async fn download(
        &self,
        url: &str,
    ) -> Outcome<BoxStream<'static, Result<bytes::Bytes, String>>> {
        let own = url
            .rfind("/files/asset_")
            .map(|at| format!("{}{}", self.base, &url[at..]));
        let url = own.unwrap_or_else(|| url.to_owned());
        let response = self
            .client
            .get(url)
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        Ok(Box::pin(
            response.bytes_stream().map_err(|error| told(&error)),
        ))
    }

    async fn send_of_no_model(&self, request: RequestBuilder) -> Outcome<Value> {
        let sent = self.send(request).await;
        Ok(sent.map_err(Failure::of_no_model)?.body)
    }

    async fn send(&self, request: RequestBuilder) -> Outcome<Answer> {
        let response = self.exchange(request).await?;
        if response.status().is_success() {
            return self.read(response).await;
        }
        Err(self.refused(response).await)
    }

    async fn exchange(&self, request: RequestBuilder) -> Outcome<Response> {
        let Some(key) = &self.key else {
            return Err(Failure::new(Exit::Auth, "there is no API key to sign in with")
                .why("PINHOLE_API_KEY is not set, and the data folder has no test key")
                .fix("set PINHOLE_API_KEY; `pinhole keys create --name NAME` on the server makes a key"));
        };
        let request = request.bearer_auth(key.secret.reveal());
        request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))
    }

    async fn refused(&self, response: Response) -> Failure {
        let is_unsigned = response.status() == StatusCode::UNAUTHORIZED;
        let failure = refusal(response).await;
        match &self.key {
            Some(key) if is_unsigned => failure.why(&key.origin),
            _ => failure,
        }
    }

    async fn read(&self, response: Response) -> Outcome<Answer> {
        let marks = Marks::of(&response);
        let request = request_id(&response);
        let body = response.json().await.map_err(|error| {
            Failure::failed(format!("{} did not answer as Pinhole does", self.base))
                .why(told(&error))
                .fix("check that PINHOLE_URL names a Pinhole server, like http://127.0.0.1:7070")
        })?;
        Ok(Answer {
            body,
            request,
            marks,
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let exit = if error.is_timeout() {
            Exit::Timeout
        } else {
            Exit::Failed
        };
        let base = &self.base;
        if error.is_timeout() {
            return Failure::new(exit, format!("{base} did not answer in time"))
                .why(told(error))
                .fix(MAY_BE_DONE);
        }
        if !error.is_connect() && !error.is_builder() {
            return Failure::new(exit, format!("the connection to {base} broke off"))
                .why(told(error))
                .fix(MAY_BE_DONE);
        }
        Failure::new(exit, format!("{base} cannot be reached"))
            .why(told(error))
            .fix("check that the server runs and that PINHOLE_URL, if it is set, names it")
    }
}

/// What to do when nobody knows what became of a request.
const MAY_BE_DONE: &str = "what was asked for may be carried out all the same: `pinhole task ls` shows it, before you ask again";

/// What `/readyz` answers. It needs no key.
pub(super) async fn ready(base: &str) -> Outcome<u16> {
    let server = Server::new(base, None)?;
    let request = server.client.get(format!("{base}/readyz"));
    let sent = request.timeout(Duration::from_secs(10)).send().await;
    Ok(sent
        .map_err(|error| server.unreachable(&error))?
        .status()
        .as_u16())
}

/// What an address answers to somebody without a key.
pub(super) async fn answered(address: &str) -> Outcome<u16> {
    let server = Server::new(address, None)?;
    let request = server.client.get(address).timeout(Duration::from_secs(10));
    let sent = request.send().await;
    Ok(sent
        .map_err(|error| server.unreachable(&error))?
        .status()
        .as_u16())
}

fn request_id(response: &Response) -> Option<String> {
    let id = response.headers().get("x-request-id")?;
    id.to_str().ok().map(str::to_owned)
}

/// An error with what lies below it: reqwest's own words alone say little.
fn told(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

/// A refusal in the server's words, told as if it had happened here.
async fn refusal(response: Response) -> Failure {
    let status = response.status().as_u16();
    let id = request_id(&response);
    let task = Marks::of(&response).get("task-id").map(str::to_owned);
    let body: Value = response.json().await.unwrap_or_default();
    let failure = Failure::from(read_error(status, &body));
    let failure = match task {
        Some(task) => failure.why(format!("task {task}")),
        None => failure,
    };
    match id {
        Some(id) => failure.why(format!("request {id}")),
        None => failure,
    }
}

/// Reads either error shape: `{"error": {…}}` and `{"code", "msg"}`.
fn read_error(status: u16, body: &Value) -> Error {
    let error = &body["error"];
    let kind = match kind_of(status, error["code"].as_str().unwrap_or_default()) {
        // The task service's shape has no code beside the status.
        Kind::NotFound if body["msg"].is_string() => Kind::TaskNotFound,
        kind => kind,
    };
    let message = error["message"].as_str().or(body["msg"].as_str());
    let message = message.map_or_else(|| format!("the server answered {status}"), str::to_owned);
    let details = error["details"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let faults = details.iter().filter_map(|detail| {
        Some(Fault {
            param: detail["param"].as_str()?.to_owned(),
            code: "refused_by_server",
            message: detail["message"].as_str()?.to_owned(),
        })
    });
    Error {
        faults: faults.collect(),
        ..Error::new(kind, message)
    }
}

/// The kind with this code, as a task that has failed tells it.
pub(super) fn kind_named(code: &str) -> Kind {
    let row = error::TABLE.iter().find(|row| row.code == code);
    row.map_or(Kind::Internal, |row| row.kind)
}

/// The table of answers, read backwards. A fault's own code is not in it: then the status speaks.
fn kind_of(status: u16, code: &str) -> Kind {
    let mut rows = error::TABLE.iter();
    let by_code = rows.clone().find(|row| row.code == code);
    match by_code.or_else(|| rows.find(|row| row.status == status)) {
        _ if status == 400 && by_code.is_none() => Kind::InvalidParameter,
        _ if status == 404 && by_code.is_none() => Kind::NotFound,
        Some(row) => row.kind,
        None => Kind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_answer_of_the_table_reads_back() {
        for row in error::TABLE {
            assert_eq!(kind_of(row.status, row.code), row.kind);
        }
        assert_eq!(kind_of(400, "out_of_range"), Kind::InvalidParameter);
        assert_eq!(kind_of(401, ""), Kind::InvalidApiKey);
        assert_eq!(kind_of(418, ""), Kind::Internal);
    }

    #[test]
    fn both_error_shapes_are_read() {
        let flat = json!({"error": {"code": "x", "message": "m", "details": [{"param": "n", "code": "x", "message": "m"}]}});
        assert_eq!(read_error(400, &flat).faults.len(), 1);
        let task = json!({"code": 404, "msg": "there is no such task", "data": null});
        assert_eq!(read_error(404, &task).kind, Kind::TaskNotFound);
    }
}
