//! The three shapes of an image body, through the whole application on a test key.

use base64_simd::STANDARD;
use pinhole::app::App;
use pinhole::config::Settings;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// An application in a folder of its own.
struct Service {
    generations: String,
    key: String,
    client: reqwest::Client,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), pinhole::app::StartError>>,
    _folder: TempDir,
}

/// What came back.
struct Answer {
    status: u16,
    adapted: String,
    body: Value,
}

impl Service {
    async fn start() -> Self {
        // Only the first test of the process installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings = Settings::defaults(folder.path().join("data"));
        settings.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        settings.min_free_bytes = 0;
        settings.drain = Duration::from_secs(30);
        let app = Box::pin(App::open(settings)).await.expect("it starts");
        let listening = app.listen().await.expect("a free port");
        let address = listening.address().expect("an address");
        let (key, stop) = (app.test_key().reveal().to_owned(), app.stop_token());
        #[expect(
            clippy::disallowed_methods,
            reason = "the test itself waits for the application"
        )]
        let serving = tokio::spawn(app.serve(listening));
        Self {
            generations: format!("http://{address}/v1/images/generations"),
            key,
            client: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
            stop,
            serving,
            _folder: folder,
        }
    }

    async fn post(&self, body: impl Into<String>) -> Answer {
        let request = self
            .client
            .post(&self.generations)
            .bearer_auth(&self.key)
            .header("content-type", "application/json")
            .body(body.into());
        let response = request.send().await.expect("an answer");
        let adapted = response.headers().get("x-pinhole-adapted");
        let adapted = adapted.map(|it| it.to_str().expect("plain text").to_owned());
        Answer {
            status: response.status().as_u16(),
            adapted: adapted.unwrap_or_default(),
            body: response.json().await.expect("JSON"),
        }
    }

    async fn finish(self) {
        self.stop.cancel();
        let served = self.serving.await.expect("no panic");
        served.expect("it ends in order");
    }
}

impl Answer {
    /// Width and height of its picture.
    fn pixels(&self) -> (u32, u32) {
        assert_eq!(self.status, 200, "{}", self.body);
        let base64 = self.body["data"][0]["b64_json"]
            .as_str()
            .expect("a picture");
        let bytes = STANDARD.decode_to_vec(base64).expect("base64");
        let picture = image::load_from_memory(&bytes).expect("a picture");
        (picture.width(), picture.height())
    }
}

#[tokio::test]
async fn the_bodies_of_the_seeds_answer_with_a_picture() {
    let service = Service::start().await;
    let qwen = include_str!("../../src/dialect/image_body/seeds/qwen-image-plus.json");
    let answer = service.post(qwen).await;
    assert_eq!(answer.pixels(), (1328, 1328));
    assert!(answer.adapted.is_empty());
    assert!(answer.body["created"].is_u64());
    let banana = include_str!("../../src/dialect/image_body/seeds/NBP.json");
    let answer = service.post(banana).await;
    assert_eq!(answer.pixels(), (1024, 1024));
    assert!(answer.adapted.is_empty());
    assert_eq!(answer.body["size"], "1024x1024");
    service.finish().await;
}

#[tokio::test]
async fn ratio_tier_and_separator_render_at_the_right_size() {
    let service = Service::start().await;
    let square = json!({"model": "NBP", "quality": "2K", "messages": [{"role": "user", "content": "a fox"}]});
    let answer = service.post(square.to_string()).await;
    assert_eq!(answer.pixels(), (2048, 2048));
    let pixels = json!({"model": "NBP", "prompt": "a fox", "size": "2048x2048"});
    let answer = service.post(pixels.to_string()).await;
    assert_eq!(answer.pixels(), (2048, 2048));
    assert_eq!(answer.adapted, "quality=2K, size=1:1");
    let wide = json!({"model": "qwen-image-plus", "prompt": "a fox", "size": "1664x928"});
    let answer = service.post(wide.to_string()).await;
    assert_eq!(answer.pixels(), (1664, 928));
    assert_eq!(answer.adapted, "size=1664*928");
    service.finish().await;
}

#[tokio::test]
async fn an_error_points_into_the_shape_that_the_client_wrote() {
    let service = Service::start().await;
    let body = json!({
        "model": "qwen-image-plus",
        "input": {"messages": [{"role": "user", "content": [{"text": "a fox"}]}]},
        "parameters": {"size": "9*9", "prompt_extend": "perhaps"},
    });
    let answer = service.post(body.to_string()).await;
    assert_eq!(answer.status, 400);
    let details = answer.body["error"]["details"].as_array().expect("faults");
    let places: Vec<&str> = details
        .iter()
        .filter_map(|it| it["param"].as_str())
        .collect();
    assert_eq!(places, ["parameters.prompt_extend", "parameters.size"]);
    service.finish().await;
}
