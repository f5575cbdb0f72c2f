//! What stands in a skeleton in place of a picture.

/// Marks the pictures of one body. It holds 128 random bits that are drawn when the body begins, so that no client
/// can write a handle: any other text that begins like one is just text.
#[derive(Clone, PartialEq, Eq)]
pub struct Mark(String);

impl Mark {
    /// A new one, for one body.
    pub fn random() -> Self {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).expect("the system has randomness");
        Self(format!("pinhole-blob:{:032x}:", u128::from_be_bytes(nonce)))
    }

    /// The handle of the picture with this number.
    pub fn handle(&self, number: usize) -> String {
        format!("{}{number}", self.0)
    }

    /// The number of the picture, if this is one of this body's handles.
    pub fn number(&self, handle: &str) -> Option<usize> {
        let number = handle.strip_prefix(&self.0)?.parse().ok()?;
        (self.handle(number) == handle).then_some(number)
    }
}

impl std::fmt::Debug for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mark")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_handles_have_a_number() {
        let (mark, other) = (Mark::random(), Mark::random());
        let handle = mark.handle(7);
        assert_eq!(mark.number(&handle), Some(7));
        assert_eq!(other.number(&handle), None);
        for wrong in [
            "",
            "pinhole-blob:",
            "pinhole-blob:0:7",
            &handle.replace(":7", ":07"),
            &handle.replace(":7", ":+7"),
            &handle.replace(":7", ":"),
            &format!("{handle} "),
            &handle.to_uppercase(),
        ] {
            assert_eq!(mark.number(wrong), None, "{wrong}");
        }
    }
}
