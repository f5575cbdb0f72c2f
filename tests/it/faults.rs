//! Every way in which a call to an upstream can go wrong, one row each: what is sent and paid (the stand-in's log is the
//! witness), what the client is told and charged, what is booked as lost, whether the second target is asked, and what the
//! breaker makes of it.

use crate::app::{Setup, TestApp, until};
use crate::fault_proxy::{End, FaultProxy, Line};
use crate::upstream::{
    self, Expected, FAILED, FINE, Mock, POLICY, REJECTED, SECOND, UNKNOWN, provider,
};
use pinhole::config::ProviderSettings;
use pinhole::types::{Mode, Scope};
use serde_json::json;
use std::time::Duration;

/// Where a row's provider leads.
enum To {
    /// The stand-in, which does what the words in the prompt say.
    Mock(&'static str),
    /// The stand-in behind a line.
    Behind(Line),
    /// This address.
    Address(&'static str),
    /// The stand-in, spoken to in TLS, which it does not speak.
    Tls,
}

/// What the breaker makes of a call.
#[derive(Clone, Copy)]
enum Heard {
    Well,
    Ill,
    Later,
    Nothing,
}

struct Row {
    to: To,
    options: &'static [(&'static str, &'static str)],
    expected: Expected,
    /// Calls that reach the stand-in, apart from the second target's.
    arrived: usize,
    /// Those of them that would be billed.
    paid: usize,
    heard: Heard,
}

const fn row(to: To, expected: Expected, arrived: usize, paid: usize, heard: Heard) -> Row {
    Row {
        to,
        options: &[],
        expected,
        arrived,
        paid,
        heard,
    }
}

const fn hasty(row: Row) -> Row {
    Row {
        options: &[("response_timeout_s", "1"), ("idle_timeout_s", "1")],
        ..row
    }
}

const fn declared(row: Row) -> Row {
    Row {
        options: &[("retry_503", "true")],
        ..row
    }
}

const TICK: Duration = Duration::from_millis(100);

/// The table.
fn rows() -> Vec<Row> {
    use Heard::{Ill, Later, Nothing, Well};
    use Line::{Reply, ResetInRequest};
    use To::{Address, Behind, Mock, Tls};
    vec![
        // Nothing was sent.
        row(Address("http://127.0.0.1:1"), SECOND, 0, 0, Ill),
        row(Address("http://nobody.invalid"), SECOND, 0, 0, Ill),
        row(Tls, SECOND, 0, 0, Ill),
        // The line breaks. What is not proved is unknown, also where the upstream saw nothing.
        row(Behind(ResetInRequest), UNKNOWN, 0, 0, Ill),
        row(Behind(Reply(0, End::Reset)), UNKNOWN, 1, 1, Ill),
        row(Behind(Reply(1, End::Reset)), UNKNOWN, 1, 1, Ill),
        row(Behind(Reply(1000, End::Reset)), UNKNOWN, 1, 1, Ill),
        row(Behind(Reply(0, End::Close)), UNKNOWN, 1, 1, Ill),
        row(Behind(Reply(1000, End::Close)), UNKNOWN, 1, 1, Ill),
        row(Behind(Reply(0, End::HalfClose)), UNKNOWN, 1, 1, Ill),
        row(Behind(Reply(1000, End::HalfClose)), UNKNOWN, 1, 1, Ill),
        row(Behind(Line::Endless), UNKNOWN, 0, 0, Ill),
        hasty(row(Behind(Reply(0, End::Stall)), UNKNOWN, 1, 1, Ill)),
        hasty(row(Behind(Reply(9, End::Stall)), UNKNOWN, 1, 1, Ill)),
        hasty(row(Behind(Reply(1000, End::Stall)), UNKNOWN, 1, 1, Ill)),
        hasty(row(Behind(Reply(9, End::Drip(TICK))), UNKNOWN, 1, 1, Ill)),
        hasty(row(Mock("[mock:silence]"), UNKNOWN, 1, 1, Ill)),
        // It answers a success that is none.
        row(Mock("[mock:error200]"), FAILED, 1, 1, Ill),
        row(Mock("[mock:html]"), UNKNOWN, 1, 1, Ill),
        row(Mock("[mock:zero]"), UNKNOWN, 1, 1, Ill),
        row(Mock("[mock:truncated]"), UNKNOWN, 1, 1, Ill),
        row(Mock("[mock:huge]"), UNKNOWN, 1, 1, Ill),
        // Or another one than was asked for.
        row(Mock("[mock:count=3]"), FINE, 1, 1, Well),
        row(Mock("[mock:pixels=320x200]"), FINE, 1, 1, Well),
        row(Mock("[mock:format=jpeg]"), FINE, 1, 1, Well),
        // It refuses or fails, and says so.
        row(Mock("[mock:moderation]"), POLICY, 1, 0, Well),
        row(Mock("[mock:status=400]"), REJECTED, 1, 0, Well),
        row(Mock("[mock:status=401]"), SECOND, 1, 0, Ill),
        row(Mock("[mock:status=402]"), SECOND, 1, 0, Ill),
        row(Mock("[mock:status=403]"), SECOND, 1, 0, Ill),
        row(Mock("[mock:status=404]"), SECOND, 1, 0, Nothing),
        row(Mock("[mock:status=408]"), UNKNOWN, 1, 0, Ill),
        row(Mock("[mock:status=429]"), SECOND, 1, 0, Later),
        row(Mock("[mock:status=500]"), FAILED, 1, 1, Ill),
        row(Mock("[mock:status=502]"), UNKNOWN, 1, 1, Ill),
        row(Mock("[mock:proxy=502]"), UNKNOWN, 1, 1, Ill),
        row(Mock("[mock:status=503]"), FAILED, 1, 1, Ill),
        row(Mock("[mock:proxy=503]"), UNKNOWN, 1, 1, Ill),
        declared(row(Mock("[mock:status=503][mock:free]"), SECOND, 1, 0, Ill)),
        row(Mock("[mock:status=504]"), UNKNOWN, 1, 1, Ill),
        row(Mock(""), FINE, 1, 1, Well),
    ]
}

/// A row with its provider, under a name of its own.
struct Placed {
    row: Row,
    name: String,
    settings: ProviderSettings,
    /// It ends with the row.
    _proxy: Option<FaultProxy>,
}

async fn place(mock: &Mock, number: usize, row: Row) -> Placed {
    let name = format!("fault-{number}");
    let proxy = match &row.to {
        To::Behind(line) => Some(FaultProxy::start(&mock.home, *line).await),
        _ => None,
    };
    let home = match (&row.to, &proxy) {
        (_, Some(proxy)) => proxy.home.clone(),
        (To::Address(address), _) => (*address).to_owned(),
        (To::Tls, _) => mock.home.replace("http:", "https:"),
        _ => mock.home.clone(),
    };
    let settings = provider(&name, &format!("{home}/v1"), row.options);
    Placed {
        row,
        name,
        settings,
        _proxy: proxy,
    }
}

/// How often the breaker of a provider has heard each word.
async fn heard(app: &TestApp, provider: &str) -> [u32; 4] {
    let admin = app.scoped(Mode::Live, &[Scope::Admin]).await;
    let reply = admin.get("/metrics").await;
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    ["well", "ill", "later", "nothing"].map(|word| {
        let line =
            format!("pinhole_provider_calls_total{{provider=\"{provider}\",verdict=\"{word}\"}} ");
        let count = text.lines().find_map(|one| one.strip_prefix(&line));
        count.map_or(0, |count| count.parse().expect("a number"))
    })
}

#[tokio::test]
async fn each_fault_is_sent_once_told_booked_and_heard_as_it_should() {
    let mock = Mock::start();
    let mut placed = Vec::new();
    for (number, row) in rows().into_iter().enumerate() {
        placed.push(place(&mock, number, row).await);
    }
    let settings: Vec<_> = placed.iter().map(|one| one.settings.clone()).collect();
    let app = upstream::app(&mock, &settings).await;
    for one in &placed {
        let before = mock.calls().len();
        let mark = match &one.row.to {
            To::Mock(mark) => mark,
            _ => "",
        };
        let model = format!("two-{}", one.name);
        upstream::check(&app, &mock, &model, mark, 1, &one.row.expected).await;
        let new = mock.calls().split_off(before);
        let first: Vec<_> = new.iter().filter(|call| call["manner"] != "calm").collect();
        let paid = first.iter().filter(|call| call["paid"] == true).count();
        let number = &one.name;
        assert_eq!(
            (first.len(), paid),
            (one.row.arrived, one.row.paid),
            "{number} {mark}"
        );
        let mut expected = [0; 4];
        expected[one.row.heard as usize] = 1;
        assert_eq!(heard(&app, &one.name).await, expected, "{number} {mark}");
    }
    app.finish().await;
}

/// An application whose only provider is the stand-in behind this line.
async fn behind(mock: &Mock, line: Line, attempt: Duration) -> (TestApp, FaultProxy) {
    let proxy = FaultProxy::start(&mock.home, line).await;
    let settings = provider("line", &format!("{}/v1", proxy.home), &[]);
    let app = Setup::new()
        .set(move |all| {
            all.providers.push(settings);
            all.timeouts.attempt = attempt;
        })
        .model(&upstream::model("line", &["line"]))
        .start()
        .await;
    (app, proxy)
}

const PATIENT: Duration = Duration::from_secs(900);

#[tokio::test]
async fn a_reply_that_comes_byte_by_byte_is_given_up() {
    let mock = Mock::start();
    let line = Line::Reply(1000, End::Drip(TICK));
    let (app, _proxy) = behind(&mock, line, Duration::from_secs(3)).await;
    upstream::check(&app, &mock, "line", "", 1, &UNKNOWN).await;
    assert_eq!(mock.calls().len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn of_a_reply_without_end_little_is_read() {
    let mock = Mock::start();
    let (app, proxy) = behind(&mock, Line::Endless, PATIENT).await;
    upstream::check(&app, &mock, "line", "", 1, &UNKNOWN).await;
    // An image of 64 MiB in base64, and what the kernel's buffers hold.
    assert!(proxy.bytes() < 128 << 20, "{}", proxy.bytes());
    app.finish().await;
}

#[tokio::test]
async fn a_connection_that_is_reset_at_once_carried_nothing_or_is_unknown() {
    let mock = Mock::start();
    let (app, _proxy) = behind(&mock, Line::ResetAtOnce, PATIENT).await;
    let customer = app.customer("1.00").await;
    let body = json!({"model": "line", "prompt": "a boat", "size": "1024x640"});
    let reply = customer.generate(body).await;
    // The reset comes before the connection is there, or after.
    let audit = app.store().audit().await.expect("rows");
    match reply.status {
        503 => assert_eq!(audit.operator_loss.to_string(), "0.000000"),
        _ => {
            reply.refused(504, "outcome_unknown");
            assert_eq!(audit.operator_loss.to_string(), "0.010000");
        }
    }
    assert!(mock.calls().is_empty());
    customer.has("1.000000").await;
    app.finish().await;
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_not_used_again() {
    let mock = Mock::start();
    let (app, proxy) = behind(&mock, Line::CloseAfterReply, PATIENT).await;
    for number in 1..=3 {
        upstream::check(&app, &mock, "line", "", 1, &FINE).await;
        until("the connection is over", async || {
            (proxy.closed() == number).then_some(())
        })
        .await;
    }
    assert_eq!((mock.calls().len(), proxy.connections()), (3, 3));
    app.finish().await;
}

#[tokio::test]
async fn a_call_that_meets_a_closing_connection_is_not_sent_again() {
    let mock = Mock::start();
    let (app, proxy) = behind(&mock, Line::CloseUnderSecond, PATIENT).await;
    upstream::check(&app, &mock, "line", "", 1, &FINE).await;
    upstream::check(&app, &mock, "line", "", 1, &UNKNOWN).await;
    assert_eq!((mock.calls().len(), proxy.connections()), (1, 1));
    app.finish().await;
}
