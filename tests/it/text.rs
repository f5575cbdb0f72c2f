//! Stories of models of text: what they answer, plain and streaming, and what tokens cost.

use crate::app::{Setup, TestApp, check_books, until};
use crate::client::{Client, Holder, Reply, send};
use crate::scripted::{Scripted, Step, gate};
use futures::StreamExt;
use pinhole::config::Settings;
use pinhole::provider::Verdict;
use pinhole::types::{FailKind, Finish, Resolution};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The body of the service's own example, byte for byte.
const SEED: &str = include_str!("../../src/dialect/image_body/seeds/gemini-3.5-flash.json");

const MODEL: &str = "gemini-3.5-flash";

/// The frames of a stream in order, without heartbeats; the last one must say that it is.
pub fn chunks(reply: &Reply) -> Vec<Value> {
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, "text/event-stream"),
        "{}",
        reply.text()
    );
    let text = String::from_utf8(reply.body.to_vec()).expect("UTF-8");
    let mut frames: Vec<&str> = text
        .split_terminator("\n\n")
        .filter(|frame| !frame.starts_with(':'))
        .collect();
    assert_eq!(frames.pop(), Some("data: [DONE]"));
    let data = |frame: &&str| {
        let data = frame.strip_prefix("data: ").expect("data alone");
        serde_json::from_str(data).expect("JSON")
    };
    frames.iter().map(data).collect()
}

/// What the deltas say together.
pub fn said(chunks: &[Value]) -> String {
    let deltas = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    deltas.collect()
}

/// What a whole answer says.
fn content(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"]
        .as_str()
        .expect("a text")
}

async fn ask(client: &Client, more: Value) -> Reply {
    let mut body = json!({"model": MODEL, "prompt": "why is the sky blue?"});
    let fields = body.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    client.generate(body).await
}

#[tokio::test]
async fn the_seeds_body_streams_as_it_is_written() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let reply = client.generate_raw(Some("application/json"), SEED).await;
    assert_eq!(reply.header("x-pinhole-adapted"), "image_url=stand-in");
    assert_eq!(reply.header("x-pinhole-mode"), "test");
    let chunks = chunks(&reply);
    let (first, last) = (&chunks[0], &chunks[chunks.len() - 1]);
    assert_eq!(first["choices"][0]["delta"]["role"], "assistant");
    for chunk in &chunks {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["id"], reply.task_id().as_str());
        assert_eq!(chunk["model"], MODEL);
        assert!(chunk.get("usage").is_none(), "nobody asked for it");
        let is_last = chunk == last;
        assert_eq!(chunk["choices"][0]["finish_reason"].is_string(), is_last);
    }
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    assert_eq!(last["pinhole"]["cost"], "0.000000");
    let text = said(&chunks);
    for named in [
        "canned",
        "36 characters, \"You are a senior software architect.\"",
        "45 characters, \"Describe this image and suggest improvements.\"",
        "images: 1 (512x512 png)",
        "image_detail \"high\"",
        "temperature 0.7",
        "max_tokens 4096",
    ] {
        assert!(text.contains(named), "{named} is missing in: {text}");
    }
    app.finish().await;
}

