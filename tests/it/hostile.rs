//! Bodies, headers and paths that nobody sends by mistake, at the real program. Whatever comes: a refusal of the right
//! kind, no task, and nothing in the log that an operator would have to read. How long it takes is measured by
//! `bench/hostile.py`.

use crate::client::{Client, GENERATIONS, Holder, send};
use crate::connections::{Raw, head};
use crate::server::{Server, Site};
use pinhole::catalogue::{Catalogue, example};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// The program, with somebody who could pay.
async fn start() -> (Site, Server, Holder, Client) {
    let site = Site::new(Duration::ZERO);
    let server = site.start("").await;
    let holder = site.customer("100").await;
    let client = server.client(&holder);
    (site, server, holder, client)
}

/// Nothing was accepted, and nothing went wrong that anybody would have to look at.
async fn nothing_happened(site: Site, server: Server) {
    let tasks: i64 = site
        .rows()
        .query_row("SELECT count(*) FROM tasks", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(tasks, 0);
    let data = site.data();
    assert!(server.terminate().await.success());
    let log = site.log_text();
    let loud = |line: &&str| {
        ["WARN", "ERROR", "panicked"]
            .iter()
            .any(|it| line.contains(it))
    };
    let lines: Vec<_> = log.lines().filter(loud).collect();
    assert!(lines.is_empty(), "{lines:#?}");
    assert!(crate::server::files_below(&data.join("blobs")).is_empty());
}

fn flat(field: &str) -> Vec<u8> {
    format!("{{\"model\":\"drawn\",\"prompt\":\"x\",{field}}}").into_bytes()
}

fn utf16(text: &str) -> Vec<u8> {
    [0xfeff]
        .into_iter()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect()
}

/// Names, bodies and the statuses that are right.
fn bodies() -> Vec<(&'static str, Vec<u8>, u16)> {
    let keys: String = (0..1_000_000).map(|k| format!("\"k{k}\":1,")).collect();
    let few_keys: String = (0..5_000).map(|k| format!("\"k{k}\":1,")).collect();
    let large = "x".repeat(1 << 20);
    let whole = String::from_utf8(flat("\"n\":1")).expect("a text");
    vec![
        ("empty", Vec::new(), 400),
        ("white space", b" \n ".to_vec(), 400),
        ("no object", b"[]".to_vec(), 400),
        ("a text", b"\"x\"".to_vec(), 400),
        ("null", b"null".to_vec(), 400),
        (
            "depth 10 000 of lists",
            flat(&format!("\"x\":{}", "[".repeat(10_000))),
            400,
        ),
        (
            "depth 10 000 of objects",
            flat(&format!("\"x\":{}", "{\"a\":".repeat(10_000))),
            400,
        ),
        ("a million keys", flat(&format!("{keys}\"z\":1")), 413),
        ("5 000 keys", flat(&format!("{few_keys}\"z\":1")), 400),
        ("a key twice", flat("\"prompt\":\"y\""), 400),
        (
            "a key twice within",
            flat("\"metadata\":{\"a\":1,\"a\":2}"),
            400,
        ),
        ("a key twice, escaped", flat("\"pr\\u006fmpt\":\"y\""), 400),
        ("a lone surrogate", flat("\"user\":\"\\ud800\""), 400),
        (
            "surrogates in the wrong order",
            flat("\"user\":\"\\udc00\\ud800\""),
            400,
        ),
        ("NaN", flat("\"n\":NaN"), 400),
        ("Infinity", flat("\"n\":-Infinity"), 400),
        ("1e309", flat("\"n\":1e309"), 400),
        (
            "a long number",
            flat(&format!("\"n\":{}", "9".repeat(100_000))),
            400,
        ),
        ("n of 2^63", flat("\"n\":9223372036854775808"), 400),
        ("n of -1", flat("\"n\":-1"), 400),
        ("n of 0", flat("\"n\":0"), 400),
        ("n of 1.5", flat("\"n\":1.5"), 400),
        (
            "a prompt of 1 MiB",
            flat(&format!("\"user\":\"{large}\"")),
            413,
        ),
        ("a key of 1 MiB", flat(&format!("\"{large}\":1")), 413),
        (
            "a prompt of 1 000 000 characters",
            flat(&format!("\"negative_prompt\":\"{}\"", &large[..1_000_000])),
            400,
        ),
        ("a NUL in the text", flat("\"user\":\"\0\""), 400),
        ("a NUL behind it", [whole.as_bytes(), b"\0"].concat(), 400),
        (
            "a byte order mark",
            [b"\xef\xbb\xbf", whole.as_bytes()].concat(),
            400,
        ),
        ("UTF-16", utf16(&whole), 400),
        (
            "Latin-1",
            flat("\"user\":\"caf\u{e9}\"")
                .into_iter()
                .filter(|byte| *byte != 0xc3)
                .collect(),
            400,
        ),
        ("something behind it", format!("{whole}x").into_bytes(), 400),
        ("two documents", format!("{whole}{whole}").into_bytes(), 400),
        ("cut off", whole.as_bytes()[..whole.len() - 1].to_vec(), 400),
        (
            "cut off in a picture",
            b"{\"image\":\"data:image/png;base64,AAAA".to_vec(),
            400,
        ),
        ("a form by name", b"model=drawn&prompt=x".to_vec(), 400),
        (
            "XML",
            b"<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"b\">]><x>&a;</x>".to_vec(),
            400,
        ),
    ]
}

#[tokio::test]
async fn hostile_bodies_are_refused_and_nothing_happens() {
    let (site, server, _holder, client) = start().await;
    for (name, body, status) in bodies() {
        let reply = client.generate_raw(Some("application/json"), body).await;
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
        let error = &reply.json()["error"];
        let message = error["message"].as_str().expect("a message");
        assert!((10..600).contains(&message.len()), "{name}: {message}");
    }
    nothing_happened(site, server).await;
}

/// Every parameter of every model as every type of JSON, beside a parameter that there is not: what is wrong with the
/// one is told with the other, and what is right with it changes nothing.
#[tokio::test]
async fn every_parameter_as_every_type_is_told_apart() {
    let (site, server, _holder, client) = start().await;
    let values = [
        "null",
        "true",
        "0",
        "-1",
        "1.5",
        "9223372036854775808",
        "-9223372036854775809",
        "1e308",
        "\"\"",
        "\"x\"",
        "\"\\u0000\"",
        "\"NaN\"",
        "\"-1\"",
        "[]",
        "[null]",
        "[[[]]]",
        "[1,\"x\",{}]",
        "{}",
        "{\"url\":1}",
        "{\"image_url\":{\"url\":{}}}",
    ];
    let catalogue = Catalogue::embedded().expect("it passes its checks");
    for model in catalogue.current() {
        for parameter in &model.parameters {
            let name = parameter.name.as_str();
            for value in values {
                let mut body = example(model);
                body[name] = Value::from("PLACE");
                body["model"] = json!(model.id);
                body["no_such_thing"] = json!(1);
                let body = body.to_string().replace("\"PLACE\"", value);
                let reply = client.generate_raw(Some("application/json"), body).await;
                let told = format!("{}: {name} = {value}: {}", model.id, reply.text());
                assert_eq!(reply.status, 400, "{told}");
                let details = reply.json()["error"]["details"].clone();
                let params: Vec<_> = details
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|fault| fault["param"].as_str().expect("a path"))
                    .collect();
                assert!(params.contains(&"no_such_thing"), "{told}");
                let is_mine = |param: &&str| {
                    param
                        .split(['.', '['])
                        .next()
                        .is_some_and(|first| first == name)
                        || *param == "no_such_thing"
                };
                let others: Vec<_> = params.iter().filter(|it| !is_mine(it)).collect();
                // A wrong value may leave another one without sense, but never more.
                assert!(others.len() <= 1, "{told}");
            }
        }
    }
    nothing_happened(site, server).await;
}

