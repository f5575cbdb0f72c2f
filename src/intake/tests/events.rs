//! Streams of events with pictures in them.

use super::{base64, body, expect_nothing_left, png, store};
use crate::intake::events::{EventScanner, EventStep, read};
use crate::intake::scanner::Step;
use crate::intake::{Fields, Limits};

const FIELDS: Fields = Fields(&["b64_json"]);

/// Names, skeletons with handles replaced by `#number`, and pictures, of a stream cut in two or into pieces.
fn scan(text: &[u8], pieces: &[&[u8]]) -> (Vec<(String, String)>, Vec<Vec<u8>>) {
    let mut scanner = EventScanner::new(FIELDS, Limits::CLIENT);
    let (mut events, mut blobs, mut open) = (Vec::new(), Vec::new(), Vec::new());
    let mut add = |event: crate::intake::events::Event| {
        let mut skeleton = String::from_utf8_lossy(&event.skeleton).into_owned();
        for number in 0..3 {
            skeleton = skeleton.replace(&event.mark.handle(number), &format!("#{number}"));
        }
        events.push((event.name, skeleton));
    };
    for mut piece in pieces.iter().copied() {
        while let Some(step) = scanner.step(&mut piece).expect("well-formed") {
            match step {
                EventStep::Picture(Step::Block(bytes)) => open.extend_from_slice(&bytes),
                EventStep::Picture(Step::End) => blobs.push(std::mem::take(&mut open)),
                EventStep::Event(event) => add(event),
            }
        }
    }
    if let Some(event) = scanner.finish().expect("well-formed") {
        add(event);
    }
    assert!(!text.is_empty() && open.is_empty());
    (events, blobs)
}

#[test]
fn events_are_read_alike_however_they_are_cut() {
    let (first, second) = (png(640, 50), png(64, 70));
    let (a, b) = (base64(&first), base64(&second));
    let text = format!(
        ": a comment\n\nevent: partial\ndata: {{\"b64_json\":\"{a}\",\ndata:\"n\":1}}\n\n\
         id: 7\nretry\nevent:completed\ndata:  {{\"b64_json\":[\"{b}\",\"{a}\"]}}\n\nevent: lost\n\ndata: [DONE]\n\n\
         data: last"
    );
    let event = |name: &str, data: &str| (name.to_owned(), data.to_owned());
    let expected = (
        vec![
            event("partial", "{\"b64_json\":\"#0\",\n\"n\":1}"),
            event("completed", " {\"b64_json\":[\"#0\",\"#1\"]}"),
            event("", "[DONE]"),
            event("", "last"),
        ],
        vec![first.clone(), second, first],
    );
    for ending in ["\n", "\r\n", "\r"] {
        let text = text.replace('\n', ending);
        let text = text.as_bytes();
        let expected = &expected;
        for cut in 0..=text.len() {
            let (before, behind) = text.split_at(cut);
            assert_eq!(&scan(text, &[before, behind]), expected, "{cut} {ending:?}");
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(&scan(text, &single), expected, "{ending:?}");
    }
}

#[test]
fn an_empty_line_of_data_counts_also_where_the_stream_is_cut_off() {
    let event = |data: &str| vec![(String::new(), data.to_owned())];
    for (text, data) in [
        ("data: a\ndata: ", "a\n"),
        ("data: a\ndata:", "a\n"),
        ("data: a\ndata:\n", "a\n"),
        ("data: a\ndata:\n\n", "a\n"),
        ("data: a\ndata: \ndata:", "a\n\n"),
        ("data: ", ""),
        ("data: a\nid:", "a"),
    ] {
        let text = text.as_bytes();
        let single: Vec<&[u8]> = text.chunks(1).collect();
        for pieces in [&[text][..], &single] {
            assert_eq!(scan(text, pieces), (event(data), Vec::new()), "{text:?}");
        }
    }
    for stream in [
        "data: a\ndata: ",
        "data: {\"b64_json\":\"data:;base64,AAAA\ndata: ",
    ] {
        for how in [0, 1, 7] {
            crate::intake::fuzz::events(&[&[how], stream.as_bytes()].concat());
        }
    }
}

#[tokio::test]
async fn the_pictures_of_events_are_staged_one_event_at_a_time() {
    let (folder, blobs) = store();
    let text: String = (0..20)
        .map(|k| {
            let picture = base64(&png(100 + k, 200_000));
            format!("event: partial\ndata: {{\"k\":{k},\"b64_json\":\"{picture}\"}}\n\n")
        })
        .collect();
    let mut events = read(
        body(text.as_bytes(), 16_384),
        &blobs,
        FIELDS,
        Limits::CLIENT,
    );
    let mut count = 0;
    while let Some((name, intake)) = events.next().await.expect("well-formed") {
        let picture = intake.blobs().next().expect("staged").picture();
        assert_eq!((name.as_str(), picture.width), ("partial", 100 + count));
        count += 1;
    }
    assert_eq!(count, 20);
    expect_nothing_left(&folder, "events that nobody kept").await;
    let cut = &text.as_bytes()[..text.len() / 20 + 100_000];
    let mut events = read(body(cut, 16_384), &blobs, FIELDS, Limits::CLIENT);
    assert!(events.next().await.expect("whole").is_some());
    assert!(events.next().await.is_err());
    assert!(events.next().await.expect("over").is_none());
    expect_nothing_left(&folder, "a stream that broke off").await;
}
