//! What a person sees while a call runs: a line that moves, the unfinished picture, and then the finished ones.
//!
//! All of it goes to stderr and only to a terminal; for a program a call is silent until it ends. The unfinished picture
//! and the line below it are drawn anew in place: the cursor rests at the start of that line.

use crate::cli::out;
use crate::cli::terminal::{Show, Terminal};
use std::io::Write;
use std::time::{Duration, Instant};

/// How often the line moves.
const EVERY: Duration = Duration::from_millis(100);

/// How many previews of a picture are asked for where they are shown.
const PREVIEWS: u32 = 2;

/// The frames of the wheel.
const WHEEL: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// What is shown of one call.
pub(in crate::cli) struct Screen {
    terminal: Option<Terminal>,
    started: Instant,
    label: String,
    /// Stages that were seen, of those that are to come.
    seen: u32,
    stages: u32,
    frame: usize,
    /// The lines that the unfinished picture covers.
    area: u16,
    /// The first of the numbers by which kitty knows our pictures.
    first_number: u32,
    is_silent: bool,
    /// Whether anything stands there that moves.
    is_drawn: bool,
}

impl Screen {
    /// For a call that makes so many pictures.
    pub(in crate::cli) fn new(show: Show, label: &str) -> Self {
        Self {
            terminal: Terminal::of_stderr(show),
            started: Instant::now(),
            label: label.to_owned(),
            seen: 0,
            stages: 0,
            frame: 0,
            area: 0,
            // Two commands one after the other must not replace each other's pictures.
            first_number: std::process::id() % 1_000_000 * 16 + 1,
            is_silent: false,
            is_drawn: false,
        }
    }

    /// For a call among others: it says nothing.
    pub(in crate::cli) fn silent() -> Self {
        let mut silent = Self::new(Show::Off, "");
        silent.terminal = None;
        silent.is_silent = true;
        silent
    }

    /// How many previews of each picture are worth asking for.
    pub(super) fn previews(&self) -> u32 {
        match &self.terminal {
            Some(terminal) if terminal.shows_pictures() => PREVIEWS,
            _ => 0,
        }
    }

    /// What is to come: so many pictures, with so many previews each.
    pub(super) fn expect(&mut self, pictures: u32, previews: u32) {
        self.stages = pictures.saturating_mul(previews.saturating_add(1));
    }

    /// A line above what moves.
    pub(in crate::cli) fn say(&mut self, text: &str) {
        if !self.is_silent {
            self.clear();
            out::note(text);
        }
    }

    /// Waits for something while the line moves.
    pub(in crate::cli) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep(EVERY), if self.terminal.is_some() => self.tick(),
            }
        }
    }

    /// An unfinished picture came.
    pub(super) fn preview(&mut self, number: u32, file: &[u8]) {
        self.seen += 1;
        self.label = format!("preview {}", number + 1);
        let shown = self
            .terminal
            .as_ref()
            .and_then(|terminal| terminal.show(file, 1, self.first_number));
        if let Some(shown) = shown {
            let mut bytes = self.back();
            bytes.extend(&shown.bytes);
            self.area = shown.rows;
            write(&bytes);
            self.draw_line();
        }
    }

    /// One picture is finished.
    pub(super) fn picture_done(&mut self) {
        self.seen += 1;
    }

    /// Everything that moved goes away; what comes next stays.
    pub(in crate::cli) fn clear(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            write(&self.back());
            self.area = 0;
        }
    }

    /// Shows finished pictures, each with a line below it.
    pub(in crate::cli) fn show(&mut self, file: &[u8], index: usize, of: usize) {
        let Some(terminal) = &self.terminal else {
            return;
        };
        let share = u16::try_from(of.min(3)).unwrap_or(1);
        let number = self.first_number + u32::try_from(index).unwrap_or(0) % 16;
        if let Some(shown) = terminal.show(file, share, number) {
            write(&shown.bytes);
        }
    }

    /// Whether finished pictures are to be read for [`Screen::show`].
    pub(in crate::cli) fn shows_pictures(&self) -> bool {
        self.terminal.as_ref().is_some_and(Terminal::shows_pictures)
    }

    fn tick(&mut self) {
        self.frame += 1;
        self.draw_line();
    }

    fn draw_line(&mut self) {
        let Some(terminal) = &self.terminal else {
            return;
        };
        let wheel = WHEEL[self.frame % WHEEL.len()];
        let seconds = self.started.elapsed().as_secs_f64();
        let words = format!("  {wheel} {:<10}", self.label);
        let time = format!("{seconds:>5.1} s");
        let room =
            usize::from(terminal.columns).saturating_sub(words.chars().count() + time.len() + 3);
        let bar = bar(self.seen, self.stages, room.min(24));
        let line: String = format!("{words} {bar} {time}")
            .chars()
            .take(usize::from(terminal.columns).saturating_sub(1))
            .collect();
        write(format!("\r{line}\x1b[K").as_bytes());
        self.is_drawn = true;
    }

    /// The cursor goes to where the picture begins, and everything from there on goes away.
    fn back(&self) -> Vec<u8> {
        match self.area {
            0 => b"\r\x1b[J".to_vec(),
            rows => format!("\r\x1b[{rows}A\x1b[J").into_bytes(),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.clear();
    }
}

/// `━━━━━━━╸───`; nothing where there is no room for one.
fn bar(seen: u32, stages: u32, width: usize) -> String {
    if width < 6 || stages == 0 {
        return String::new();
    }
    let share = f64::from(seen.min(stages)) / f64::from(stages);
    // Between 0 and the width, which is a few characters.
    let full = (share * width as f64) as usize;
    let rest = width - full;
    let head = if rest > 0 { "╸" } else { "" };
    format!(
        "{}{head}{}",
        "━".repeat(full),
        "─".repeat(rest.saturating_sub(1))
    )
}

/// There is nobody left to tell if that fails.
fn write(bytes: &[u8]) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(bytes).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_by_stages() {
        assert_eq!(bar(0, 3, 6), "╸─────");
        assert_eq!(bar(1, 3, 6), "━━╸───");
        assert_eq!(bar(3, 3, 6), "━━━━━━");
        assert_eq!(bar(9, 3, 6), "━━━━━━");
        assert_eq!(bar(1, 3, 5), "");
        assert_eq!(bar(0, 0, 24), "");
    }
}
