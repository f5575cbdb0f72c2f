//! A network of its own: public and guarded addresses on its loopback, a server on all of them, a name server.
//!
//! The test runs its own program once more inside of it (`unshare`), with the name server's address, hosts and certificates
//! in place of the machine's. There the kernel brings a connection to any of the addresses to one listener, which sees
//! by the connection where it was meant to go.

use super::dns;
use crate::guard::not_run;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// Anybody may go there: to whoever asks where they lie, these are another machine's.
pub const PUBLIC: &[&str] = &[
    "45.33.32.156",
    "93.184.216.34",
    "2606:4700::1111",
    "2a00:1450::200e",
];

pub const LOCAL: &str = "127.0.0.1";

/// A public address of the machine's own.
pub const OWN: &str = "45.33.32.157";

/// Nobody may go there; all of them have a server here.
pub const GUARDED_V4: &[&str] = &[
    OWN,
    LOCAL,
    "127.8.9.10",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.254",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.1.1",
    "100.64.0.1",
    "100.127.255.254",
    "100.100.100.200",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "168.63.129.16",
    "240.0.0.1",
];

pub const GUARDED_V6: &[&str] = &[
    "2606:4700::1112",
    "::1",
    "fd00:ec2::254",
    "fd12:3456::1",
    "fec0::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2001::7f00:1",
    "2001:10::1",
    "2001:db8::1",
    "100::1",
    "3fff::1",
    "5f00::1",
    "4000::1",
    "::7f00:1",
    "::a9fe:a9fe",
];

/// Ports that are served at public addresses; on all others only a visit is noted.
const PLAIN: &[u16] = &[80, 8080];
const SECRET: &[u16] = &[443, 8443];
const CLOSED: &[u16] = &[22, 25, 3128, 5432, 6379, super::OWN_PORT];

/// Who comes from here only waits for its turn.
const SENTINEL: &str = "127.77.77.77";

/// Where the program finds out that it is inside, and where its files are.
const INSIDE: &str = "PINHOLE_TEST_WORLD";

#[expect(clippy::disallowed_methods, reason = "a test asks where it runs")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub fn is_long() -> bool {
    variable("PINHOLE_LONG").is_some()
}

/// Runs a story in a network of its own, as the test that calls this.
pub fn alone(story: impl FnOnce()) {
    if variable(INSIDE).is_some() {
        return story();
    }
    let folder = tempfile::tempdir().expect("a folder");
    write_files(folder.path());
    if let Some(why) = cannot_run(folder.path()) {
        return not_run(&why);
    }
    let thread = std::thread::current();
    let test = thread.name().expect("a test has a name");
    let mut command = enter(folder.path());
    command
        .arg(std::env::current_exe().expect("this program has a path"))
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, folder.path())
        .env("SSL_CERT_FILE", folder.path().join("certificate.pem"));
    // The guard must not see them; whoever listens there notes each visit.
    for name in [
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ] {
        command.env(name, "http://127.0.0.1:3128");
    }
    let ended = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&ended.stdout);
    let erred = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}\n{erred}");
    assert!(said.contains("1 passed"), "{said}");
    eprint!("{said}");
}

fn write_files(folder: &Path) {
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).expect("room for a file");
    };
    write(
        "resolv.conf",
        "nameserver 127.0.0.1\noptions timeout:20 attempts:1\n",
    );
    write(
        "hosts",
        "127.0.0.1 localhost\n::1 localhost ip6-localhost\n10.0.0.1 inner\n",
    );
    write("nsswitch.conf", "hosts: files dns\n");
    write("enter.sh", ENTER);
    let mut addresses = String::new();
    for address in PUBLIC.iter().chain(GUARDED_V4).chain(GUARDED_V6) {
        let bits = if address.contains(':') {
            "128 nodad"
        } else {
            "32"
        };
        let (bits, more) = bits.split_once(' ').unwrap_or((bits, ""));
        let is_there = address.starts_with("127.") || matches!(*address, "0.0.0.0" | "::1");
        if !is_there {
            addresses += &format!("address add {address}/{bits} dev lo {more}\n");
        }
    }
    write("addresses", &addresses);
    write("others", &(PUBLIC.join("\n") + "\n"));
    let addresses = PUBLIC.iter().map(|&address| address.to_owned());
    let names = PUBLIC.iter().map(|address| dns::name(&[address]));
    let more = [dns::name(&[PUBLIC[0], PUBLIC[2]]), dns::name(PUBLIC)];
    let all: Vec<String> = addresses.chain(names).chain(more).collect();
    let own = rcgen::generate_simple_self_signed(all).expect("a certificate");
    write("certificate.pem", &own.cert.pem());
    write("key.pem", &own.signing_key.serialize_pem());
}