#[tokio::test]
async fn the_seeds_body_answers_in_one_piece_and_later_again() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let plain = SEED.replace("\"stream\": true", "\"stream\": false");
    let reply = client
        .generate_raw(Some("application/json"), plain.clone())
        .await;
    let answer = reply.ok();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["data"], json!([]));
    assert!(answer["created"].is_u64());
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["role"], "assistant");
    assert_eq!(choice["finish_reason"], "stop");
    // Both services' words for what the upstream counted, which is nothing here.
    for name in ["prompt_tokens", "completion_tokens", "input_tokens"] {
        assert_eq!(answer["usage"][name], 0, "{name}");
    }
    // The prompt's bytes and an image in, 4096 tokens out; a test costs nothing.
    let bytes = "You are a senior software architect.".len()
        + "Describe this image and suggest improvements.".len();
    let most = (bytes as u64 + 64 + 2240) * 3 / 2 + u64::from(bytes % 2 == 1) + 4096 * 9;
    let quote = reply.header("x-pinhole-quote").to_owned();
    assert_eq!(quote, format!("0.{most:06}"));
    assert_eq!(reply.header("x-pinhole-cost"), "0.000000");

    let later = client
        .get(&format!("/v1/images/generations/{}", reply.task_id()))
        .await;
    assert_eq!(later.ok(), answer);
    let task = client.task(&reply.task_id()).await;
    assert_eq!(task["state"], "completed");
    assert_eq!(task["resultText"], content(&answer));
    assert_eq!(task["finishReason"], "stop");
    assert_eq!(task["resultUrls"], json!([]));

    let quoted = client.request(reqwest::Method::POST, "/v1/quote");
    let quoted = send(
        quoted
            .header("content-type", "application/json")
            .body(plain),
    )
    .await;
    let quoted = quoted.ok();
    assert_eq!(quoted["amount"], quote);
    assert_eq!(quoted["million_tokens"]["output"], "9.000000");
    app.finish().await;
}

#[tokio::test]
async fn json_few_tokens_and_directives_are_obeyed() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let object = ask(&client, json!({"response_format": {"type": "json_object"}})).await;
    assert_eq!(object.header("x-pinhole-adapted"), "");
    let object = object.ok();
    let parsed: Value = serde_json::from_str(content(&object)).expect("a JSON object");
    assert_eq!(parsed["received"]["prompt"]["characters"], 20);

    let cut = ask(&client, json!({"max_completion_tokens": 5})).await.ok();
    assert_eq!(cut["choices"][0]["finish_reason"], "length");
    assert_eq!(content(&cut).split_whitespace().count(), 5);

    let clamped = ask(&client, json!({"max_tokens": 200_000})).await;
    assert_eq!(clamped.header("x-pinhole-adapted"), "max_tokens=65536");
    clamped.ok();

    let refused = ask(
        &client,
        json!({"prompt": "[pinhole:fail=content_policy] x"}),
    )
    .await;
    refused.refused(400, "content_policy_violation");
    let refused = ask(&client, json!({"response_format": {"type": "xml"}})).await;
    let error = refused.refused(400, "invalid_enum");
    assert_eq!(error["param"], "response_format.type");
    let edit = client
        .request(reqwest::Method::POST, "/v1/images/edits")
        .json(&json!({"model": MODEL, "prompt": "x", "image": "https://a.example/a.png"}));
    send(edit).await.refused(400, "not_supported_by_operation");
    app.finish().await;
}

#[tokio::test]
async fn a_late_failure_is_an_error_frame_and_no_end() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let reply = ask(
        &client,
        json!({"prompt": "[pinhole:partial=1/2] x", "stream": true}),
    )
    .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let text = String::from_utf8(reply.body.to_vec()).expect("UTF-8");
    let frames: Vec<&str> = text.split_terminator("\n\n").collect();
    assert!(frames[0].contains("\"role\":\"assistant\""), "{text}");
    let last = frames[frames.len() - 1];
    assert!(last.starts_with("event: error\ndata: {"), "{last}");
    assert!(last.contains("upstream_failed"), "{last}");
    assert!(
        !text.contains("[DONE]") && !text.contains("\"stop\""),
        "{text}"
    );
    // What came of it is not a result.
    let task = client.task(&reply.task_id()).await;
    assert_eq!(
        (&task["state"], &task["resultText"]),
        (&json!("failed"), &Value::Null)
    );
    app.finish().await;
}

#[tokio::test]
async fn a_repeated_key_answers_the_same_in_either_shape() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let call = async |stream: bool| {
        let body = json!({"model": MODEL, "prompt": "x", "stream": stream});
        let request = client.generation(&body).header("idempotency-key", "k");
        send(request).await
    };
    let streamed = call(true).await;
    let again = call(true).await;
    assert_eq!(again.task_id(), streamed.task_id());
    assert_eq!(said(&chunks(&again)), said(&chunks(&streamed)));
    // A plain call is another request, and says so.
    call(false).await.refused(422, "idempotency_key_reused");
    app.finish().await;
}