/// What no HTTP library lets one send.
#[tokio::test]
async fn hostile_framing_and_headers_are_refused_and_nothing_happens() {
    let (site, server, holder, client) = start().await;
    let key = holder.secret.reveal();
    let post = |more: &str, body: &str| {
        format!(
            "POST {GENERATIONS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n{more}\r\n{body}"
        )
    };
    let chunked = "transfer-encoding: chunked\r\n";
    let many: String = (0..1_000).map(|k| format!("x-{k}: 1\r\n")).collect();
    let long = format!("x: {}\r\n", "y".repeat(1 << 20));
    let cases = [
        (
            "a chunk of no number",
            post(chunked, "zz\r\n{}\r\n0\r\n\r\n"),
            &[400][..],
        ),
        (
            "a chunk beyond 64 bits",
            post(chunked, "10000000000000000\r\n{}\r\n0\r\n\r\n"),
            &[400],
        ),
        (
            "a chunk that is shorter than it says",
            post(chunked, "1\r\n{}\r\n0\r\n\r\n"),
            &[400],
        ),
        (
            "two lengths",
            post("content-length: 2\r\ncontent-length: 3\r\n", "{}x"),
            &[400],
        ),
        (
            "a length below nothing",
            post("content-length: -1\r\n", "{}"),
            &[400],
        ),
        (
            "a length and chunks",
            post(
                &format!("content-length: 2\r\n{chunked}"),
                "2\r\n{}\r\n0\r\n\r\n",
            ),
            &[400],
        ),
        (
            "a thousand headers",
            post(&format!("{many}content-length: 2\r\n"), "{}"),
            &[400, 431],
        ),
        (
            "a header of 1 MiB",
            post(&format!("{long}content-length: 2\r\n"), "{}"),
            &[400, 431],
        ),
        (
            "a line that is no header",
            post("content-length: 2\r\nno header\r\n", "{}"),
            &[400],
        ),
        ("no HTTP", "\x16\x03\x01\x02\0\x01\0".to_owned(), &[400]),
        (
            "a long path",
            format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000)),
            &[400, 404, 414, 431],
        ),
    ];
    for (name, text, right) in cases {
        let mut raw = Raw::open(&server.url).await;
        raw.write(text).await;
        let reply = raw.rest().await;
        let status = reply.get(9..12).and_then(|it| it.parse::<u16>().ok());
        // Where the head itself is wrong, closing without a word is an answer too.
        assert!(
            status.is_none_or(|it| right.contains(&it)),
            "{name}: {reply:.300}"
        );
        assert!(status.is_some() || reply.is_empty(), "{name}: {reply:.300}");
    }
    let encoded = client
        .request(Method::POST, GENERATIONS)
        .header("content-encoding", "gzip")
        .header("content-type", "application/json")
        .body(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0]);
    let error = send(encoded).await.refused(415, "unsupported_media_type");
    assert!(
        error["message"]
            .as_str()
            .unwrap_or_default()
            .contains("gzip"),
        "{error}"
    );
    // A body that ends before its length.
    let mut raw = Raw::open(&server.url).await;
    raw.write(head(key, 100, "")).await;
    raw.write("{\"model\":\"drawn\"").await;
    drop(raw);
    nothing_happened(site, server).await;
}

