//! Servers that lie, drip, hang and never end. They stand on 127.0.0.1, which these tests allow as an operator would; what
//! is refused without that is shown by `tests/it/outbound.rs`, in a network of its own.

use super::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(5),
    first_byte: Duration::from_millis(400),
    whole: Duration::from_secs(20),
    most_bytes: 100_000,
    slowest: 1_000_000,
};

fn outbound() -> Outbound {
    Outbound::new(vec!["127.0.0.0/8".parse().expect("a network")])
}

/// A server that reads a request's head, tells it, and then does this; for one connection after the other.
fn server(answer: impl Fn(&mut TcpStream) + Send + 'static) -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (heard, told) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            if heard.send(head).is_err() {
                return;
            }
            answer(&mut stream);
        }
    });
    (port, told)
}

/// Writes until the other side has had enough.
fn without_end(stream: &mut TcpStream, head: &str, piece: &[u8], pause: Duration) {
    let mut written = stream.write_all(head.as_bytes());
    while written.is_ok() {
        written = stream.write_all(piece);
        std::thread::sleep(pause);
    }
}

async fn whole(mut reply: Reply) -> Result<Vec<u8>, FetchError> {
    let mut all = Vec::new();
    while let Some(chunk) = reply.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

async fn fetched(port: u16, path: &str) -> Result<Vec<u8>, FetchError> {
    let url = format!("http://127.0.0.1:{port}{path}");
    whole(outbound().get(&url, &BOUNDS).await?).await
}

async fn check(
    answer: impl Fn(&mut TcpStream) + Send + 'static,
    expected: impl Fn(&FetchError) -> bool,
) {
    let (port, _told) = server(answer);
    let error = fetched(port, "/secret?token=1").await.expect_err("it lies");
    assert!(expected(&error), "{error:?}");
    let message = error.to_string();
    assert!(
        !message.contains("secret") && !message.contains("token"),
        "{message}"
    );
}

#[tokio::test]
async fn a_picture_is_fetched_as_it_is_and_nothing_of_us_goes_along() {
    let (port, told) = server(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    });
    assert_eq!(fetched(port, "/a?b=c#d").await.expect("fetched"), b"hello");
    let head = told.recv().expect("a request").to_lowercase();
    assert!(head.starts_with("get /a?b=c http/1.1\r\n"), "{head}");
    assert!(
        head.contains(&format!("host: 127.0.0.1:{port}\r\n")),
        "{head}"
    );
    assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
    for absent in ["cookie", "authorization", "referer", "#d"] {
        assert!(!head.contains(absent), "{head}");
    }
}

#[tokio::test]
async fn every_framing_of_http_1_is_read() {
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nx: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-encoding: identity\r\ncontent-length: 5\r\n\r\nhello and more",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 203 Fine\r\ncontent-length: 5\r\n\r\nhello",
    ] {
        let (port, _told) = server(|stream| {
            let _ = stream.write_all(answer.as_bytes());
        });
        assert_eq!(
            fetched(port, "/").await.expect(answer),
            b"hello",
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_whatever_its_head_says() {
    let too_large =
        |error: &FetchError| matches!(error, FetchError::TooLarge { most: 100_000, .. });
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n",
    ] {
        let endless = |stream: &mut TcpStream| {
            without_end(stream, head, &[b'x'; 8192], Duration::ZERO);
        };
        check(endless, too_large).await;
    }
    let chunked = |stream: &mut TcpStream| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let piece = [b"1000\r\n".as_slice(), &[b'x'; 4096], b"\r\n"].concat();
        without_end(stream, head, &piece, Duration::ZERO);
    };
    check(chunked, too_large).await;
}

#[tokio::test]
async fn a_body_that_drips_or_hangs_is_cut() {
    let dripping = |error: &FetchError| matches!(error, FetchError::Dripping { .. });
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    check(
        move |stream| without_end(stream, ok, b"x", Duration::from_millis(50)),
        dripping,
    )
    .await;
    let (done, wait) = mpsc::channel::<()>();
    let hanging = move |stream: &mut TcpStream| {
        let _ = stream.write_all(ok.as_bytes());
        let _ = wait.recv();
    };
    check(hanging, dripping).await;
    drop(done);
}

#[tokio::test]
async fn a_head_that_drips_hangs_or_never_ends_is_cut() {
    let slow = |error: &FetchError| matches!(error, FetchError::TooSlow { .. });
    let broken = |error: &FetchError| matches!(error, FetchError::Broken(_));
    let pause = Duration::from_millis(20);
    check(
        move |stream| without_end(stream, "HTTP/1.1 200 OK\r\n", b"x", pause),
        slow,
    )
    .await;
    check(
        move |stream| without_end(stream, "", b"HTTP/1.1 100 Continue\r\n\r\n", pause),
        slow,
    )
    .await;
    // Ten megabytes in one header, then ten thousand headers, then no HTTP at all.
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(10 << 20));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(10_000));
    for answer in [long, many, "SSH-2.0-x\r\n".to_owned(), String::new()] {
        let answering = move |stream: &mut TcpStream| {
            let _ = stream.write_all(answer.as_bytes());
        };
        check(answering, broken).await;
    }
}

