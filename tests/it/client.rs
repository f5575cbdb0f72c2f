//! Clients: what they send, and replies that are read the way a test speaks of them.

use bytes::Bytes;
use pinhole::types::{AccountId, KeyId, Money, Secret, TaskId};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use std::ops::Deref;

/// Calls the application, with a key or without one.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    key: Option<String>,
}

/// A client whose key and account we made.
#[derive(Clone)]
pub struct Holder {
    pub client: Client,
    pub secret: Secret,
    pub account: AccountId,
    pub key: KeyId,
}

impl Deref for Holder {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Client {
    pub fn new(url: &str, key: Option<&str>) -> Self {
        crate::app::install_cryptography();
        let http = reqwest::Client::builder().no_proxy().build();
        Self {
            http: http.expect("a client"),
            url: url.to_owned(),
            key: key.map(str::to_owned),
        }
    }

    /// The same client against another address.
    pub fn at(&self, url: &str) -> Self {
        Self::new(url, self.key.as_deref())
    }

    /// A request that is not sent yet.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.url)
        };
        let request = self.http.request(method, url);
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    /// `GET` with one more header.
    pub async fn get_with(&self, path: &str, name: &'static str, value: &str) -> Reply {
        send(self.request(Method::GET, path).header(name, value)).await
    }

    /// A JSON body on its way to `/v1/images/generations`.
    pub fn generation(&self, body: &Value) -> RequestBuilder {
        self.request(Method::POST, GENERATIONS).json(body)
    }

    pub async fn generate(&self, body: Value) -> Reply {
        send(self.generation(&body)).await
    }

    /// The same call from somebody who does not wait for its end.
    pub async fn leave(&self, body: &Value) -> Reply {
        send(self.generation(body).header("prefer", "respond-async")).await
    }

    /// The same call, whatever becomes of the server meanwhile.
    pub async fn try_generate(&self, body: Value) -> Option<Reply> {
        try_send(self.generation(&body)).await
    }

    /// Any bytes as the body.
    pub async fn generate_raw(&self, content_type: Option<&str>, body: impl Into<Bytes>) -> Reply {
        let request = self.request(Method::POST, GENERATIONS).body(body.into());
        send(match content_type {
            Some(given) => request.header("content-type", given),
            None => request,
        })
        .await
    }

    /// A task as `GET /api/v1/tasks/{id}` shows it.
    pub async fn task(&self, id: &TaskId) -> Value {
        self.get(&format!("/api/v1/tasks/{id}")).await.ok()["data"].clone()
    }

    /// What the account has: available and held.
    pub async fn balance(&self) -> (String, String) {
        let balance = self.get("/v1/balance").await.ok();
        let text = |name: &str| balance[name].as_str().expect("an amount").to_owned();
        (text("available"), text("held"))
    }

    /// The account has exactly this, and holds nothing.
    pub async fn has(&self, available: &str) {
        let zero = Money::ZERO.to_string();
        assert_eq!(self.balance().await, (available.to_owned(), zero));
    }
}

pub const GENERATIONS: &str = "/v1/images/generations";

/// Sends it; there must be a reply.
pub async fn send(request: RequestBuilder) -> Reply {
    let response = request.send().await.expect("a reply");
    Reply::read(response).await.expect("a whole reply")
}

/// Sends it; `None` if the connection broke before the reply was whole.
pub async fn try_send(request: RequestBuilder) -> Option<Reply> {
    Reply::read(request.send().await.ok()?).await.ok()
}

/// A reply, whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub async fn read(response: reqwest::Response) -> reqwest::Result<Self> {
        Ok(Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await?,
        })
    }

    /// A header as text, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(HeaderValue::to_str);
        value.map_or("", |text| text.expect("plain text"))
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The body, short enough to read in a failed test.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(600)]).into_owned()
    }

    /// The body of a success.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// The error of `/v1`, after its status and code.
    pub fn refused(&self, status: u16, code: &str) -> Value {
        let error = self.json()["error"].clone();
        assert_eq!(
            (self.status, error["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.text()
        );
        assert!(
            !error["message"].as_str().unwrap_or_default().is_empty(),
            "{error}"
        );
        error
    }

    /// The task that was admitted.
    pub fn task_id(&self) -> TaskId {
        TaskId::parse(self.header("x-pinhole-task-id")).expect("the call was admitted")
    }

    /// Each picture of the reply, decoded from its base64.
    pub fn pictures(&self) -> Vec<Vec<u8>> {
        let decode = |text: &str| base64_simd::STANDARD.decode_to_vec(text).expect("base64");
        self.strings("b64_json")
            .iter()
            .map(|text| decode(text))
            .collect()
    }

    /// Each picture's link.
    pub fn links(&self) -> Vec<String> {
        self.strings("url")
    }

    fn strings(&self, field: &str) -> Vec<String> {
        let body = self.ok();
        let data = body["data"].as_array().expect("a list of pictures");
        let text = |one: &Value| one[field].as_str().map(str::to_owned);
        data.iter().filter_map(text).collect()
    }
}
