//! Tables. A row is one line, always: in a terminal that is too narrow for all columns, those that matter least are left
//! out and named below, and long words end in `…`. What no terminal reads has all of it.

use super::failure::Outcome;
use super::out::{columns, fold, hanging, note, plain, print};
use rustix::stdio;
use std::fmt::Write as _;

/// Between two columns.
const GAP: usize = 2;

/// Words are not cut to less than this.
const LEAST: usize = 12;

/// A column: what stands above it, and what becomes of it where room is short.
#[derive(Clone, Copy)]
pub(super) struct Column<'a> {
    title: &'a str,
    is_number: bool,
    /// 0 stays always; of the others the highest goes first.
    rank: u8,
    may_be_cut: bool,
}

impl<'a> Column<'a> {
    /// Aligned to the left, and whole: it may be there to be copied.
    pub(super) const fn text(title: &'a str) -> Self {
        Self {
            title,
            is_number: false,
            rank: 0,
            may_be_cut: false,
        }
    }

    /// Words, which may end in `…`.
    pub(super) const fn words(title: &'a str) -> Self {
        Self {
            may_be_cut: true,
            ..Self::text(title)
        }
    }

    /// Aligned to the right.
    pub(super) const fn number(title: &'a str) -> Self {
        Self {
            is_number: true,
            ..Self::text(title)
        }
    }

    /// May be left out; the higher, the sooner.
    pub(super) const fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }
}

/// Prints a table.
pub(super) fn table(columns_: &[Column], rows: &[Vec<String>]) -> Outcome {
    let laid = Table::new(columns_, rows).within(columns(stdio::stdout()));
    print(&laid.text)?;
    if !laid.left_out.is_empty() {
        let words = not_shown(&laid.left_out);
        note(&hanging(&words, GAP, stdio::stderr()));
    }
    Ok(())
}

/// Prints a table whose every word counts: where it does not fit, each row is a few lines, a name and a value each.
pub(super) fn table_or_list(columns_: &[Column], rows: &[Vec<String>]) -> Outcome {
    let table = Table::new(columns_, rows);
    match columns(stdio::stdout()) {
        Some(room) if table.wide() > room => print(&table.list(room)),
        _ => print(&table.within(None).text),
    }
}

fn not_shown(left_out: &[&str]) -> String {
    format!(
        "  Not shown: {}. A wider terminal has room, --json has all.",
        left_out.join(", ")
    )
}

struct Table<'a> {
    columns: &'a [Column<'a>],
    rows: Vec<Vec<String>>,
    /// What each column needs.
    widths: Vec<usize>,
}

struct Laid<'a> {
    text: String,
    left_out: Vec<&'a str>,
}

fn width(text: &str) -> usize {
    text.chars().count()
}

impl<'a> Table<'a> {
    fn new(columns: &'a [Column<'a>], rows: &[Vec<String>]) -> Self {
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| plain(cell)).collect())
            .collect();
        let widest = |at: usize| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            cells.map(|cell| width(cell)).max().unwrap_or(0)
        };
        let titles = columns.iter().enumerate();
        let widths = titles
            .map(|(at, column)| widest(at).max(width(column.title)))
            .collect();
        Self {
            columns,
            rows,
            widths,
        }
    }

    /// What all of it needs.
    fn wide(&self) -> usize {
        self.widths.iter().sum::<usize>() + GAP * self.columns.len().saturating_sub(1)
    }

    fn within(&self, room: Option<usize>) -> Laid<'a> {
        let chosen = match room {
            Some(room) if self.wide() > room => self.choose(room),
            _ => self.widths.iter().copied().enumerate().collect(),
        };
        let head = self.columns.iter().map(|it| it.title.to_owned()).collect();
        let lines: Vec<String> = std::iter::once(&head)
            .chain(&self.rows)
            .map(|row| self.line(row, &chosen))
            .collect();
        let is_left_out =
            |at: &usize| !self.is_empty(*at) && chosen.iter().all(|(kept, _)| kept != at);
        let left_out = (0..self.columns.len()).filter(is_left_out);
        Laid {
            text: lines.join("\n"),
            left_out: left_out.map(|at| self.columns[at].title).collect(),
        }
    }

    /// The columns that fit, with their widths: first those that stay always, then the others by rank.
    fn choose(&self, room: usize) -> Vec<(usize, usize)> {
        let mut order: Vec<usize> = (0..self.columns.len())
            .filter(|at| !self.is_empty(*at))
            .collect();
        order.sort_by_key(|at| self.columns[*at].rank);
        let mut left = room + GAP;
        let mut chosen = Vec::new();
        for (place, &at) in order.iter().enumerate() {
            let (column, wants) = (&self.columns[at], self.widths[at]);
            // What must stay and comes later has its room.
            let later = order[place + 1..].iter();
            let kept: usize = later
                .filter(|later| self.columns[**later].rank == 0)
                .map(|later| self.least(*later) + GAP)
                .sum();
            let most = left.saturating_sub(kept + GAP);
            let gets = if wants <= most {
                wants
            } else if column.rank == 0 || self.least(at) <= most {
                most.clamp(self.least(at), wants)
            } else {
                continue;
            };
            chosen.push((at, gets));
            left = left.saturating_sub(gets + GAP);
        }
        chosen.sort_unstable();
        chosen
    }

    /// The least that a column can do with.
    fn least(&self, at: usize) -> usize {
        let wants = self.widths[at];
        let column = &self.columns[at];
        if column.may_be_cut {
            wants.min(LEAST.max(width(column.title)))
        } else {
            wants
        }
    }

    fn is_empty(&self, at: usize) -> bool {
        self.rows
            .iter()
            .all(|row| row.get(at).is_none_or(String::is_empty))
    }

    fn line(&self, row: &[String], chosen: &[(usize, usize)]) -> String {
        let mut line = String::new();
        for &(at, width) in chosen {
            let cell = cut(row.get(at).map_or("", String::as_str), width);
            // Writing to a string does not fail.
            let _ = if self.columns[at].is_number {
                write!(line, "{cell:>width$}  ")
            } else {
                write!(line, "{cell:<width$}  ")
            };
        }
        line.trim_end().to_owned()
    }

    /// The first cell of each row, and below it the others with their names.
    fn list(&self, room: usize) -> String {
        let names: Vec<String> = (self.columns.iter().skip(1))
            .map(|column| column.title.to_lowercase())
            .collect();
        let indent = names.iter().map(|name| width(name)).max().unwrap_or(0) + 2 * GAP;
        let below = format!("\n{}", " ".repeat(indent));
        let mut lines = Vec::new();
        for row in &self.rows {
            lines.extend(row.first().cloned());
            let cells = names.iter().zip(row.iter().skip(1));
            for (name, cell) in cells.filter(|(_, cell)| !cell.is_empty()) {
                let words = fold(cell, room.saturating_sub(indent).max(LEAST)).join(&below);
                let name = format!("{:GAP$}{name}", "");
                lines.push(format!("{name:<indent$}{words}"));
            }
        }
        lines.join("\n")
    }
}