#[tokio::test]
async fn a_text_is_deleted_when_its_time_is_over() {
    let app = Setup::new()
        .set(|settings| settings.keep_test_results = Duration::ZERO)
        .start()
        .await;
    let client = app.test_key();
    let reply = ask(&client, json!({})).await;
    reply.ok();
    let path = format!("/v1/images/generations/{}", reply.task_id());
    until("its time is over", async || {
        (client.get(&path).await.status == 410).then_some(())
    })
    .await;
    let collected = app.engine().collect(Duration::MAX).await;
    assert_eq!(collected.expired, 1);
    client.get(&path).await.refused(410, "expired");
    let task = client.task(&reply.task_id()).await;
    assert_eq!(task["resultText"], "");
    app.finish().await;
}

#[tokio::test]
async fn a_model_card_says_what_it_makes_and_costs() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let card = client.get("/v1/models/gemini-3.5-flash").await.ok();
    assert_eq!(card["modality"], "text");
    assert_eq!(card["supported_endpoint_types"], json!(["openai"]));
    assert_eq!(card["pricing"][2]["unit"], "million_output_tokens");
    assert_eq!(card["pricing"][2]["amount"], "9.000000");
    let card = client.get("/v1/models/gpt-image-2").await.ok();
    assert_eq!(
        card["supported_endpoint_types"],
        json!(["image-generation", "openai"])
    );
    app.finish().await;
}

/// `words` costs a dollar a million tokens in and ten out; `alpha` (half of that) serves it first, then `beta`.
fn words() -> String {
    let price = |head: &str, input: &str, output: &str| {
        [
            ("input_text", input),
            ("input_image", input),
            ("output", output),
        ]
        .map(|(sort, amount)| {
            format!(
                "[[{head}]]\nunit = \"million_{sort}_tokens\"\namount = \"{amount}\"\n\
                     source = \"this test\"\ndate = 2026-11-21\n"
            )
        })
        .concat()
    };
    let target = |name: &str, priority: u32| {
        format!("[[target]]\nprovider = \"{name}\"\nmodel = \"up\"\npriority = {priority}\n")
            + &price("target.cost", "0.5", "5")
    };
    format!("id = \"words\"\nextends = \"{MODEL}\"\nname = \"Words\"\n")
        + &price("price", "1", "10")
        + &target("alpha", 1)
        + &target("beta", 2)
}

struct Live {
    app: TestApp,
    customer: Holder,
    alpha: Arc<Scripted>,
    beta: Arc<Scripted>,
}

async fn live(alpha: &[Step]) -> Live {
    live_with(alpha, |_| {}).await
}

async fn live_with(alpha: &[Step], change: impl FnOnce(&mut Settings)) -> Live {
    let (alpha, beta) = (Scripted::new(alpha), Scripted::obliging());
    let app = Setup::new()
        .set(change)
        .provider("alpha", alpha.clone())
        .provider("beta", beta.clone())
        .model(&words())
        .start()
        .await;
    let customer = app.customer("1.00").await;
    Live {
        app,
        customer,
        alpha,
        beta,
    }
}

/// 10 bytes and 64 tokens around them, and 1000 out: 74 + 10 000 micro-dollars at most.
const HELD: &str = "0.010074";

fn question() -> Value {
    json!({"model": "words", "prompt": "0123456789", "max_tokens": 1000})
}

impl Live {
    /// Ends the story: what the customer has left, what was captured, and what the operator lost.
    async fn finish(self, available: &str, captured: &str, lost: &str) {
        self.customer.has(available).await;
        let audit = self.app.store().audit().await.expect("rows");
        assert_eq!(
            (audit.captured.to_string(), audit.operator_loss.to_string()),
            (captured.to_owned(), lost.to_owned())
        );
        assert_eq!(audit.sum, pinhole::types::Money::ZERO);
        check_books(&**self.app.store()).await;
        assert_eq!((self.alpha.asked().len(), self.beta.asked().len()), (1, 0));
        self.app.finish().await;
    }

