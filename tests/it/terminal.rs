//! What the command line shows to a terminal, through a pseudo-terminal: escape sequences by protocol, and none of them
//! where nobody looks.

use crate::cli::{Place, Ran, Server};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// What a command wrote to its terminal, and how it ended.
struct Shown {
    code: Option<i32>,
    text: String,
}

/// A terminal of so many columns: its variables, and what it answers when it is asked something.
struct Terminal<'a> {
    variables: &'a [(&'a str, &'a str)],
    columns: u16,
    answer: &'a [u8],
}

const PLAIN: Terminal = Terminal {
    variables: &[("TERM", "xterm-256color")],
    columns: 80,
    answer: b"\x1b[?62;c",
};

/// The question whether kitty's protocol is known ends with the one that every terminal answers.
const QUESTION: &str = "\x1b[c";

impl Terminal<'_> {
    /// Runs a command with this terminal as its stdin, stdout and stderr.
    fn run(&self, place: &Place, arguments: &[&str]) -> Shown {
        let controller =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&controller).expect("granted");
        unlockpt(&controller).expect("unlocked");
        let name = ptsname(&controller, Vec::new()).expect("a name");
        let size = Winsize {
            ws_col: self.columns,
            ws_row: 24,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&controller, size).expect("a size");
        let end = || {
            let path = name.to_str().expect("text");
            Stdio::from(
                File::options()
                    .read(true)
                    .write(true)
                    .open(path)
                    .expect("the other end"),
            )
        };
        // It needs the terminal for its own, as a shell would give it.
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_pinhole")])
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", place.root.path())
            .env("PINHOLE_DATA", place.data())
            .env("PINHOLE_MIN_FREE_MIB", "0")
            .envs(self.variables.iter().copied())
            .current_dir(place.work())
            .stdin(end())
            .stdout(end())
            .stderr(end());
        let mut child = command.spawn().expect("util-linux is there");
        // Ours are closed, so that its end is the end of the terminal.
        drop(command);
        let text = self.converse(File::from(controller));
        let code = child.wait().expect("it ends").code();
        Shown { code, text }
    }

    /// Reads to the end, and answers the question when it comes.
    fn converse(&self, mut controller: File) -> String {
        let (mut read, mut block, mut answered) = (Vec::new(), [0; 65_536], false);
        // Linux ends a terminal that nobody holds any more with an error.
        while let Ok(count) = controller.read(&mut block) {
            if count == 0 {
                break;
            }
            read.extend_from_slice(&block[..count]);
            let is_asked = read
                .windows(QUESTION.len())
                .any(|part| part == QUESTION.as_bytes());
            if is_asked && !answered {
                controller.write_all(self.answer).expect("it listens");
                answered = true;
            }
        }
        String::from_utf8(read).expect("words and sequences are UTF-8")
    }
}

impl Shown {
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.text);
        self
    }

    fn has(&self, part: &str) -> bool {
        self.text.contains(part)
    }

    /// The text that is left on the screen, without what was drawn over and without sequences.
    fn words(&self) -> String {
        let (mut words, mut rest) = (String::new(), self.text.as_str());
        while let Some(at) = rest.find('\x1b') {
            words += &rest[..at];
            rest = after_sequence(&rest[at..]);
        }
        words + rest
    }
}

/// Behind one escape sequence: CSI up to its letter, a string up to its terminator, else two characters.
fn after_sequence(text: &str) -> &str {
    let end = match text.as_bytes().get(1) {
        Some(b'[') => text[2..]
            .find(|letter: char| ('@'..='~').contains(&letter))
            .map(|at| at + 3),
        Some(b'_' | b'P') => text.find("\x1b\\").map(|at| at + 2),
        Some(b']') => text.find('\x07').map(|at| at + 1),
        _ => Some(2),
    };
    end.and_then(|end| text.get(end..)).unwrap_or_default()
}

const FOX: [&str; 6] = ["gen", "a fox", "-m", "sketch", "--size", "256x256"];

#[test]
fn half_blocks_are_text_in_colours_and_previews_come_first() {
    let place = Place::new();
    let shown = PLAIN.run(&place, &FOX).exits(0);
    assert!(shown.has(QUESTION), "it is asked whether it can do better");
    let previews = shown.text.matches("preview ").count();
    assert!(previews >= 1, "{}", shown.words());
    assert!(shown.has("\x1b[38;5;") && shown.has("▀"));
    assert!(!shown.has("38;2;") && !shown.has("\x1b]1337") && !shown.has("a=T"));
    // What is unfinished goes away before what is finished comes.
    let (saved, cleared) = (shown.text.rfind("Saved"), shown.text.rfind("\x1b[J"));
    assert!(cleared < saved, "the moving line is cleared");
    assert!(
        shown.words().contains("Saved  ./pinhole-0001.png"),
        "{}",
        shown.words()
    );
    assert!(shown.words().contains("Next:  pinhole snippet sketch"));

    let colours = Terminal {
        variables: &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")],
        ..PLAIN
    };
    let shown = colours.run(&place, &FOX).exits(0);
    assert!(shown.has("\x1b[38;2;") && !shown.has("38;5;"));
}

