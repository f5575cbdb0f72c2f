//! What really happens below a call when its connection misbehaves: raw sockets on the other side.

use super::*;
use crate::config::ProviderSettings;
use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Both clients: the one for servers without TLS and proxy, and reqwest.
const CLIENTS: [ClientKind; 2] = [ClientKind::Plain, ClientKind::Reqwest];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientKind {
    Plain,
    Reqwest,
}

/// A provider that calls this listener.
fn provider(listener: &TcpListener, client: ClientKind) -> OpenAi {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let address = listener.local_addr().expect("it listens");
    let options = [
        ("api_key", "k".to_owned()),
        ("base_url", format!("http://{address}/v1")),
        ("proxy", "none".to_owned()),
    ];
    let provider = OpenAi::from_settings(&ProviderSettings {
        name: "up".to_owned(),
        kind: "openai".to_owned(),
        options: options
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    });
    let mut provider = provider.expect("they are right");
    let inner = Arc::get_mut(&mut provider.0).expect("nobody else has it");
    assert!(inner.transport.is_plain());
    if client == ClientKind::Reqwest {
        inner.transport = Transport::through_reqwest(super::client(&inner.settings).expect("one"));
    }
    provider
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}

/// A paid POST as the provider makes it, its body a stream of known length as that of a form.
async fn post(provider: &OpenAi) -> Result<Response, Unanswered> {
    let settings = &provider.0.settings;
    let body = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"paid!"))]);
    let transport = &provider.0.transport;
    let request = transport
        .request(Method::POST, settings.url("edits", "m"))
        .header("content-length", 5)
        .body(reqwest::Body::wrap_stream(body));
    transport.send(request).await
}

/// Reads one request, head and body.
async fn take_request(socket: &mut TcpStream) {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\npaid!") {
        let byte = socket.read_u8().await.expect("a whole request");
        read.push(byte);
    }
}

async fn answer(socket: &mut TcpStream) {
    let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    socket.write_all(reply).await.expect("it is read");
}

async fn succeeds(provider: &OpenAi) {
    let response = post(provider).await.expect("a reply");
    assert_eq!(response.text().await.expect("a body"), "ok");
}

#[tokio::test]
async fn a_kept_connection_that_closes_under_a_call_is_unknown_and_nothing_is_sent_twice() {
    for kind in CLIENTS {
        let listener = listen().await;
        let provider = provider(&listener, kind);
        let upstream = async {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            take_request(&mut socket).await;
            answer(&mut socket).await;
            take_request(&mut socket).await;
            drop(socket);
            // Whoever sent it again would come here.
            listener.accept().await.map(drop)
        };
        let client = async {
            succeeds(&provider).await;
            let error = post(&provider).await.expect_err("no reply");
            assert_eq!(fault::of_transport(&error), Class::Unknown, "{error:?}");
        };
        tokio::select! {
            biased;
            () = client => {}
            _ = upstream => panic!("the call was sent again"),
        }
    }
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_before_a_call_costs_nothing() {
    for kind in CLIENTS {
        let listener = listen().await;
        let provider = provider(&listener, kind);
        let upstream = async {
            for _ in 0..2 {
                let (mut socket, _) = listener.accept().await.expect("a connection");
                take_request(&mut socket).await;
                answer(&mut socket).await;
            }
        };
        let client = async {
            succeeds(&provider).await;
            succeeds(&provider).await;
        };
        tokio::join!(upstream, client);
    }
}

#[tokio::test]
async fn a_stream_that_was_refused_unread_was_not_sent() {
    for (reason, class) in [
        (h2::Reason::REFUSED_STREAM, Class::NotSent),
        (h2::Reason::INTERNAL_ERROR, Class::Unknown),
        (h2::Reason::CANCEL, Class::Unknown),
    ] {
        let listener = listen().await;
        let address = listener.local_addr().expect("it listens");
        let upstream = async {
            let (socket, _) = listener.accept().await.expect("a connection");
            let mut connection = h2::server::handshake(socket).await.expect("HTTP/2");
            let mut streams = 0;
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                streams += 1;
                respond.send_reset(reason);
            }
            streams
        };
        let client = async {
            let client = Client::builder()
                .http2_prior_knowledge()
                .no_proxy()
                .retry(reqwest::retry::never());
            let url = Url::parse(&format!("http://{address}/")).expect("a URL");
            let client = client.build().expect("a client");
            let sent = client.post(url).body("paid!").send().await;
            fault::of_transport(&sent.expect_err("no reply").into())
        };
        let (streams, found) = tokio::join!(upstream, client);
        assert_eq!((streams, found), (1, class), "{reason}");
    }
}

#[tokio::test]
async fn what_cannot_be_reached_was_not_sent() {
    for kind in CLIENTS {
        let listener = listen().await;
        let provider = provider(&listener, kind);
        drop(listener);
        let error = post(&provider).await.expect_err("nobody listens");
        assert_eq!(fault::of_transport(&error), Class::NotSent);
    }
}

#[tokio::test]
async fn a_refusal_whose_body_hangs_is_read_as_far_as_it_came() {
    let came = futures::stream::iter([Ok(Bytes::from_static(b"{\"error\":"))]);
    let hanging = came.chain(futures::stream::pending()).boxed();
    let read = beginning(hanging, Duration::from_millis(1)).await;
    assert_eq!(read, b"{\"error\":");

    let dripping = futures::stream::unfold((), |()| async {
        tokio::task::yield_now().await;
        Some((Ok(Bytes::from_static(b"")), ()))
    });
    let read = beginning(dripping.boxed(), Duration::from_millis(1)).await;
    assert_eq!(read, b"");
    for (status, class) in [(401, Class::Refused), (429, Class::Refused)] {
        assert_eq!(fault::of_reply(status, None, Server::default()), class);
    }
}