#[tokio::test]
async fn what_breaks_off_or_is_compressed_is_no_picture() {
    let broken = |error: &FetchError| matches!(error, FetchError::Broken(_));
    let compressed = |error: &FetchError| matches!(error, FetchError::Compressed(_));
    for (answer, is_so) in [
        (
            "content-length: 10\r\n\r\nhello",
            broken as fn(&FetchError) -> bool,
        ),
        ("transfer-encoding: chunked\r\n\r\n5\r\nhel", broken),
        ("transfer-encoding: chunked\r\n\r\nzz\r\nhello", broken),
        (
            "content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
            broken,
        ),
        (
            "content-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello",
            compressed,
        ),
        (
            "content-encoding: identity\r\ncontent-encoding: br\r\n\r\nhello",
            compressed,
        ),
    ] {
        let answering = move |stream: &mut TcpStream| {
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{answer}").as_bytes());
        };
        check(answering, is_so).await;
    }
}

#[tokio::test]
async fn a_status_that_is_no_success_is_told() {
    for status in [204, 206] {
        let (port, _told) = server(move |stream| {
            let _ = write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
        });
        assert_eq!(fetched(port, "/").await.expect("fetched"), b"");
    }
    for told in [300, 304, 305, 400, 401, 404, 500, 503] {
        let answering = move |stream: &mut TcpStream| {
            let _ = write!(
                stream,
                "HTTP/1.1 {told} X\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n"
            );
        };
        let is_told = move |error: &FetchError| matches!(error, FetchError::Status { status, .. } if *status == told);
        check(answering, is_told).await;
    }
}

#[tokio::test]
async fn three_redirects_are_followed_and_a_fourth_is_not() {
    // `/N` redirects to `/N-1`, `/0` is the picture.
    let redirecting = |stream: &mut TcpStream, left: u32| {
        let _ = match left {
            0 => write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"),
            left => write!(stream, "HTTP/1.1 302 X\r\nlocation: /{}\r\n\r\n", left - 1),
        };
    };
    for (first, is_followed) in [(1, true), (3, true), (4, false)] {
        let left = std::sync::atomic::AtomicU32::new(first);
        let (port, _told) = server(move |stream| {
            let now = left.load(std::sync::atomic::Ordering::SeqCst);
            left.store(now.saturating_sub(1), std::sync::atomic::Ordering::SeqCst);
            redirecting(stream, now);
        });
        let fetched = fetched(port, &format!("/{first}")).await;
        match is_followed {
            true => assert_eq!(fetched.expect("followed"), b"hello"),
            false => assert!(matches!(fetched, Err(FetchError::Redirects(_)))),
        }
    }
    let around = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 301 X\r\nlocation: /\r\n\r\n");
    };
    check(around, |error| matches!(error, FetchError::Redirects(_))).await;
}

#[tokio::test]
async fn a_redirect_is_judged_like_any_url() {
    for location in [
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "//10.0.0.1/",
        "http://0x0a000001/",
        "ftp://127.0.0.1/",
        "http://user:pass@127.0.0.1/",
        "file:///etc/passwd",
    ] {
        let answering = move |stream: &mut TcpStream| {
            let _ = write!(stream, "HTTP/1.1 302 X\r\nlocation: {location}\r\n\r\n");
        };
        check(answering, FetchError::is_refusal).await;
    }
}

#[tokio::test]
async fn a_post_is_sent_once_and_follows_nobody() {
    let (port, told) = server(|stream| {
        let mut body = [0; 4];
        let _ = stream.read_exact(&mut body);
        let answer = "HTTP/1.1 307 X\r\nlocation: /elsewhere\r\ncontent-length: 2\r\n\r\n";
        let _ = stream.write_all(&[answer.as_bytes(), &body[..2]].concat());
    });
    let headers = [(
        HeaderName::from_static("webhook-id"),
        HeaderValue::from_static("7"),
    )];
    let url = format!("http://127.0.0.1:{port}/hook");
    let body = Bytes::from_static(b"body");
    let reply = outbound().post(&url, &headers, body, &BOUNDS).await;
    let reply = reply.expect("a reply");
    assert_eq!(reply.status, 307);
    assert_eq!(whole(reply).await.expect("read"), b"bo");
    let head = told.recv().expect("a request").to_lowercase();
    assert!(head.starts_with("post /hook http/1.1\r\n"), "{head}");
    assert!(head.contains("webhook-id: 7\r\n"), "{head}");
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn nobody_is_sent_to_this_server_itself_whatever_is_allowed() {
    let (port, told) = server(|_| {});
    let own = outbound();
    for listened in ["127.0.0.1", "0.0.0.0", "[::ffff:127.0.0.1]"] {
        let address = format!("{listened}:{port}").parse().expect("an address");
        own.listens_on(vec![address]);
        for host in ["127.0.0.1", "127.1", "0x7f000001"] {
            let refused = own.get(&format!("http://{host}:{port}/"), &BOUNDS).await;
            let refused = refused.err().expect("refused");
            assert!(
                matches!(refused, FetchError::Own(_)),
                "{listened} {host}: {refused}"
            );
        }
        assert!(own.check("http://127.0.0.1:9/").await.is_err());
        assert_eq!(own.check("http://127.0.0.1:1/").await, Ok(()));
    }
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn a_refused_address_is_told_with_the_setting_that_allows_it() {
    let guard = Outbound::new(Vec::new());
    let refused = guard
        .check("http://localhost/secret")
        .await
        .expect_err("refused");
    let message = refused.to_string();
    assert!(refused.is_refusal());
    assert!(
        message.starts_with("http://localhost leads to an address that is loopback"),
        "{message}"
    );
    assert!(message.contains("allow_private_networks"), "{message}");
    assert!(
        message.contains("PINHOLE_ALLOW_PRIVATE_NETWORKS"),
        "{message}"
    );
}
