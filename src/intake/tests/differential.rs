//! The scanner against the plain way (`fuzz/json.rs`): documents that are made for it, and any document.

use super::{base64, png};
use crate::intake::fuzz::json::{Doc, FIELDS, check, kernels};
use crate::intake::scanner::{BLOCK_BYTES, Limits, MIN_BARE_CHARACTERS, Scanner, Step};
use proptest::prelude::*;

/// Cuts in two at every place, and into single bytes.
fn check_everywhere(bytes: &[u8]) {
    for cut in 0..=bytes.len() {
        check(bytes, &[cut]);
    }
    check(bytes, &vec![1; bytes.len()]);
    check(bytes, &vec![3; bytes.len() / 3]);
}

/// Where the processor has no kernel of its own, the log of the tests says so: then it was not tested there.
#[test]
fn which_kernels_are_tested_here() {
    let names: Vec<_> = kernels().map(|(name, _)| name).collect();
    eprintln!("kernels held against the plain way: {}", names.join(", "));
    assert_eq!(
        names.contains(&"own"),
        crate::intake::decode::own().is_some()
    );
}

#[test]
fn small_documents_are_read_alike_however_they_are_cut() {
    let text = base64(&png(640, 60));
    let unpadded = text.trim_end_matches('=');
    let safe = text.replace('+', "-").replace('/', "_");
    let escaped = text.replace('/', "\\/").replace('A', "\\u0041");
    let wrapped = text
        .as_bytes()
        .chunks(19)
        .map(|line| String::from_utf8_lossy(line) + "\\r\\n")
        .collect::<String>();
    for value in [
        &text,
        unpadded,
        &safe,
        &escaped,
        &wrapped,
        &format!("{text}\\n "),
        &text[..MIN_BARE_CHARACTERS],
        &text[..MIN_BARE_CHARACTERS - 1],
        &text[..MIN_BARE_CHARACTERS + 1],
        &text[..MIN_BARE_CHARACTERS + 2],
        &format!("data:image/png;base64,{text}"),
        &format!("DATA:image\\/png;name=x;BASE64,{safe}"),
        "data:image/gif;base64,R0lGODlhAQABAAAAACw=",
        "data:;base64,",
        "data:;base64,AA==",
        "data:;base64,AA=\\u003d",
        "data:;base64,A",
        "data:;base64,AB==",
        "data:;base64,AA=",
        "data:;base64,AAAA=",
        "data:;base64,====",
        "data:;base64,AA==AA==",
        "data:;base64,AA*A",
        "data:;base64,AA\\u00e9A",
        "data:;base64,AA\\ud83d\\ude00",
        "data:;base64,AA\\ud83d",
        "data:;base64,AA\nAA",
        "data:;base64,AA\u{e9}A",
        "data:;base64,\\x",
        "data:;base64,\\u00g0",
        "data:text/plain,hello",
        "data:image/png;base64",
        "data:\u{e9};base64,AAAA",
        "data:\\u00e9;base64,AAAA",
        "dataAAAA",
        "https://example.com/a.png",
        "pinhole-blob:00000000000000000000000000000000:0",
        "",
        "\\",
    ] {
        check_everywhere(
            format!(r#"{{"image":"{value}","x":["{value}"],"b64_json":["{value}",1]}}"#).as_bytes(),
        );
    }
}

#[test]
fn keys_and_paths_are_read_alike_however_they_are_cut() {
    let value = "data:;base64,AAAA";
    for doc in [
        r#"{"im\u0061ge":"V","imag":"V","image ":"V"}"#,
        r#"{"image":{"x":"V","image":"V"},"top":"V"}"#,
        r#"{"a":{"top":"V"},"image_url":{"url":"V"},"url":"V"}"#,
        r#"{"image_url":[[{"url":["V"]}]],"image":[["V"],{"y":"V"}]}"#,
        r#"{"image":"V","image":"V"}"#,
        r#"["V",{"image":"V"}]"#,
        r#""V""#,
        r#"{"image":1,"x":"V"}"#,
        r#"{"image":"a","b":{},"c":"V","image":"V"}"#,
        r#"{"image":"V"}}"#,
        r#"{"image":"V""#,
        r#"{"image":"V"#,
        r#"{"image" "V"}"#,
        r#"{"image":"V" "V"}"#,
        r#"{image:"V"}"#,
        r#"{"x":1,"V":"image","image":"V"}"#,
        r#"]]}{"image":"V"}"#,
        " {\n\"image\" :\t\"V\" } ",
        "",
    ] {
        check_everywhere(doc.replace('V', value).as_bytes());
    }
}

#[test]
fn a_picture_of_any_length_comes_out_whole() {
    for length in [
        0,
        1,
        2,
        3,
        BLOCK_BYTES - 25,
        BLOCK_BYTES - 24,
        BLOCK_BYTES - 23,
        300_000,
    ] {
        let text = base64(&png(640, length));
        let safe = text.replace('+', "-").replace('/', "_");
        let slashes = text.replace('/', "\\/");
        let lines = text
            .as_bytes()
            .chunks(76)
            .map(|line| String::from_utf8_lossy(line) + "\\n")
            .collect::<String>();
        for value in [text, safe, slashes, lines] {
            let doc = format!(r#"{{"image":"{value}"}}"#);
            for chunk in [7, 1237, 16_384] {
                check(doc.as_bytes(), &vec![chunk; doc.len() / chunk]);
            }
        }
    }
}

#[test]
fn what_is_held_does_not_grow_with_the_document() {
    let text = base64(&png(640, 2 << 20));
    let safe = text.replace('+', "-").replace('/', "_");
    for (value, chunk) in [
        (&text, 16_384),
        (&text, usize::MAX),
        (&safe, 100_000),
        (&safe, 11),
    ] {
        let doc = format!(r#"{{"image":"{value}"}}"#);
        let mut scanner = Scanner::new(FIELDS, Limits::CLIENT);
        let mut most = 0;
        for mut piece in doc.as_bytes().chunks(chunk) {
            while let Some(step) = scanner.step(&mut piece).expect("base64") {
                let out = match step {
                    Step::Block(bytes) => bytes.len(),
                    Step::End => 0,
                };
                most = most.max(scanner.held_bytes() + out);
            }
            most = most.max(scanner.held_bytes());
        }
        assert!(most <= BLOCK_BYTES + 16 * 1024, "{most} bytes were held");
        assert!(scanner.finish().expect("whole").0.len() < 100);
    }
}

/// Each of these would be read again and again, if a kernel that gives up were tried at every step.
#[test]
fn texts_that_no_kernel_takes_are_read_in_linear_time() {
    for unit in [
        "A ",
        "AAAA ",
        "-+",
        "AAAA-",
        "AAAA+AAA_",
        "A\\n",
        "A\\u0041",
        "\\/",
        " ",
    ] {
        let value = unit.repeat((4 << 20) / unit.len());
        let doc = format!(r#"{{"image":"data:;base64,{value}"}}"#);
        check(doc.as_bytes(), &[]);
    }
}

/// A source of choices, so that documents can be written in many ways and still be shrunk.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % sides
    }
}

fn texts() -> impl Strategy<Value = String> {
    let bytes = prop::collection::vec(any::<u8>(), 0..400);
    let spoilt = (bytes, any::<u64>(), 0..10_u8, any::<bool>());
    let encoded = spoilt.prop_map(|(bytes, seed, how, is_data)| {
        let mut text = base64(&bytes);
        let mut dice = Dice(seed | 1);
        let at = usize::try_from(dice.roll(text.len() as u64 + 1)).expect("small");
        match how {
            0 => text = text.trim_end_matches('=').to_owned(),
            1 => text = text.replace('+', "-").replace('/', "_"),
            2 => text.insert(at, '\n'),
            3 => text.insert(at, ' '),
            4 => text.insert(at, '='),
            5 => text.insert(at, '*'),
            6 => text.insert(at, '\u{e9}'),
            7 => text.truncate(at),
            8 => text.insert(at, '_'),
            _ => {}
        }
        if is_data {
            format!("data:image/png;base64,{text}")
        } else {
            text
        }
    });
    prop_oneof![
        4 => encoded,
        1 => any::<String>(),
        1 => "[a-z/:=;,]{0,20}",
        1 => "(data|DATA):[a-z;=]{0,9}(;base64)?,?[A-Za-z0-9=]{0,9}",
    ]
}

fn docs() -> impl Strategy<Value = Doc> {
    let leaf = prop_oneof![
        3 => texts().prop_map(Doc::Text),
        1 => any::<i32>().prop_map(|number| Doc::Other(number.to_string())),
    ];
    let key = prop::sample::select(vec![
        "image",
        "url",
        "image_url",
        "b64_json",
        "top",
        "x",
        "imagé",
    ]);
    leaf.prop_recursive(5, 24, 6, move |inner| {
        let entry = (key.clone().prop_map(str::to_owned), inner.clone());
        prop_oneof![
            2 => prop::collection::vec(entry, 0..6).prop_map(Doc::Object),
            1 => prop::collection::vec(inner, 0..4).prop_map(Doc::List),
        ]
    })
}

/// Writes a document with white space and escapes wherever the dice say so.
fn write(doc: &Doc, dice: &mut Dice, out: &mut String) {
    let blank = |dice: &mut Dice, out: &mut String| {
        if dice.roll(8) == 0 {
            out.push_str([" ", "\n", "\t\r\n"][usize::try_from(dice.roll(3)).expect("small")]);
        }
    };
    blank(dice, out);
    match doc {
        Doc::Object(entries) => {
            out.push('{');
            for (k, (key, value)) in entries.iter().enumerate() {
                out.push_str(if k == 0 { "" } else { "," });
                blank(dice, out);
                write_text(key, dice, out);
                blank(dice, out);
                out.push(':');
                write(value, dice, out);
            }
            out.push('}');
        }
        Doc::List(list) => {
            out.push('[');
            for (k, value) in list.iter().enumerate() {
                out.push_str(if k == 0 { "" } else { "," });
                write(value, dice, out);
            }
            out.push(']');
        }
        Doc::Text(text) => write_text(text, dice, out),
        Doc::Other(other) => out.push_str(other),
        Doc::Blob(_) => unreachable!("documents are made without"),
    }
    blank(dice, out);
}

fn write_text(text: &str, dice: &mut Dice, out: &mut String) {
    let often = [3, 60, 100_000][usize::try_from(dice.roll(3)).expect("small")];
    out.push('"');
    for char in text.chars() {
        let must = char < ' ' || char == '"' || char == '\\';
        if must || dice.roll(often) == 0 {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else if char == '/' && dice.roll(4) == 0 {
            out.push_str("\\/");
        } else {
            out.push(char);
        }
    }
    out.push('"');
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_document_is_read_as_the_plain_way_reads_it(
        doc in docs(),
        seed in any::<u64>(),
        cuts in prop::collection::vec(0..60_usize, 0..40),
    ) {
        let mut text = String::new();
        write(&doc, &mut Dice(seed | 1), &mut text);
        check(text.as_bytes(), &cuts);
    }

    #[test]
    fn a_damaged_document_is_refused_by_both(
        doc in docs(),
        seed in any::<u64>(),
        (at, byte, how) in (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8),
        cuts in prop::collection::vec(0..60_usize, 0..40),
    ) {
        let mut text = String::new();
        write(&doc, &mut Dice(seed | 1), &mut text);
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        match how {
            0 => bytes.truncate(at),
            1 => bytes[at] = byte,
            _ => bytes.insert(at, byte),
        }
        check(&bytes, &cuts);
    }

    #[test]
    fn no_bytes_make_it_panic(
        bytes in "[\\[\\]{}\",:\\\\ua0-9imgetop =\n]{0,80}",
        cuts in prop::collection::vec(0..20_usize, 0..10),
    ) {
        check(bytes.as_bytes(), &cuts);
    }
}
