//! Guessing what was meant by a mistyped name: one rule for parameters, models, settings and commands.

/// Longer names get no guess: nobody mistypes them, and guessing costs time.
const GUESSED_CHARS: usize = 40;

/// The known name that is most likely meant. Case does not matter; of two that are equally near the first in the alphabet
/// is taken, so that a message does not change with the order of a list.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = typed.chars().take(GUESSED_CHARS + 1).count();
    if length > GUESSED_CHARS {
        return None;
    }
    let typed = typed.to_lowercase();
    let steps = |name: &str| strsim::osa_distance(&typed, &name.to_lowercase());
    let close_enough = 1 + length / 6;
    known
        .into_iter()
        .map(|name| (steps(name), name))
        .filter(|(steps, _)| *steps <= close_enough)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_what_was_meant() {
        let names = [
            "prompt",
            "size",
            "quality",
            "n",
            "output_format",
            "gpt-image-2",
            "listen",
        ];
        let check = |typed: &str, meant: Option<&str>| {
            assert_eq!(nearest(typed, names), meant, "{typed:?}");
        };
        check("sise", Some("size"));
        check("promtp", Some("prompt"));
        check("outputFormat", Some("output_format"));
        check("Quality", Some("quality"));
        check("gpt-imag-2", Some("gpt-image-2"));
        check("GPT-Image", Some("gpt-image-2"));
        check("listn", Some("listen"));
        check("zebra", None);
        check("", Some("n"));
        check(&"x".repeat(100_000), None);
    }
}