    /// What the operator paid for the first call of a task.
    async fn cost(&self, reply: &Reply) -> i64 {
        let rows = crate::server::read_only(&self.app.setup().file("data"));
        let of = "SELECT cost FROM attempts WHERE task = ?1 AND number = 0";
        rows.query_row(of, [reply.task_id().as_str()], |row| row.get(0))
            .expect("a row")
    }
}

#[tokio::test]
async fn tokens_are_held_at_most_and_charged_as_counted() {
    let wait = gate();
    let steps = [
        Step::Text("because of "),
        Step::Wait(Arc::clone(&wait)),
        Step::Text("Rayleigh"),
        Step::TextEnd(Finish::Stop),
        Step::Counted(20, 3, 7),
    ];
    let live = live(&steps).await;
    let asking = live.customer.generate(question());
    let held = async {
        until("it is held", async || {
            (live.customer.balance().await.1 == HELD).then_some(())
        })
        .await;
        wait.add_permits(1);
    };
    let (reply, ()) = tokio::join!(asking, held);
    let answer = reply.ok();
    assert_eq!(content(&answer), "because of Rayleigh");
    assert_eq!(reply.header("x-pinhole-quote"), HELD);
    assert_eq!(reply.header("x-pinhole-cost"), "0.000093");
    let usage = &answer["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["completion_tokens"]),
        (&json!(23), &json!(7))
    );
    assert_eq!(usage["total_tokens"], 30);
    assert_eq!(
        usage["input_tokens_details"],
        json!({"text_tokens": 20, "image_tokens": 3})
    );
    // 23 at 0.50 and 7 at 5 a million, rounded up once.
    assert_eq!(live.cost(&reply).await, 47);
    live.finish("0.999907", "0.000093", "0.000000").await;
}

#[tokio::test]
async fn more_tokens_than_were_held_cost_what_was_held() {
    // A picture was not asked for, and nothing is heard behind the end.
    let steps = [
        Step::Image(0),
        Step::Text("x"),
        Step::TextEnd(Finish::Length),
        Step::Text("y"),
        Step::Counted(74, 0, 100_000),
    ];
    let live = live(&steps).await;
    let reply = live.customer.generate(question()).await;
    let answer = reply.ok();
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!((content(&answer), &answer["data"]), ("x", &json!([])));
    assert_eq!(reply.header("x-pinhole-cost"), HELD);
    live.finish("0.989926", HELD, "0.000000").await;
}

#[tokio::test]
async fn a_text_that_comes_after_the_time_of_its_call_is_kept_and_free() {
    let shut = gate();
    let steps = [
        Step::Text("because of "),
        Step::Wait(Arc::clone(&shut)),
        Step::Text("Rayleigh"),
        Step::TextEnd(Finish::Stop),
        Step::Counted(20, 3, 7),
    ];
    let short = |settings: &mut Settings| settings.timeouts.attempt = Duration::from_millis(100);
    let live = live_with(&steps, short).await;
    let reply = live.customer.generate(question()).await;
    let told = reply.refused(504, "outcome_unknown");
    let task = reply.task_id();
    assert_eq!(live.customer.task(&task).await["lateText"], Value::Null);
    shut.add_permits(1);
    let detail = until("the text is kept", async || {
        let detail = live.customer.task(&task).await;
        detail["lateText"].is_object().then_some(detail)
    })
    .await;
    let late = &detail["lateText"];
    assert_eq!(
        (&late["text"], &late["finishReason"]),
        (&json!("because of Rayleigh"), &json!("stop"))
    );
    assert!(late["expireTime"].is_i64());
    // It changes no answer that was final.
    assert_eq!(
        (&detail["state"], &detail["resultText"]),
        (&json!("failed"), &Value::Null)
    );
    let later = format!("/v1/images/generations/{task}");
    let later = live.customer.get(&later).await;
    assert_eq!(later.refused(504, "outcome_unknown"), told);
    let since = pinhole::types::Millis(0);
    let lost = live.app.store().list_lost_calls(since, 9).await;
    let known = lost.expect("rows")[0].resolved.clone();
    assert_eq!(known.expect("known").resolution, Resolution::Delivered);
    live.finish("1.000000", "0.000000", "0.005037").await;
}