#[test]
fn who_speaks_kitty_is_known_by_its_name_or_by_its_answer() {
    let place = Place::new();
    let answers = Terminal {
        answer: b"\x1b_Gi=31;OK\x1b\\\x1b[?62;c",
        ..PLAIN
    };
    let named = Terminal {
        variables: &[("TERM", "xterm-kitty")],
        ..PLAIN
    };
    for (terminal, is_asked) in [(answers, true), (named, false)] {
        let shown = terminal.run(&place, &FOX).exits(0);
        assert_eq!(shown.has(QUESTION), is_asked);
        assert!(shown.has("\x1b_Ga=T,f=100,i="), "{}", shown.words());
        assert!(shown.has(",C=1,q=2,m=") && !shown.has("▀"));
        let last = shown.text.rfind("\x1b_Ga=T").expect("a picture");
        let data = &shown.text[last..];
        let data: String = data
            .split("\x1b_G")
            .skip(1)
            .filter_map(|piece| Some(piece.split_once(';')?.1.split('\x1b').next()?.to_owned()))
            .collect();
        let png = base64_simd::STANDARD.decode_to_vec(data).expect("base64");
        let picture = image::load_from_memory(&png).expect("a whole PNG");
        assert_eq!((picture.width(), picture.height()), (256, 256));
    }
}

#[test]
fn iterm_gets_a_file_inline_and_tmux_half_blocks() {
    let place = Place::new();
    let iterm = Terminal {
        variables: &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")],
        ..PLAIN
    };
    let shown = iterm.run(&place, &FOX).exits(0);
    assert!(shown.has("\x1b]1337;File=inline=1;size=") && !shown.has("▀"));
    let tmux = Terminal {
        variables: &[
            ("TERM", "tmux-256color"),
            ("TMUX", "/tmp/none,1,0"),
            ("KITTY_WINDOW_ID", "1"),
        ],
        ..PLAIN
    };
    let shown = tmux.run(&place, &FOX).exits(0);
    assert!(shown.has("▀") && !shown.has("\x1b_G") && !shown.has(QUESTION));
    let shown = tmux
        .run(&place, &[&FOX[..], &["--show", "kitty"]].concat())
        .exits(0);
    assert!(shown.has("\x1bPtmux;\x1b\x1b_Ga=T"), "{}", shown.words());
}

#[test]
fn who_wants_words_gets_words() {
    let place = Place::new();
    let kitty = ("TERM", "xterm-kitty");
    let plain: [&[(&str, &str)]; 3] = [
        &[kitty, ("NO_COLOR", "1")],
        &[("TERM", "dumb")],
        &[("LANG", "C")],
    ];
    for variables in plain {
        let terminal = Terminal { variables, ..PLAIN };
        let shown = terminal.run(&place, &FOX).exits(0);
        assert!(!shown.has("\x1b"), "{variables:?}: {:?}", shown.text);
        assert!(shown.has("Saved"));
    }
    let off = Terminal {
        variables: &[kitty],
        ..PLAIN
    };
    let shown = off
        .run(&place, &[&FOX[..], &["--show", "off"]].concat())
        .exits(0);
    assert!(!shown.has("\x1b_G") && !shown.has("▀"), "{:?}", shown.text);
    // A flag says more than a variable, but a pipe is no terminal whatever a flag says.
    let terminal = Terminal {
        variables: &[kitty, ("NO_COLOR", "1")],
        ..PLAIN
    };
    let shown = terminal
        .run(&place, &[&FOX[..], &["--show", "blocks"]].concat())
        .exits(0);
    assert!(shown.has("▀"));
    let mut command = place.command(&[&FOX[..], &["--show", "kitty"]].concat());
    let piped = command
        .env("TERM", "xterm-kitty")
        .env("COLORTERM", "truecolor")
        .output();
    // `Ran` refuses escape codes.
    assert!(
        Ran::of(piped.expect("it starts"))
            .exits(0)
            .out()
            .ends_with(".png")
    );
}

#[test]
fn through_a_server_the_same_is_seen() {
    let place = Place::new();
    let server = Server::start(&place);
    let shown = PLAIN.run(&place, &FOX).exits(0);
    assert!(
        shown.text.contains("preview ") && shown.has("▀"),
        "{}",
        shown.words()
    );
    assert!(shown.words().contains("Saved  ./pinhole-0001.png"));
    // The task is what everything else asks for, and what its line names fits.
    let words = shown.words();
    assert!(
        words.contains("Task   task_") && !words.contains("req_"),
        "{words}"
    );
    let told = words
        .lines()
        .filter(|line| line.contains("Saved") || line.contains("Task"));
    assert!(told.clone().count() == 2 && told.clone().all(|line| line.chars().count() <= 80));
    drop(server);
}

