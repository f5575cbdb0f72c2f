//! The words of a poster: what of the prompt is its title, and how it is set.

use super::*;

/// Sets the title and the small print.
pub(super) fn set(easel: &mut Easel, scene: &Scene, sheet: &Sheet, inks: &Inks, dice: &mut Dice) {
    let whole = lettering::plain(scene.prompt);
    let title = title_of(&whole);
    let colour = inks.type_on(sheet.paper).rgb();
    let ((left, top), (right, bottom)) = sheet.title;
    let face = dice.pick(&[Face::Condensed, Face::Black, Face::Serif, Face::Condensed]);
    let styled = in_case(&title, face);
    let wide = !styled.is_ascii() && styled.chars().any(|letter| letter > '\u{2e80}');
    let style = Style {
        face,
        size: largest(sheet),
        tracking: if face == Face::Black { -0.02 } else { 0.0 },
        leading: leading(face, wide),
        width: Some(right - left),
        align: Align::Left,
    };
    let lettering = lettering::set_to_fit(&styled, &style, bottom - top, sheet.unit * 0.03);
    lettering.fill(easel, (left, top), colour, 1.0);
    let rest = if title == whole { "" } else { &whole };
    small_print(easel, sheet, rest, colour);
}

fn largest(sheet: &Sheet) -> f32 {
    let ((left, _), (right, _)) = sheet.title;
    (sheet.unit * 0.24).min((right - left) * 0.36)
}

fn leading(face: Face, wide: bool) -> f32 {
    match face {
        _ if wide => 1.16,
        Face::Condensed => 1.12,
        Face::Serif => 1.0,
        _ => 0.98,
    }
}

/// Bold faces shout in capitals; the one with serifs speaks.
fn in_case(title: &str, face: Face) -> String {
    match face {
        Face::Serif => {
            let mut letters = title.chars();
            let first: String = letters
                .next()
                .map(char::to_uppercase)
                .into_iter()
                .flatten()
                .collect();
            first + letters.as_str()
        }
        _ => title.to_uppercase(),
    }
}

/// A line at the top says what made it, one at the bottom what was asked for in full.
fn small_print(easel: &mut Easel, sheet: &Sheet, prompt: &str, colour: Rgb) {
    let size = sheet.unit * 0.0175;
    if size < 5.0 {
        return;
    }
    let style = Style {
        size,
        tracking: 0.03,
        ..Style::default()
    };
    let ((left, top), (right, _)) = sheet.title;
    let foot = sheet.height - sheet.margin - size * 0.6;
    // Under a title that stands on paper, or over one that stands in the sky: never on the art.
    let on_top = sheet.is_full();
    let y = if on_top { top - size * 2.6 } else { foot };
    let maker = lettering::set("Pinhole sketch · procedural art", &style);
    let room = right - left;
    if prompt.is_empty() || maker.width > room * 0.6 {
        maker.fill(easel, (left, y), colour, 0.9);
        return;
    }
    let line = lettering::set_line(prompt, &style, room - maker.width - size * 2.0);
    line.fill(easel, (left, y), colour, 0.9);
    maker.fill(easel, (right - maker.width, y), colour, 0.9);
}

/// What stands large: words in quotes, else the prompt without what only says that it is to be a poster.
pub(super) fn title_of(prompt: &str) -> String {
    if let Some(quoted) = quoted(prompt) {
        return quoted.to_owned();
    }
    let subject = without_wrapping(prompt);
    let title = first_clause(subject);
    match title.trim() {
        "" => prompt.to_owned(),
        title => title.to_owned(),
    }
}

fn quoted(prompt: &str) -> Option<&str> {
    const MARKS: [(char, char); 6] = [
        ('"', '"'),
        ('“', '”'),
        ('「', '」'),
        ('《', '》'),
        ('『', '』'),
        ('„', '“'),
    ];
    MARKS.iter().find_map(|(open, close)| {
        let start = prompt.find(*open)? + open.len_utf8();
        let length = prompt[start..].find(*close)?;
        let words = prompt[start..start + length].trim();
        (!words.is_empty()).then_some(words)
    })
}

/// "a poster of X", "X poster", "海报：X" and "X海报" all become X.
fn without_wrapping(prompt: &str) -> &str {
    const NAMES: [&str; 7] = [
        "poster",
        "flyer",
        "placard",
        "宣传海报",
        "海报",
        "招贴",
        "封面",
    ];
    let Some((at, name)) = NAMES.iter().find_map(|name| {
        let at = prompt.to_ascii_lowercase().find(name)?;
        Some((at, *name))
    }) else {
        return prompt;
    };
    let after = prompt[at + name.len()..].trim_start_matches([':', '：', ',', '，', ' ', '-']);
    let linked = ["of ", "for ", "about ", "with ", "showing "];
    if let Some(subject) = linked.iter().find_map(|link| after.strip_prefix(link)) {
        return without_article(subject);
    }
    let before = without_article(prompt[..at].trim());
    match before.is_empty() {
        true => after,
        false => before,
    }
}

fn without_article(text: &str) -> &str {
    let text = text.trim_matches([' ', ',', '，', '的', ':', '：']);
    ["a ", "an ", "the ", "A ", "An ", "The ", "一张", "一幅"]
        .iter()
        .find_map(|article| text.strip_prefix(article))
        .unwrap_or(text)
        .trim()
}

/// A long text is cut at its first comma or stop, or after a handful of words.
fn first_clause(text: &str) -> String {
    const LONG: usize = 34;
    if text.chars().count() <= LONG {
        return text.to_owned();
    }
    let clause = text
        .split([',', '.', ';', '，', '。', '；', '、', ':', '：'])
        .next();
    let clause = clause
        .filter(|clause| !clause.trim().is_empty())
        .unwrap_or(text);
    if clause.chars().count() <= LONG * 2 {
        return clause.to_owned();
    }
    let mut title = String::new();
    for word in clause.split_whitespace().take(8) {
        title = format!("{title} {word}");
    }
    title.chars().take(LONG * 2).collect()
}

#[cfg(test)]
mod tests {
    use super::title_of;

    #[test]
    fn the_title_is_what_the_poster_is_about() {
        let check = |prompt: &str, title: &str| assert_eq!(title_of(prompt), title, "{prompt}");
        check("a poster of a lighthouse at dusk", "lighthouse at dusk");
        check(
            "Minimalist jazz festival poster",
            "Minimalist jazz festival",
        );
        check("a poster that says \"OPEN LATE\" in red", "OPEN LATE");
        check("海报：夏日音乐节", "夏日音乐节");
        check("夏日音乐节海报", "夏日音乐节");
        check("一张写着“你好”的海报", "你好");
        check("poster", "poster");
        check("", "");
        check(
            "poster for a very long evening of songs, with stars and lamps and more",
            "very long evening of songs",
        );
    }
}
