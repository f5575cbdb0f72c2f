//! Which way of showing pictures a terminal takes, by what the environment says of it. A pure rule: the one question that
//! is put to the terminal itself stands in `query.rs`.

use super::{Depth, Protocol, Show};

/// What the environment says.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    term: String,
    program: String,
    /// What iTerm2 sets so that it arrives over SSH.
    lc_terminal: String,
    colours: String,
    is_kitty: bool,
    pub(super) in_tmux: bool,
    no_colour: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Show none.
    Off,
    /// Show them so.
    Known(Protocol),
    /// Ask the terminal whether it speaks kitty's protocol; if not, show them so.
    Ask { otherwise: Option<Protocol> },
}

impl Facts {
    /// Reads the variables.
    pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| variable(name).unwrap_or_default();
        let term = text("TERM");
        let is_multiplexer = term.starts_with("tmux") || term.starts_with("screen");
        Self {
            program: text("TERM_PROGRAM").to_lowercase(),
            lc_terminal: text("LC_TERMINAL").to_lowercase(),
            colours: text("COLORTERM").to_lowercase(),
            is_kitty: variable("KITTY_WINDOW_ID").is_some(),
            in_tmux: variable("TMUX").is_some() || is_multiplexer,
            no_colour: variable("NO_COLOR").is_some(),
            term,
        }
    }

    /// Whether it wants words alone: no colour, no spinner, no picture.
    pub(super) fn is_plain(&self) -> bool {
        self.no_colour || self.term.is_empty() || self.term == "dumb"
    }

    /// `None` where half blocks would be a guess: with sixteen colours they are mud.
    fn blocks(&self) -> Option<Protocol> {
        let is_true =
            matches!(self.colours.as_str(), "truecolor" | "24bit") || self.term.contains("direct");
        if is_true {
            Some(Protocol::Blocks(Depth::True))
        } else if self.term.contains("256color") {
            Some(Protocol::Blocks(Depth::Palette))
        } else {
            None
        }
    }
}

/// The rule.
pub(super) fn judge(show: Show, facts: &Facts) -> Verdict {
    match show {
        Show::Off => Verdict::Off,
        Show::Kitty => Verdict::Known(Protocol::Kitty),
        Show::Iterm => Verdict::Known(Protocol::Iterm),
        Show::Blocks => Verdict::Known(facts.blocks().unwrap_or(Protocol::Blocks(Depth::Palette))),
        Show::Auto if facts.is_plain() => Verdict::Off,
        Show::Auto => of_itself(facts),
    }
}

/// Inside tmux and screen the variables are those of the terminal that started them, which may be another one by now, and
/// pictures pass through only if the user has allowed it: half blocks are text, and always arrive.
fn of_itself(facts: &Facts) -> Verdict {
    let program = facts.program.as_str();
    if facts.in_tmux {
        return facts.blocks().map_or(Verdict::Off, Verdict::Known);
    }
    if facts.is_kitty
        || facts.term.contains("kitty")
        || facts.term.contains("ghostty")
        || program == "ghostty"
    {
        return Verdict::Known(Protocol::Kitty);
    }
    if matches!(program, "iterm.app" | "wezterm") || facts.lc_terminal == "iterm2" {
        return Verdict::Known(Protocol::Iterm);
    }
    // Neither shows pictures, and Apple's prints the question as text.
    if matches!(program, "apple_terminal" | "vscode") || facts.term == "linux" {
        return facts.blocks().map_or(Verdict::Off, Verdict::Known);
    }
    Verdict::Ask {
        otherwise: facts.blocks(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(variables: &[(&str, &str)]) -> Facts {
        Facts::of(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const TRUE: Protocol = Protocol::Blocks(Depth::True);
    const PALETTE: Protocol = Protocol::Blocks(Depth::Palette);

    #[test]
    fn a_terminal_is_known_by_its_variables() {
        let check = |variables: &[(&str, &str)], verdict| {
            assert_eq!(
                judge(Show::Auto, &facts(variables)),
                verdict,
                "{variables:?}"
            );
        };
        let known = Verdict::Known;
        check(&[("TERM", "xterm-kitty")], known(Protocol::Kitty));
        check(
            &[("TERM", "xterm-256color"), ("KITTY_WINDOW_ID", "1")],
            known(Protocol::Kitty),
        );
        check(&[("TERM", "xterm-ghostty")], known(Protocol::Kitty));
        check(
            &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")],
            known(Protocol::Iterm),
        );
        check(
            &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")],
            known(Protocol::Iterm),
        );
        check(
            &[("TERM", "xterm-256color"), ("LC_TERMINAL", "iTerm2")],
            known(Protocol::Iterm),
        );
        check(
            &[
                ("TERM", "xterm-256color"),
                ("TERM_PROGRAM", "Apple_Terminal"),
            ],
            known(PALETTE),
        );
        check(
            &[("TERM", "xterm-256color")],
            Verdict::Ask {
                otherwise: Some(PALETTE),
            },
        );
        check(
            &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")],
            Verdict::Ask {
                otherwise: Some(TRUE),
            },
        );
        check(&[("TERM", "xterm")], Verdict::Ask { otherwise: None });
        check(&[("TERM", "linux")], Verdict::Off);
    }

    #[test]
    fn inside_tmux_only_text_is_sure_to_arrive() {
        let kitty = ("KITTY_WINDOW_ID", "1");
        let inside = [
            ("TERM", "tmux-256color"),
            ("TMUX", "/tmp/tmux-0/default,1,0"),
            kitty,
        ];
        assert_eq!(judge(Show::Auto, &facts(&inside)), Verdict::Known(PALETTE));
        let screen = [("TERM", "screen"), kitty];
        assert_eq!(judge(Show::Auto, &facts(&screen)), Verdict::Off);
        assert_eq!(
            judge(Show::Kitty, &facts(&inside)),
            Verdict::Known(Protocol::Kitty)
        );
    }

    #[test]
    fn who_wants_it_plain_gets_it_plain_unless_a_flag_says_more() {
        for plain in [("TERM", "dumb"), ("NO_COLOR", "1"), ("LANG", "C")] {
            let facts = facts(&[("KITTY_WINDOW_ID", "1"), plain]);
            assert_eq!(judge(Show::Auto, &facts), Verdict::Off, "{plain:?}");
            assert!(facts.is_plain(), "{plain:?}");
            assert_eq!(judge(Show::Blocks, &facts), Verdict::Known(PALETTE));
        }
    }
}
