//! Forms, as clients send them and as nobody should.

use super::{body, expect_nothing_left, png, store};
use crate::error::Kind;
use crate::intake::multipart::{Form, MAX_TEXT_BYTES, MAX_TEXTS, Value, boundary, read};
use crate::types::Format;

/// One part: its headers behind the disposition, and its content.
fn part(head: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("--b0undary\r\nContent-Disposition: form-data; {head}\r\n\r\n").into_bytes();
    bytes.extend_from_slice(content);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [&parts.concat()[..], b"--b0undary--\r\n"].concat()
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    part(
        &format!("name=\"{name}\"; filename=\"a.png\"\r\nContent-Type: text/html"),
        content,
    )
}

#[tokio::test]
async fn images_come_under_any_name_in_any_order() {
    let (folder, blobs) = store();
    let bytes = form(&[
        file("mask", &png(1, 1000)),
        part("name=prompt", "a cät\r\n--b0undar".as_bytes()),
        file("image[]", &png(2, 200_000)),
        part("name=\"empty\"; filename=\"\"", b""),
        file("image", &png(3, 0)),
        part("name=\"n\"", b""),
        // No name of a file: a type will do.
        part("name=\"image[0]\"\r\nContent-Type: image/webp", &png(4, 5)),
    ]);
    for chunk in [1, 7, 1000, 16_384, usize::MAX] {
        let form = read(body(&bytes, chunk), "b0undary", &blobs)
            .await
            .expect("well-formed");
        let names: Vec<_> = form
            .fields
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        assert_eq!(
            names,
            ["mask", "prompt", "image[]", "image", "n", "image[0]"]
        );
        assert_eq!(
            form.fields[1].value,
            Value::Text("a cät\r\n--b0undar".to_owned())
        );
        let intake = form.into_intake();
        let skeleton: serde_json::Value = serde_json::from_slice(&intake.skeleton).expect("JSON");
        let width = |handle: &serde_json::Value| {
            let blob = intake
                .blob(handle.as_str().expect("a handle"))
                .expect("staged");
            assert_eq!(blob.picture().format, Format::Png);
            blob.picture().width
        };
        assert_eq!(width(&skeleton["mask"]), 1);
        let images = skeleton["image"].as_array().expect("a list");
        assert_eq!(images.iter().map(width).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(
            (&skeleton["prompt"], &skeleton["n"]),
            (&"a cät\r\n--b0undar".into(), &"".into())
        );
    }
    expect_nothing_left(&folder, "forms that nobody claimed").await;
}

#[tokio::test]
async fn every_cut_of_a_form_is_read_alike() {
    let (_folder, blobs) = store();
    let bytes = [
        b"a preamble\r\n--b0undaryx\r\n".as_slice(),
        b"--b0undary \t\r\ncontent-type: text/plain\r\ncontent-disposition: FORM-DATA; name=\"a\\\"b\\c\"\r\n\r\n1\r\n",
        b"--b0undary\r\nContent-Disposition: form-data; filename*=x; name=c\r\n\r\n",
        &png(9, 40),
        b"\r\n--b0undary--an epilogue",
    ];
    // A line that only begins like the boundary is no preamble: it is refused.
    let error = read(body(&bytes.concat(), 10), "b0undary", &blobs)
        .await
        .expect_err("behind a boundary");
    assert_eq!(error.kind, Kind::InvalidBody);
    let bytes = [b"a preamble\r\n", &bytes[1..].concat()[..]].concat();
    for cut in 1..bytes.len() {
        let (before, behind) = bytes.split_at(cut);
        let chunks =
            [before, behind].map(|piece| Ok::<_, String>(bytes::Bytes::copy_from_slice(piece)));
        let form: Form = read(futures::stream::iter(chunks), "b0undary", &blobs)
            .await
            .expect("well-formed");
        let names: Vec<_> = form
            .fields
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        assert_eq!(names, ["a\"b\\c", "c"], "{cut}");
        assert!(matches!(form.fields[1].value, Value::File(_)));
    }
}

#[tokio::test]
async fn hostile_forms_are_refused_and_leave_nothing() {
    let (folder, blobs) = store();
    let good = png(640, 300_000);
    let image = file("image", &good);
    let after = |bytes: Vec<u8>| form(&[image.clone(), bytes]);
    let text = |bytes: usize| part("name=\"prompt\"", &vec![b'x'; bytes]);
    let cases: Vec<(&str, Vec<u8>, Kind, Option<&str>)> = vec![
        ("nothing", Vec::new(), Kind::InvalidBody, None),
        ("no boundary", good.clone(), Kind::InvalidBody, None),
        (
            "cut off",
            image[..200_000].to_vec(),
            Kind::InvalidBody,
            None,
        ),
        ("no last boundary", image.clone(), Kind::InvalidBody, None),
        (
            "no name",
            after(part("filename=x", &good)),
            Kind::InvalidBody,
            None,
        ),
        (
            "no disposition",
            after(b"--b0undary\r\n\r\nx\r\n".to_vec()),
            Kind::InvalidBody,
            None,
        ),
        (
            "not UTF-8",
            after(part("name=\"prompt\"", b"\xff")),
            Kind::InvalidBody,
            None,
        ),
        (
            "base64",
            after(part(
                "name=\"image\"\r\nContent-Transfer-Encoding: base64",
                b"AAAA",
            )),
            Kind::InvalidBody,
            None,
        ),
        (
            "long headers",
            after(part(&format!("name=\"{}\"", "x".repeat(9000)), b"")),
            Kind::InvalidBody,
            None,
        ),
        (
            "svg",
            after(file("image[]", b"<svg/>")),
            Kind::InvalidBody,
            Some("image[]"),
        ),
        (
            "an empty file",
            after(file("mask", b"")),
            Kind::InvalidBody,
            Some("mask"),
        ),
        (
            "20 MiB and more",
            after(file("mask", &png(1, 20 << 20))),
            Kind::TooLarge,
            Some("mask"),
        ),
        (
            "18 files",
            form(&vec![file("image", &png(1, 0)); 18]),
            Kind::TooLarge,
            None,
        ),
        (
            "a long text",
            after(text(MAX_TEXT_BYTES + 1)),
            Kind::TooLarge,
            None,
        ),
        (
            "much text",
            form(&vec![text(MAX_TEXT_BYTES); 5]),
            Kind::TooLarge,
            None,
        ),
        (
            "many texts",
            form(&vec![text(1); MAX_TEXTS + 1]),
            Kind::TooLarge,
            None,
        ),
    ];
    for (name, bytes, kind, param) in cases {
        for chunk in [1000, usize::MAX] {
            let error = read(body(&bytes, chunk), "b0undary", &blobs)
                .await
                .expect_err(name);
            assert_eq!(
                (error.kind, error.param()),
                (kind, param),
                "{name}: {error}"
            );
        }
        expect_nothing_left(&folder, name).await;
    }
    let endless =
        futures::stream::repeat_with(|| Ok::<_, String>(bytes::Bytes::from(vec![b'x'; 1 << 20])));
    let error = read(Box::pin(endless), "b0undary", &blobs)
        .await
        .expect_err("endless");
    assert_eq!(error.kind, Kind::TooLarge);
}

#[test]
fn the_boundary_stands_in_the_content_type() {
    let check = |text: &str, expected: Option<&str>| {
        assert_eq!(boundary(text).as_deref(), expected, "{text}");
    };
    check("multipart/form-data; boundary=abc", Some("abc"));
    check(
        "Multipart/Form-Data;charset=utf-8; Boundary=\"a b;c\" ",
        Some("a b;c"),
    );
    check("multipart/form-data; boundary=abc; x=y", Some("abc"));
    check("multipart/form-data", None);
    check("multipart/form-data; boundary=", None);
    check("multipart/mixed; boundary=abc", None);
    check(
        &format!("multipart/form-data; boundary={}", "x".repeat(71)),
        None,
    );
}