const ENTER: &str = r#"
set -e
folder=$1
shift
for file in resolv.conf hosts nsswitch.conf; do
    mount --bind "$folder/$file" "/etc/$file"
done
ip link set lo up
ip -batch "$folder/addresses"
# Who is sent to these comes from elsewhere, as to another machine. What the kernel has noted of an address may come late.
while read -r address; do
    case $address in *:*) from=::1 ;; *) from=127.0.0.1 ;; esac
    tries=0
    until ip route del local "$address" dev lo table local 2>/dev/null; do
        tries=$((tries + 1))
        test $tries -lt 100
        sleep 0.02
    done
    ip route add local "$address" dev lo src $from table local
done < "$folder/others"
exec "$@"
"#;

/// A command that runs what is added to it inside.
fn enter(folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--", "sh"]);
    command.arg(folder.join("enter.sh")).arg(folder);
    command.stdin(Stdio::null());
    command
}

fn cannot_run(folder: &Path) -> Option<String> {
    let tried = enter(folder).arg("true").output();
    let why = match tried {
        Ok(ended) if ended.status.success() => return None,
        Ok(ended) => String::from_utf8_lossy(&ended.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Some(format!(
        "a network of its own needs root, unshare and ip: {why}"
    ))
}

/// What stands inside.
pub struct World {
    visits: Arc<Mutex<Vec<SocketAddr>>>,
    redirects: Arc<Mutex<Vec<(u16, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
    arrived: tokio::sync::Mutex<mpsc::UnboundedReceiver<()>>,
    picture: Vec<u8>,
}

/// Builds it and runs a story in it.
pub fn inside(story: impl AsyncFnOnce(&World)) {
    crate::app::install_cryptography();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads");
    runtime.block_on(async {
        let world = World::build().await;
        story(&world).await;
    });
}

impl World {
    async fn build() -> Self {
        dns::serve();
        let (sentinel, arrived) = mpsc::unbounded_channel();
        let world = Self {
            visits: Arc::default(),
            redirects: Arc::default(),
            asked: Arc::default(),
            arrived: tokio::sync::Mutex::new(arrived),
            picture: crate::app::small_png(),
        };
        let folder = variable(INSIDE).expect("it is inside");
        let server = Arc::new(Server {
            visits: Arc::clone(&world.visits),
            redirects: Arc::clone(&world.redirects),
            asked: Arc::clone(&world.asked),
            sentinel,
            picture: world.picture.clone(),
            tls: acceptor(Path::new(&folder)),
        });
        for &port in PLAIN.iter().chain(SECRET).chain(CLOSED) {
            let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
            let listener = TcpListener::bind(any).await.expect("a free port");
            #[expect(clippy::disallowed_methods, reason = "ends with the story's runtime")]
            tokio::spawn(Arc::clone(&server).accept(listener, port));
        }
        world
    }

    pub fn picture(&self) -> &[u8] {
        &self.picture
    }

    /// A path at every public address that redirects there.
    pub fn redirect(&self, status: u16, location: &str) -> String {
        let mut redirects = self.redirects.lock().expect("nobody panics in between");
        redirects.push((status, location.to_owned()));
        format!("/to/{}", redirects.len() - 1)
    }

    /// What public servers were asked for since this was called last.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("nobody panics in between"))
    }

    /// How often somebody came where nobody may.
    pub fn visits(&self) -> usize {
        self.visits.lock().expect("nobody panics in between").len()
    }

    /// Waits until all who came before were seen: each listener takes them in order, and one of ours is the last.
    pub async fn flush(&self) {
        let mut arrived = self.arrived.lock().await;
        for &port in PLAIN.iter().chain(SECRET).chain(CLOSED) {
            let socket = TcpSocket::new_v4().expect("a socket");
            let from = format!("{SENTINEL}:0").parse().expect("an address");
            socket.bind(from).expect("the whole of 127/8 is here");
            let to = SocketAddr::from(([127, 0, 0, 1], port));
            let _stream = socket.connect(to).await.expect("somebody listens");
            arrived.recv().await.expect("the listeners live on");
        }
    }

    /// Nobody has come where nobody may.
    pub async fn expect_nobody(&self) {
        self.flush().await;
        let visits = self.visits.lock().expect("nobody panics in between");
        assert!(visits.is_empty(), "{visits:?}");
    }
}

struct Server {
    visits: Arc<Mutex<Vec<SocketAddr>>>,
    redirects: Arc<Mutex<Vec<(u16, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
    sentinel: mpsc::UnboundedSender<()>,
    picture: Vec<u8>,
    tls: TlsAcceptor,
}

impl Server {
    async fn accept(self: Arc<Self>, listener: TcpListener, port: u16) {
        let sentinel: IpAddr = SENTINEL.parse().expect("an address");
        while let Ok((stream, peer)) = listener.accept().await {
            let met = stream.local_addr().expect("it is connected");
            let met = SocketAddr::new(met.ip().to_canonical(), met.port());
            if peer.ip().to_canonical() == sentinel {
                let _ = self.sentinel.send(());
            } else if is_public(met.ip()) && !CLOSED.contains(&port) {
                #[expect(clippy::disallowed_methods, reason = "ends with the story's runtime")]
                tokio::spawn(Arc::clone(&self).serve(stream, port));
            } else {
                let mut visits = self.visits.lock().expect("nobody panics in between");
                visits.push(met);
            }
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, port: u16) {
        if !SECRET.contains(&port) {
            self.answer(stream).await;
        } else if let Ok(stream) = self.tls.accept(stream).await {
            self.answer(stream).await;
        }
    }

    async fn answer(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8_lossy(&head);
        let path = head.split(' ').nth(1).unwrap_or_default();
        self.note(path);
        let answers: HashMap<_, _> = super::inputs::ANSWERS.iter().copied().collect();
        let number = path.strip_prefix("/to/").and_then(|rest| {
            let number = rest.split('?').next()?;
            number.parse().ok()
        });
        let (answer, endless) = if let Some(number) = number {
            (self.redirected(number), false)
        } else if let Some((head, endless)) = answers.get(path) {
            (head.to_vec(), *endless)
        } else {
            let length = self.picture.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            ([head.as_bytes(), &self.picture].concat(), false)
        };
        let mut written = stream.write_all(&answer).await;
        while endless && written.is_ok() {
            written = stream.write_all(&[0; 64 * 1024]).await;
        }
        let _ = stream.shutdown().await;
        // Whoever closes first with unread bytes resets the connection; the client closes when it has all.
        let mut rest = Vec::new();
        let reading = stream.read_to_end(&mut rest);
        let _ = tokio::time::timeout(Duration::from_secs(5), reading).await;
    }

    fn note(&self, path: &str) {
        let mut asked = self.asked.lock().expect("nobody panics in between");
        asked.push(path.to_owned());
    }

    fn redirected(&self, number: usize) -> Vec<u8> {
        let redirects = self.redirects.lock().expect("nobody panics in between");
        let (status, location) = &redirects[number];
        format!("HTTP/1.1 {status} There\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
            .into_bytes()
    }
}

fn is_public(address: IpAddr) -> bool {
    PUBLIC.iter().any(|one| one.parse() == Ok(address))
}

fn acceptor(folder: &Path) -> TlsAcceptor {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let certificate = CertificateDer::from_pem_file(folder.join("certificate.pem"));
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem"));
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.expect("PEM")], key.expect("PEM"));
    TlsAcceptor::from(Arc::new(config.expect("they belong together")))
}
