//! What the terminal behind stderr can do: how wide it is, and how it shows pictures.
//!
//! Everything here is for people. A program that reads our output gets none of it: without a terminal there is no
//! [`Terminal`]. This module knows bytes and cells; it knows no task and no model.

mod blocks;
mod detect;
mod iterm;
mod kitty;
mod picture;
mod query;

use crate::cli::place::variable;
use clap::ValueEnum;
use detect::{Facts, Verdict};
use picture::{Bounds, Fitted};
use rustix::stdio;
use rustix::termios::{isatty, tcgetwinsize};

/// `--show`: how pictures are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Show {
    /// As the terminal can; not at all where it is none, or where NO_COLOR is set
    #[default]
    Auto,
    /// By kitty's graphics protocol
    Kitty,
    /// By iTerm2's inline images
    Iterm,
    /// As coloured half blocks, which every terminal with colours can show
    Blocks,
    /// Not at all
    Off,
}

/// How a picture becomes bytes for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Kitty,
    Iterm,
    Blocks(Depth),
}

/// How many colours there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// Sixteen million.
    True,
    /// The 256 of xterm.
    Palette,
}

/// The terminal behind stderr.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Terminal {
    /// Its width in characters.
    pub(in crate::cli) columns: u16,
    rows: u16,
    /// A character in pixels.
    cell: (u16, u16),
    protocol: Option<Protocol>,
    in_tmux: bool,
}

/// A picture as bytes for this terminal, and how many lines it covers.
pub(in crate::cli) struct Shown {
    pub(in crate::cli) bytes: Vec<u8>,
    pub(in crate::cli) rows: u16,
}

/// A character that does not tell its size is taken for twice as high as wide.
const USUAL_CELL: (u16, u16) = (10, 20);

/// A picture stands as far to the right as the words around it.
const INDENT: u16 = 2;

impl Terminal {
    /// The terminal behind stderr, unless it is none, or one that is to be left plain.
    pub(in crate::cli) fn of_stderr(show: Show) -> Option<Self> {
        if !isatty(stdio::stderr()) {
            return None;
        }
        let facts = Facts::of(variable);
        let protocol = match detect::judge(show, &facts) {
            Verdict::Off => None,
            Verdict::Known(protocol) => Some(protocol),
            Verdict::Ask { otherwise } if query::has_kitty_graphics() => {
                Some(Protocol::Kitty).or(otherwise)
            }
            Verdict::Ask { otherwise } => otherwise,
        };
        if protocol.is_none() && facts.is_plain() {
            return None;
        }
        let size = tcgetwinsize(stdio::stderr()).ok();
        let (columns, rows) = size.map_or((0, 0), |size| (size.ws_col, size.ws_row));
        let cell = size.map(|size| {
            (
                size.ws_xpixel / size.ws_col.max(1),
                size.ws_ypixel / size.ws_row.max(1),
            )
        });
        Some(Self {
            columns: if columns == 0 { 80 } else { columns },
            rows: if rows == 0 { 24 } else { rows },
            cell: cell
                .filter(|(width, height)| *width > 0 && *height > 0)
                .unwrap_or(USUAL_CELL),
            protocol,
            in_tmux: facts.in_tmux,
        })
    }

    /// Whether it shows pictures.
    pub(in crate::cli) fn shows_pictures(&self) -> bool {
        self.protocol.is_some()
    }

    /// A picture file as bytes for this terminal, on at most this share of its height; `None` if it shows none or the file
    /// is no picture. `number` tells kitty which picture a later one replaces.
    pub(in crate::cli) fn show(&self, file: &[u8], share: u16, number: u32) -> Option<Shown> {
        let protocol = self.protocol?;
        let bounds = Bounds {
            columns: self.columns.saturating_sub(2 * INDENT).min(72),
            rows: (self.rows.saturating_sub(5).min(32) / share.max(1)).max(4),
            cell: self.cell,
        };
        let fitted = picture::read(file, bounds)?;
        let rows = fitted.rows;
        let bytes = match protocol {
            Protocol::Blocks(depth) => blocks::encode(&fitted, depth, INDENT),
            Protocol::Kitty => self.placed(&fitted, &kitty::encode(&fitted, number, self.in_tmux)?),
            Protocol::Iterm => self.placed(&fitted, &iterm::encode(&fitted, self.in_tmux)?),
        };
        Some(Shown { bytes, rows })
    }

    /// Room is made first, so that the screen scrolls before the picture is there and not under it; afterwards the cursor
    /// stands below, whatever the terminal itself does with it.
    fn placed(&self, fitted: &Fitted, picture: &[u8]) -> Vec<u8> {
        let rows = fitted.rows;
        let mut bytes = vec![b'\n'; usize::from(rows)];
        bytes.extend(format!("\x1b[{rows}A\x1b[{INDENT}C\x1b7").bytes());
        bytes.extend(picture);
        bytes.extend(format!("\x1b8\r\x1b[{rows}B").bytes());
        bytes
    }
}

/// A sequence as tmux hands it on to the terminal around it (if its `allow-passthrough` is on).
fn through_tmux(sequence: &[u8]) -> Vec<u8> {
    let mut wrapped = b"\x1bPtmux;".to_vec();
    for &byte in sequence {
        if byte == 0x1b {
            wrapped.push(0x1b);
        }
        wrapped.push(byte);
    }
    wrapped.extend(b"\x1b\\");
    wrapped
}