/// A text of at most this width.
fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column::text("ID"),
        Column::words("NAME"),
        Column::text("WHEN").rank(3),
        Column::words("LIMITS").rank(2),
        Column::number("COST").rank(1),
    ];

    fn laid(room: usize, name: &str) -> (String, Vec<&'static str>) {
        let row = [
            "id_0123456789",
            name,
            "2026-11-26",
            "five a day, all night",
            "$1",
        ];
        let rows = [row.map(str::to_owned).to_vec()];
        let laid = Table::new(COLUMNS, &rows).within(Some(room));
        for line in laid.text.lines() {
            assert!(width(line) <= room, "{room}: {line}");
        }
        assert_eq!(laid.text.lines().count(), 2);
        (laid.text, laid.left_out)
    }

    #[test]
    fn what_matters_least_goes_first_and_no_row_is_two_lines() {
        let check = |room, head: &str, left_out: &[&str]| {
            let (text, left) = laid(room, "fox");
            let titles: Vec<&str> = text
                .lines()
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .collect();
            assert_eq!(titles.join(" "), head, "{room}");
            assert_eq!(left, left_out, "{room}");
        };
        check(80, "ID NAME WHEN LIMITS COST", &[]);
        check(50, "ID NAME LIMITS COST", &["WHEN"]);
        // Words are cut before they go.
        check(42, "ID NAME LIMITS COST", &["WHEN"]);
        assert!(laid(42, "fox").0.contains("five a day, al…"));
        // What is small may have room where something larger has none.
        check(37, "ID NAME WHEN COST", &["LIMITS"]);
        check(26, "ID NAME COST", &["WHEN", "LIMITS"]);
        check(20, "ID NAME", &["WHEN", "LIMITS", "COST"]);
    }

    #[test]
    fn a_long_name_leaves_room_for_what_must_stay() {
        let (text, _) = laid(30, "a name that goes on and on");
        assert!(text.contains("id_0123456789  a name that go…"), "{text}");
    }

    #[test]
    fn a_column_without_a_word_takes_no_room_and_is_not_missed() {
        let rows = [["id_1", "fox", "", "", "$1"].map(str::to_owned).to_vec()];
        let laid = Table::new(COLUMNS, &rows).within(Some(20));
        assert_eq!(laid.text, "ID    NAME  COST\nid_1  fox     $1");
        assert!(laid.left_out.is_empty());
    }

    #[test]
    fn what_reads_every_word_becomes_a_list() {
        let columns = [
            Column::text("NAME"),
            Column::words("TAKES"),
            Column::words("WHAT IT DOES"),
        ];
        let rows = [["size", "a | b", "how large the picture is, in pixels"]
            .map(str::to_owned)
            .to_vec()];
        let list = Table::new(&columns, &rows).list(41);
        let right = "size\n  takes         a | b\n  what it does  how large the picture is,\n                in pixels";
        assert_eq!(list, right);
    }
}
