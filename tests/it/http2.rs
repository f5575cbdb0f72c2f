//! An upstream that speaks HTTP/2: what it refuses unread is proved not to have been sent, everything else is unknown. The
//! real program, because only its environment can name the certificate to trust.

use crate::server::Site;
use rcgen::CertifiedKey;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What becomes of each request.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Refused unread.
    Refuse,
    /// Reset after it was read, for another reason.
    Reset,
    /// The whole connection is given up.
    GoAway,
}

/// A server for `localhost` with a certificate of its own. Dropping it ends it.
struct Upstream {
    base: String,
    /// The certificate.
    pem: String,
    requests: Arc<AtomicUsize>,
    _accepting: JoinSet<()>,
}

impl Upstream {
    async fn start(manner: Manner) -> Self {
        crate::app::install_cryptography();
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let mut config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .expect("they belong together");
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(serve(
                    acceptor.clone(),
                    client,
                    manner,
                    Arc::clone(&counted),
                ));
            }
        });
        Self {
            base: format!("https://localhost:{port}/v1"),
            pem: cert.pem(),
            requests,
            _accepting: accepting,
        }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    client: TcpStream,
    manner: Manner,
    requests: Arc<AtomicUsize>,
) {
    // A client that does not trust the certificate says no more than that.
    let Ok(client) = acceptor.accept(client).await else {
        return;
    };
    let mut connection = h2::server::handshake(client).await.expect("HTTP/2");
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        requests.fetch_add(1, Ordering::Relaxed);
        match manner {
            Manner::Refuse => respond.send_reset(h2::Reason::REFUSED_STREAM),
            Manner::Reset => respond.send_reset(h2::Reason::INTERNAL_ERROR),
            Manner::GoAway => connection.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM),
        }
        drop(request);
    }
}

/// A call of a program that calls this upstream: the client's status and code, and what the operator lost.
async fn call(upstream: &Upstream, trusted: bool) -> (u16, String, String) {
    let mut site = Site::new(Duration::ZERO)
        .variable("OPENAI_API_KEY", "sk-upstream")
        .variable("OPENAI_BASE_URL", &upstream.base);
    let certificates = site.file("certificates.pem");
    let other =
        rcgen::generate_simple_self_signed(["elsewhere".to_owned()]).expect("a certificate");
    let pem = if trusted {
        upstream.pem.clone()
    } else {
        other.cert.pem()
    };
    std::fs::write(&certificates, pem).expect("room for a file");
    site = site.variable(
        "SSL_CERT_FILE",
        certificates.to_str().expect("a plain path"),
    );
    let holder = site.customer("1.00").await;
    let server = site.start("").await;
    let body = json!({"model": "gpt-image-2", "prompt": "a boat", "size": "1024x640"});
    let client = server.client(&holder);
    let reply = client.generate(body).await;
    client.has("1.000000").await;
    let code = reply.json()["error"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let status = reply.status;
    assert!(server.terminate().await.success());
    let sql = "SELECT state FROM attempts";
    let state: String = site.rows().query_row(sql, [], |row| row.get(0)).expect(sql);
    (status, code, state)
}

#[tokio::test]
async fn what_http2_refuses_unread_was_not_sent_and_the_rest_is_unknown() {
    for (manner, status, code, state) in [
        (Manner::Refuse, 503, "overloaded", "not_sent"),
        (Manner::Reset, 504, "outcome_unknown", "unknown"),
        (Manner::GoAway, 504, "outcome_unknown", "unknown"),
    ] {
        let upstream = Upstream::start(manner).await;
        let expected = (status, code.to_owned(), state.to_owned());
        assert_eq!(call(&upstream, true).await, expected, "{manner:?}");
        assert_eq!(upstream.requests(), 1, "{manner:?} is not repeated");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_gets_no_request() {
    let upstream = Upstream::start(Manner::Reset).await;
    let expected = (503, "overloaded".to_owned(), "not_sent".to_owned());
    assert_eq!(call(&upstream, false).await, expected);
    assert_eq!(upstream.requests(), 0);
}