#[tokio::test]
async fn a_text_that_is_not_whole_is_free_and_never_asked_for_again() {
    for (verdict, kind, status, code, lost) in [
        (
            Verdict::Unknown,
            FailKind::OutcomeUnknown,
            504,
            "outcome_unknown",
            "0.005037",
        ),
        (
            Verdict::Failed,
            FailKind::Upstream,
            502,
            "upstream_failed",
            "0.000000",
        ),
        // It says that it did nothing, and has begun to write: that is no reason to ask another.
        (
            Verdict::RefusedBeforeWork,
            FailKind::Upstream,
            502,
            "upstream_failed",
            "0.000000",
        ),
    ] {
        let steps = [Step::Text("because"), Step::Fail(verdict, kind)];
        let live = live(&steps).await;
        live.customer
            .generate(question())
            .await
            .refused(status, code);
        live.finish("1.000000", "0.000000", lost).await;
    }
    // An end without a reason is none; what was counted for it is the operator's loss.
    let live = live(&[Step::Text("because"), Step::Counted(1, 0, 1)]).await;
    let reply = live.customer.generate(question()).await;
    reply.refused(502, "upstream_failed");
    live.finish("1.000000", "0.000000", "0.000006").await;
}

#[tokio::test]
async fn pieces_come_as_they_are_written_and_a_late_reader_misses_none() {
    let (first, rest) = (gate(), gate());
    let steps = [
        Step::Wait(Arc::clone(&first)),
        Step::Text("für "),
        Step::Wait(Arc::clone(&rest)),
        Step::Text("Elise"),
        Step::Text(", "),
        Step::Text("in a minor"),
        Step::TextEnd(Finish::Stop),
        Step::Counted(1, 0, 2),
    ];
    let live = live(&steps).await;
    let mut body = question();
    body["stream"] = true.into();
    body["stream_options"] = json!({"include_usage": true});
    let call = || {
        live.customer
            .generation(&body)
            .header("idempotency-key", "k")
    };
    first.add_permits(1);
    let response = call().send().await.expect("a reply");
    let mut bytes = response.bytes_stream();
    let mut seen = String::new();
    while !seen.contains("für ") {
        let block = bytes.next().await.expect("more").expect("whole");
        seen += std::str::from_utf8(&block).expect("UTF-8");
    }
    assert!(!seen.contains("Elise") && !seen.contains("finish_reason\":\"stop"));
    // Somebody joins in the middle: the stream begins with what was said before.
    let joining = async { Reply::read(call().send().await.expect("a reply")).await };
    let going_on = async {
        rest.add_permits(1);
        while let Some(block) = bytes.next().await {
            seen += std::str::from_utf8(&block.expect("whole")).expect("UTF-8");
        }
    };
    let (joined, ()) = tokio::join!(joining, going_on);
    let joined = chunks(&joined.expect("a whole reply"));
    assert_eq!(said(&joined), "für Elise, in a minor");
    let counted = &joined[joined.len() - 1];
    assert_eq!(counted["choices"], json!([]));
    assert_eq!(counted["usage"]["total_tokens"], 3);
    assert_eq!(joined[0].get("usage"), Some(&Value::Null));
    assert!(seen.ends_with("data: [DONE]\n\n"), "{seen}");
    let words: String = seen
        .split_terminator("\n\n")
        .filter_map(|frame| serde_json::from_str::<Value>(frame.strip_prefix("data: ")?).ok())
        .filter_map(|it| {
            it["choices"][0]["delta"]["content"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(words, "für Elise, in a minor");
    live.finish("0.999979", "0.000021", "0.000000").await;
}