/// What Hermes and others ask before their first call, and what scanners ask.
const FOREIGN: &[(&str, &str)] = &[
    ("GET", "/api/v1/models"),
    ("GET", "/api/tags"),
    ("GET", "/v1/props"),
    ("GET", "/props"),
    ("GET", "/version"),
    ("POST", "/api/show"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/responses"),
    ("GET", "/v1/v1/models"),
    ("GET", "/api/version"),
    ("GET", "/.env"),
    ("GET", "/.git/config"),
    ("GET", "/wp-login.php"),
    ("GET", "/v1/../../etc/passwd"),
    ("GET", "/%2e%2e/%2e%2e/etc/passwd"),
    ("GET", "/%00"),
    ("GET", "/%ff%fe"),
    ("GET", "//v1/models"),
    ("PROPFIND", "/"),
];

#[tokio::test]
async fn foreign_paths_are_not_found_and_cost_nothing() {
    let (site, server, _holder, _client) = start().await;
    let limited = site
        .customer_with("0", |who| who.limits.requests_per_minute = Some(1))
        .await;
    let client = server.client(&limited);
    for (method, path) in FOREIGN {
        for body in ["", "{\"name\":\"x\"}"] {
            let method: Method = method.parse().expect("a method");
            let reply = send(client.request(method, path).body(body)).await;
            assert_eq!(reply.status, 404, "{path}: {}", reply.text());
            assert!(
                reply.text().contains("there is nothing at"),
                "{}",
                reply.text()
            );
        }
    }
    // The one request a minute is still there.
    client.get("/v1/balance").await.ok();
    client.get("/v1/balance").await.refused(429, "rate_limited");
    nothing_happened(site, server).await;
}