#[test]
fn nothing_is_wider_than_a_narrow_terminal() {
    let place = Place::new();
    let narrow = Terminal {
        columns: 30,
        ..PLAIN
    };
    let shown = narrow.run(&place, &FOX).exits(0);
    let lines = shown.text.split(['\r', '\n']);
    for line in lines.filter(|line| line.contains('▀') || line.contains("preview")) {
        let width = Shown {
            code: None,
            text: line.to_owned(),
        }
        .words()
        .chars()
        .count();
        assert!(width <= 30, "{width}: {line:?}");
    }
}

#[test]
fn a_failed_call_leaves_no_line_behind() {
    let place = Place::new();
    let shown = PLAIN
        .run(
            &place,
            &[
                "gen",
                "[pinhole:delay=1s] [pinhole:fail=upstream] fox",
                "-m",
                "sketch",
                "--size",
                "64x64",
            ],
        )
        .exits(5);
    let (cleared, told) = (shown.text.rfind("\x1b[J"), shown.text.find("error:"));
    assert!(cleared.is_some() && cleared < told, "{:?}", shown.text);
}

#[test]
fn a_row_of_a_table_is_one_line_at_every_width() {
    let place = Place::new();
    for prompt in ["a fox", "[pinhole:fail=unknown] a fox"] {
        place.run(&["gen", prompt, "-m", "sketch", "--size", "64x64"]);
    }
    let long = "a-team-whose-name-goes-on-and-on-until-no-table-has-room-for-it";
    let quiet = |arguments: &[&str]| drop(place.run(arguments).exits(0));
    quiet(&["accounts", "create", long]);
    quiet(&["credits", "grant", long, "20"]);
    quiet(&[
        "keys",
        "create",
        "--name",
        "the runner of the integration tests",
        "--account",
        long,
        "--rpm",
        "20",
        "--spend-cap",
        "5/day",
        "--model",
        "sketch",
        "--ip",
        "10.0.0.0/8",
    ]);
    let commands: [(&[&str], usize, &str); 8] = [
        (&["task", "ls"], 3, "task_"),
        (&["keys", "ls"], 3, "key_"),
        (&["accounts", "ls"], 3, "default"),
        (&["credits"], 3, "$20.0000"),
        (&["usage", "--by", "model"], 3, "sketch"),
        (&["usage", "--by", "key"], 3, "first test key"),
        (&["providers"], 2, "sketch"),
        (&["models"], 18, "gpt-image-2"),
    ];
    for (arguments, least, word) in commands {
        let mut lines = Vec::new();
        for columns in [60, 80, 120] {
            let terminal = Terminal {
                columns,
                variables: &[("TERM", "dumb")],
                ..PLAIN
            };
            let words = terminal.run(&place, arguments).exits(0).words();
            let table: Vec<&str> = words
                .lines()
                .take_while(|it| !it.starts_with("  ") && !it.ends_with("UTC."))
                .collect();
            assert!(
                table.len() >= least && words.contains(word),
                "{columns}: {words}"
            );
            for line in &table {
                assert!(
                    line.chars().count() <= usize::from(columns),
                    "{columns}: {words}"
                );
            }
            lines.push(table.len());
        }
        assert!(
            lines.iter().all(|count| *count == lines[0]),
            "{arguments:?}: {lines:?}"
        );
    }
    let narrow = Terminal {
        columns: 60,
        variables: &[("TERM", "dumb")],
        ..PLAIN
    };
    let words = narrow.run(&place, &["keys", "ls"]).exits(0).words();
    assert!(
        words.contains("Not shown: ") && words.contains("SCOPES"),
        "{words}"
    );
    // What no terminal reads has every column, and every word of it.
    let all = place.run(&["keys", "ls"]).exits(0).out();
    assert!(all.contains(long) && all.contains("$5.0000 a day") && all.contains("SCOPES"));
}

#[test]
fn tables_and_findings_fold_where_there_is_no_room() {
    let place = Place::new();
    let narrow = Terminal {
        columns: 60,
        ..PLAIN
    };
    let commands: [(&[&str], i32); 5] = [
        (&["models"], 0),
        (&["models", "show", "gpt-image-2"], 0),
        (&["quote", "gpt-image-2"], 0),
        (&["gen", "fox", "-m", "no-such-model"], 2),
        (&[], 0),
    ];
    for (arguments, code) in commands {
        let shown = narrow.run(&place, arguments).exits(code);
        for line in shown.words().split(['\r', '\n']) {
            let is_one_word = line.split_whitespace().any(|word| word.len() > 30);
            assert!(
                line.chars().count() <= 60 || is_one_word,
                "{arguments:?}: {line}"
            );
        }
    }
}
