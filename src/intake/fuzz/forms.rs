//! Forms: the same however they are cut, and nothing of them is left on the disk.

use super::pieces;
use crate::fuzz::Folder;
use crate::intake::multipart::{self, MAX_TEXT_BYTES, Value, read};
use crate::types::Picture;
use bytes::Bytes;
use futures::stream;

/// A field: its name, and its text or the hash and size of its file.
type Told = (String, Result<String, (String, u64)>);

/// The first byte says how the rest is cut; its first line is the `Content-Type`.
pub(crate) fn form(bytes: &[u8]) {
    let Some((how, rest)) = bytes.split_first() else {
        return;
    };
    let line = rest.iter().position(|&byte| byte == b'\n');
    let (head, body) = rest.split_at(line.map_or(0, |end| end + 1));
    let boundary = multipart::boundary(String::from_utf8_lossy(head).trim());
    let boundary = boundary.unwrap_or_else(|| "b".to_owned());
    assert!((1..=70).contains(&boundary.len()));
    let whole = read_pieces(&[body], &boundary);
    let cut = read_pieces(&pieces(*how, body), &boundary);
    assert_eq!(cut, whole, "cut by {how}");
}

fn read_pieces(pieces: &[&[u8]], boundary: &str) -> Result<Vec<Told>, String> {
    let chunks: Vec<_> = pieces
        .iter()
        .map(|piece| Ok::<_, String>(Bytes::copy_from_slice(piece)))
        .collect();
    Folder::with(async |blobs| {
        let form = read(stream::iter(chunks), boundary, &blobs)
            .await
            .map_err(|error| error.to_string())?;
        let fields = form.fields.clone();
        let intake = form.into_intake();
        let object: serde_json::Value =
            serde_json::from_slice(&intake.skeleton).expect("the skeleton of a form is JSON");
        assert!(object.is_object());
        let told = |picture: &Picture| (picture.hash.clone(), picture.bytes);
        let fields = fields.into_iter().map(|field| match field.value {
            Value::Text(text) => {
                assert!(text.len() <= MAX_TEXT_BYTES);
                (field.name, Ok(text))
            }
            Value::File(handle) => {
                let file = intake.blob(&handle).expect("every file was staged");
                (field.name, Err(told(file.picture())))
            }
        });
        Ok(fields.collect())
    })
}
