//! Bodies that are to be refused, and that nothing is left of.

use super::{base64, body, expect_nothing_left, png, store};
use crate::error::{Error, Kind};
use crate::intake::{Fields, Intake, Limits, MAX_SKELETON_BYTES, ReadError, read, read_json};
use crate::types::Format;
use futures::StreamExt;

const FIELDS: Fields = Fields(&["image", "images.image_url"]);

#[tokio::test]
async fn pictures_are_staged_and_claimed_by_their_handles() {
    let (folder, blobs) = store();
    let (first, second) = (png(640, 100_000), png(64, 100));
    let text = format!(
        r#"{{"prompt":"a {{\"image\"}}","images":[{{"image_url":"data:image/jpeg;base64,{}"}}],"image":"{}"}}"#,
        base64(&first),
        base64(&second)
    );
    for chunk in [1000, 16_384, usize::MAX] {
        let mut intake = read_json(body(text.as_bytes(), chunk), &blobs, FIELDS)
            .await
            .expect("well-formed");
        let skeleton: serde_json::Value =
            serde_json::from_slice(&intake.skeleton).expect("well-formed");
        assert_eq!(skeleton["prompt"], "a {\"image\"}");
        let handle = skeleton["images"][0]["image_url"].as_str().expect("a text");
        let picture = intake.blob(handle).expect("staged").picture().clone();
        assert_eq!((picture.width, picture.format), (640, Format::Png));
        assert_eq!(picture.hash, blake3::hash(&first).to_hex().to_string());
        let handle = skeleton["image"].as_str().expect("a text");
        assert_eq!(
            intake.take(handle).expect("staged").keep().bytes,
            second.len() as u64
        );
        assert!(intake.take(handle).is_none(), "claimed twice");
        assert!(intake.is_handle(handle) && intake.blobs().count() == 1);
        let claimed = super::files_below(folder.path());
        drop(intake);
        assert!(claimed >= 2);
    }
    // What was kept stays: one a round.
    for _ in 0..400 {
        if super::files_below(folder.path()) == 3 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("{} files are left", super::files_below(folder.path()));
}

#[tokio::test]
async fn a_handle_that_a_client_wrote_is_a_text() {
    let (folder, blobs) = store();
    let picture = base64(&png(640, 100));
    let text = format!(
        r#"{{"image":["pinhole-blob:{:032x}:0","{picture}"],"prompt":"pinhole-blob:0:0"}}"#,
        0
    );
    let intake = read_json(body(text.as_bytes(), 50), &blobs, FIELDS)
        .await
        .expect("well-formed");
    let skeleton: serde_json::Value = serde_json::from_slice(&intake.skeleton).expect("JSON");
    let forged = skeleton["image"][0].as_str().expect("a text");
    assert!(forged.starts_with("pinhole-blob:0000") && intake.blob(forged).is_none());
    assert!(!intake.is_handle("pinhole-blob:0:0"));
    assert!(intake.is_handle(skeleton["image"][1].as_str().expect("a text")));
    // The handles of one body mean nothing in another.
    let other = read_json(body(text.as_bytes(), 50), &blobs, FIELDS)
        .await
        .expect("well-formed");
    assert!(
        other
            .blob(skeleton["image"][1].as_str().expect("a text"))
            .is_none()
    );
    assert!(Intake::of("{}".into()).blob(forged).is_none());
    drop((intake, other));
    expect_nothing_left(&folder, "unclaimed pictures").await;
}

#[tokio::test]
async fn hostile_bodies_are_refused_and_leave_nothing() {
    let (folder, blobs) = store();
    let good = base64(&png(640, 300_000));
    let small = base64(&png(1, 60));
    let large = base64(&png(640, 20 << 20));
    let bomb = base64(
        &[
            &png(1, 0)[..16],
            &[0, 0, 0x2a, 0xf8, 0, 0, 0x2a, 0xf8],
            &[0; 60],
        ]
        .concat(),
    );
    let seventeen = vec![format!("\"{small}\""); 17].join(",");
    let cases: Vec<(&str, String, Kind, Option<&str>)> = vec![
        (
            "cut off",
            format!(r#"{{"image":["{good}","{}"#, &good[..1000]),
            Kind::InvalidBody,
            None,
        ),
        (
            "bad character",
            format!(r#"{{"image":["{good}","{good}*"]}}"#),
            Kind::InvalidBody,
            Some("image[1]"),
        ),
        (
            "text behind padding",
            r#"{"image":"data:;base64,AA==AA=="}"#.to_owned(),
            Kind::InvalidBody,
            Some("image"),
        ),
        (
            "one character left",
            format!(r#"{{"images":[{{"image_url":"{}"}}]}}"#, &good[..1001]),
            Kind::InvalidBody,
            Some("images[0].image_url"),
        ),
        (
            "a surrogate",
            format!(r#"{{"image":"{}\ud800"}}"#, &good[..1000]),
            Kind::InvalidBody,
            Some("image"),
        ),
        (
            "an unknown escape",
            format!(r#"{{"image":"{}\q"}}"#, &good[..1000]),
            Kind::InvalidBody,
            Some("image"),
        ),
        (
            "a raw line break",
            format!("{{\"image\":\"{}\n\"}}", &good[..1000]),
            Kind::InvalidBody,
            Some("image"),
        ),
        (
            "a long word",
            format!(r#"{{"image":"{}"}}"#, "word".repeat(1000)),
            Kind::InvalidBody,
            Some("image"),
        ),
        (
            "svg",
            format!(
                r#"{{"image":"data:image/png;base64,{}"}}"#,
                base64(b"<svg/>")
            ),
            Kind::InvalidBody,
            Some("image"),
        ),
        (
            "nothing",
            r#"{"image":"data:image/png;base64,"}"#.to_owned(),
            Kind::InvalidBody,
            Some("image"),
        ),
        (
            "a bomb",
            format!(r#"{{"image":"{bomb}"}}"#),
            Kind::InvalidBody,
            Some("image"),
        ),
        (
            "20 MiB and more",
            format!(r#"{{"image":["{good}","{large}"]}}"#),
            Kind::TooLarge,
            Some("image[1]"),
        ),
        (
            "17 images",
            format!(r#"{{"image":[{seventeen}]}}"#),
            Kind::TooLarge,
            Some("image[16]"),
        ),
        (
            "a large skeleton",
            format!(
                r#"{{"image":"{good}","prompt":"{}"}}"#,
                "x".repeat(MAX_SKELETON_BYTES)
            ),
            Kind::TooLarge,
            None,
        ),
        (
            "a large link",
            format!(
                r#"{{"image":["{good}","https:{}"]}}"#,
                "x".repeat(MAX_SKELETON_BYTES)
            ),
            Kind::TooLarge,
            None,
        ),
        (
            "white space",
            format!(r#"{{"image":"{good}"{}"#, " ".repeat(MAX_SKELETON_BYTES)),
            Kind::TooLarge,
            None,
        ),
        (
            "64 MiB and more",
            format!(r#"{{"image":"data:;base64,{}"#, "\\n".repeat(32 << 20)),
            Kind::TooLarge,
            None,
        ),
        (
            "depth",
            format!(r#"{{"image":"{good}","x":{}"#, "[".repeat(10_000)),
            Kind::InvalidBody,
            None,
        ),
    ];
    for (name, text, kind, param) in cases {
        for chunk in [16_384, usize::MAX] {
            let error = read_json(body(text.as_bytes(), chunk), &blobs, FIELDS)
                .await
                .expect_err(name);
            assert_eq!(
                (error.kind, error.param()),
                (kind, param),
                "{name}: {error}"
            );
            assert!(error.message.len() < 200, "{name}: {error}");
        }
        expect_nothing_left(&folder, name).await;
    }
}

/// JSON that is malformed around its pictures is refused by the decoder of its skeleton, and dropping the intake
/// removes them.
#[tokio::test]
async fn the_pictures_of_malformed_json_are_removed() {
    let (folder, blobs) = store();
    let good = base64(&png(640, 300_000));
    for text in [
        format!(r#"{{"image":"{good}""#),
        format!(r#"{{"image":"{good}"}}}}"#),
        format!(r#"{{"image":"{good}","x":"\ud800"}}"#),
        format!(r#"{{"image":"{good}",,}}"#),
    ] {
        let intake = read_json(body(text.as_bytes(), 1000), &blobs, FIELDS)
            .await
            .expect("the scanner leaves grammar to the decoder");
        assert_eq!(intake.blobs().count(), 1);
        assert!(serde_json::from_slice::<serde_json::Value>(&intake.skeleton).is_err());
        drop(intake);
        expect_nothing_left(&folder, &text[text.len() - 20..]).await;
    }
}

#[tokio::test]
async fn a_sender_that_goes_away_leaves_nothing() {
    let (folder, blobs) = store();
    let good = base64(&png(640, 300_000));
    let text = format!(r#"{{"image":["{good}","{}"#, &good[..200_000]);
    let chunks = futures::stream::iter([
        Ok(bytes::Bytes::from(text)),
        Err("connection reset".to_owned()),
    ]);
    let error = read(chunks, &blobs, FIELDS, Limits::CLIENT)
        .await
        .expect_err("broken off");
    assert!(matches!(error, ReadError::BrokeOff(_)));
    assert_eq!(Error::from(error).kind, Kind::InvalidBody);
    expect_nothing_left(&folder, "a broken connection").await;
}

#[tokio::test]
async fn a_handler_that_is_dropped_while_it_reads_leaves_nothing() {
    let (folder, blobs) = store();
    let good = base64(&png(640, 300_000));
    let text = format!(r#"{{"image":["{good}","{}"#, &good[..300_000]);
    let stalled = body(text.as_bytes(), 16_384).chain(futures::stream::pending());
    let reading = read_json(stalled, &blobs, FIELDS);
    let wait = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(wait, reading).await.is_err());
    expect_nothing_left(&folder, "a dropped handler").await;
}
