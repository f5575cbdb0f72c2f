//! The question to the terminal itself: does it speak kitty's graphics protocol?
//!
//! A terminal that does answers it; every terminal answers the second question ("what are you"), which therefore ends the
//! waiting. It is put only where the answer comes back to us: stdin is the same terminal, we are its foreground, and the
//! user has not typed ahead.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{read, write};
use rustix::process::getpgrp;
use rustix::stdio;
use rustix::termios::{
    LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr,
};
use std::time::{Duration, Instant};

/// A picture of one pixel that is only to be judged, then the question that every terminal answers.
const QUESTION: &[u8] = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c";

/// Over a slow line an answer takes a while; a terminal that gives none costs this once.
const PATIENCE: Duration = Duration::from_secs(1);

/// An answer is a few dozen bytes; whatever is more is not one.
const LONGEST_ANSWER: usize = 1024;

/// Asks. Where nobody can be asked, the answer is no.
pub(super) fn has_kitty_graphics() -> bool {
    may_ask() && ask().is_some_and(|answer| says_yes(&answer))
}

fn may_ask() -> bool {
    let is_foreground = || tcgetpgrp(stdio::stdin()).is_ok_and(|group| group == getpgrp());
    isatty(stdio::stdin()) && is_foreground() && !has_input(Duration::ZERO)
}

/// The terminal as it was, whatever happens in between.
struct Restore(Termios);

impl Drop for Restore {
    fn drop(&mut self) {
        // There is nothing else to try.
        let _ = tcsetattr(stdio::stdin(), OptionalActions::Now, &self.0);
    }
}

fn ask() -> Option<Vec<u8>> {
    let before = tcgetattr(stdio::stdin()).ok()?;
    let mut quiet = before.clone();
    // The answer must neither appear on the screen nor wait for a line to end.
    quiet.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
    let _restore = Restore(before);
    tcsetattr(stdio::stdin(), OptionalActions::Now, &quiet).ok()?;
    write(stdio::stderr(), QUESTION).ok()?;
    let (until, mut answer) = (Instant::now() + PATIENCE, Vec::new());
    while !is_whole(&answer) && answer.len() < LONGEST_ANSWER {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || !has_input(left) {
            break;
        }
        let mut block = [0; 256];
        match read(stdio::stdin(), &mut block) {
            Ok(count) if count > 0 => answer.extend_from_slice(&block[..count]),
            _ => break,
        }
    }
    Some(answer)
}

fn has_input(wait: Duration) -> bool {
    let Ok(wait) = Timespec::try_from(wait) else {
        return false;
    };
    let stdin = stdio::stdin();
    let mut asked = [PollFd::new(&stdin, PollFlags::IN)];
    poll(&mut asked, Some(&wait)).is_ok_and(|ready| ready > 0)
}

/// `ESC [ ? … c` ends it.
fn is_whole(answer: &[u8]) -> bool {
    let begin = answer.windows(3).position(|three| three == b"\x1b[?");
    begin.is_some_and(|at| answer[at..].contains(&b'c'))
}

fn says_yes(answer: &[u8]) -> bool {
    let yes = b"\x1b_Gi=31;OK";
    answer.windows(yes.len()).any(|part| part == yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let check = |answer: &[u8], whole, yes| {
            assert_eq!(
                (is_whole(answer), says_yes(answer)),
                (whole, yes),
                "{answer:?}"
            );
        };
        check(b"\x1b_Gi=31;OK\x1b\\\x1b[?62;c", true, true);
        check(b"\x1b_Gi=31;OK\x1b\\", false, true);
        check(b"\x1b_Gi=31;ENODATA:none\x1b\\\x1b[?62;4c", true, false);
        check(b"\x1b[?1;2c", true, false);
        check(b"abc", false, false);
    }
}
