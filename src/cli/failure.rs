//! Errors as a person meets them: what, why, the fix. And what a script meets: the exit code.

use crate::app::StartError;
use crate::config::ConfigError;
use crate::error::{Error, Kind};
use crate::store::StoreError;
use std::process::ExitCode;

/// What every command ends with.
pub(super) type Outcome<T = ()> = Result<T, Failure>;

/// Exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// All is well, and there is nothing more to do.
    Done = 0,
    /// It did not work.
    Failed = 1,
    /// It was asked wrongly.
    Usage = 2,
    /// The key was refused, or may not do this.
    Auth = 3,
    /// The account cannot pay.
    Credits = 4,
    /// The upstream failed or refused.
    Upstream = 5,
    /// It took too long, or was cancelled.
    Timeout = 6,
    /// Ctrl-C.
    Interrupted = 130,
}

/// Why a command ended early.
#[derive(Debug)]
pub(super) enum Failure {
    /// In our own three parts.
    Told(Box<Told>),
    /// A fault in the configuration, shown with its line.
    Config(Box<ConfigError>),
    /// All has been said already.
    Said(Exit),
}

/// What, why, the fix.
#[derive(Debug)]
pub(super) struct Told {
    exit: Exit,
    /// Of a refused call.
    kind: Option<Kind>,
    what: String,
    why: Vec<String>,
    fix: Option<String>,
}

impl Failure {
    /// A failure with nothing but its first part; the others are added.
    pub(super) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self::Told(Box::new(Told {
            exit,
            kind: None,
            what: what.into(),
            why: Vec::new(),
            fix: None,
        }))
    }

    /// It was asked wrongly.
    pub(super) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// It did not work.
    pub(super) fn failed(what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what)
    }

    /// With one more reason.
    pub(super) fn why(mut self, why: impl Into<String>) -> Self {
        if let Self::Told(told) = &mut self {
            told.why.push(why.into());
        }
        self
    }

    /// With what to do about it.
    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        if let Self::Told(told) = &mut self {
            told.fix = Some(fix.into());
        }
        self
    }

    /// Its reasons in one line.
    pub(super) fn reasons(&self) -> String {
        match self {
            Self::Told(told) => told.why.join("; "),
            Self::Config(error) => error.to_string(),
            Self::Said(_) => String::new(),
        }
    }

    /// Its first part.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Told(told) => told.what.clone(),
            Self::Config(error) => error.to_string(),
            Self::Said(_) => String::new(),
        }
    }

    /// The same, as what a check has found: the check was asked rightly.
    pub(super) fn found(self) -> Self {
        match self {
            Self::Told(mut told) => {
                told.exit = Exit::Failed;
                Self::Told(told)
            }
            Self::Config(_) => Self::Said({
                self.tell();
                Exit::Failed
            }),
            said => said,
        }
    }

    /// The code it ends with.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Told(told) => told.exit,
            Self::Config(_) => Exit::Usage,
            Self::Said(exit) => *exit,
        }
    }

    /// The same about a model that is known: its advice names it.
    pub(super) fn about(mut self, model: &str) -> Self {
        if let Self::Told(told) = &mut self {
            told.fix = told.fix.take().map(|fix| fix.replace("MODEL", model));
        }
        self
    }

    /// The same of a call that had nothing to do with a model.
    pub(super) fn of_no_model(mut self) -> Self {
        if let Self::Told(told) = &mut self
            && matches!(told.kind, Some(Kind::InvalidParameter | Kind::InvalidBody))
        {
            "the server does not take this request".clone_into(&mut told.what);
            told.fix = None;
        }
        self
    }

    /// Whether a call named a model that is not there.
    pub(super) fn is_unknown_model(&self) -> bool {
        matches!(self, Self::Told(told) if told.kind == Some(Kind::ModelNotFound))
    }

    /// Whether a call named a task that is not there, or not its caller's.
    pub(super) fn is_unknown_task(&self) -> bool {
        matches!(self, Self::Told(told) if told.kind == Some(Kind::TaskNotFound))
    }

    /// Whether a call named a model that cannot be called now.
    pub(super) fn is_unavailable_model(&self) -> bool {
        matches!(self, Self::Told(told) if told.kind == Some(Kind::ModelUnavailable))
    }

    /// Prints it to stderr and gives the exit code.
    pub(super) fn report(self) -> ExitCode {
        ExitCode::from(self.tell() as u8)
    }

    /// Prints it to stderr.
    pub(super) fn tell(self) -> Exit {
        match self {
            Self::Said(exit) => exit,
            Self::Config(error) => {
                super::out::note(format!("{:?}", miette::Report::new(*error)).trim_end());
                Exit::Usage
            }
            Self::Told(told) => {
                super::out::note(&told.text());
                told.exit
            }
        }
    }
}

impl Told {
    fn text(&self) -> String {
        let mut text = format!("error: {}", self.what);
        let mut label = "why:";
        for line in self.why.iter().flat_map(|why| why.lines()) {
            text += &format!("\n  {label:<4} {line}");
            label = "";
        }
        let mut label = "fix:";
        for line in self.fix.iter().flat_map(|fix| fix.lines()) {
            text += &format!("\n  {label:<4} {line}");
            label = "";
        }
        // Some of the words come from a server, and from whoever named a parameter.
        let lines = text.lines().map(super::out::plain);
        let lines: Vec<String> = lines
            .map(|line| super::out::hanging(&line, 7, rustix::stdio::stderr()))
            .collect();
        lines.join("\n")
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::failed("the database did not do it")
            .why(error.to_string())
            .fix("`pinhole doctor` looks at the folder and says what is wrong with it")
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match &error {
            StartError::Locked(address) => {
                let at = address.as_deref().map(|at| format!(", listening on {at}"));
                Self::failed("another pinhole uses this data folder")
                    .why(format!(
                        "one process at a time runs the engine of a folder{}",
                        at.unwrap_or_default()
                    ))
                    .fix("stop the other one, or name another folder with --data")
            }
            StartError::Data { path, reason } => {
                Self::failed(format!("the data folder {} cannot be used", path.display()))
                    .why(reason)
                    .fix("name a folder that you may write to with --data or PINHOLE_DATA")
            }
            StartError::Store(_) => Self::failed("the database cannot be used")
                .why(error.to_string())
                .fix("`pinhole doctor` looks at the folder and says what is wrong with it"),
            StartError::Catalogue(_) => Self::usage("the catalogue does not pass its checks")
                .why(error.to_string())
                .fix("correct the files named above; `pinhole models check` tries again"),
            StartError::Provider(_) => Self::usage("a provider's settings are wrong")
                .why(error.to_string())
                .fix("`pinhole config show --origin` says where they come from"),
            StartError::Listen(_) => Self::failed("the address cannot be listened on")
                .why(error.to_string())
                .fix("name another one with --listen, like 127.0.0.1:7071"),
        }
    }
}

/// Faults of a call, told as the person typed it.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut failure = Self::new(exit_of(error.kind), what_of(error.kind));
        if let Self::Told(told) = &mut failure {
            told.kind = Some(error.kind);
        }
        let failure = if error.faults.is_empty() {
            failure.why(&error.message)
        } else {
            let faults = error.faults.iter();
            faults.fold(failure, |failure, fault| failure.why(&fault.message))
        };
        match fix_of(error.kind) {
            Some(fix) => failure.fix(fix),
            None => failure,
        }
    }
}

fn exit_of(kind: Kind) -> Exit {
    match kind {
        Kind::InvalidBody
        | Kind::InvalidParameter
        | Kind::CostAboveLimit
        | Kind::InputNotFetched
        | Kind::ModelNotFound
        | Kind::TooLarge => Exit::Usage,
        Kind::InvalidApiKey | Kind::Forbidden => Exit::Auth,
        Kind::InsufficientCredits => Exit::Credits,
        Kind::ContentPolicy | Kind::Upstream | Kind::OutcomeUnknown => Exit::Upstream,
        Kind::UpstreamTimeout | Kind::StillRunning | Kind::DeadlineExceeded | Kind::Cancelled => {
            Exit::Timeout
        }
        _ => Exit::Failed,
    }
}

fn what_of(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidBody | Kind::InvalidParameter => "the model does not take this request",
        Kind::InputNotFetched => "an input image cannot be fetched",
        Kind::CostAboveLimit => "the request costs more than it may",
        Kind::ContentPolicy => "the request was refused for its content",
        Kind::InvalidApiKey => "the API key was refused",
        Kind::InsufficientCredits => "the account cannot pay for this",
        Kind::Forbidden => "the key may not do this",
        Kind::ModelNotFound => "there is no such model",
        Kind::ModelUnavailable => "the model cannot be called now",
        Kind::TaskNotFound => "there is no such task",
        Kind::NotFound => "the server has nothing there",
        Kind::RateLimited | Kind::QueueFull => "the key has reached a limit",
        Kind::Upstream => "the upstream failed; nothing was charged",
        Kind::OutcomeUnknown => {
            "nobody can tell whether the upstream did the work; nothing was charged"
        }
        Kind::UpstreamTimeout => "the upstream took too long; nothing was charged",
        Kind::DeadlineExceeded => "the task's time was over; nothing was charged",
        Kind::StillRunning => "the task did not end in time",
        Kind::Cancelled => "the task was cancelled",
        Kind::StorageFull => "the disk is nearly full",
        Kind::Overloaded => "no upstream or server could take the task; nothing was charged",
        Kind::NotCancellable => "the task can no longer be cancelled",
        Kind::Gone => "it was there, and its time is over",
        Kind::TooLarge => "the request is too large",
        Kind::IdempotencyKeyReused => "the idempotency key stands for another request",
        Kind::Internal => "the server failed",
        _ => "it did not work",
    }
}

fn fix_of(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::InvalidParameter => {
            "`pinhole models show MODEL` lists every parameter with its range"
        }
        Kind::CostAboveLimit => "raise max_cost, or ask for less; `--dry-run` shows the price",
        Kind::ContentPolicy => "change the prompt; nothing was charged",
        Kind::InvalidApiKey => {
            "set PINHOLE_API_KEY to a key of this installation; `pinhole keys create --name NAME` makes one"
        }
        Kind::InsufficientCredits => {
            "the operator adds credits: `pinhole credits grant ACCOUNT DOLLARS`"
        }
        Kind::Forbidden => "use another key; `pinhole keys ls` shows what each may do",
        Kind::ModelUnavailable => {
            "use a test key, turn a provider on, or choose another of `pinhole models`"
        }
        Kind::RateLimited | Kind::QueueFull => "wait a little and try again",
        Kind::Overloaded => {
            "wait a little and try again; if it stays so, the server's log tells its operator why, and \
             `pinhole doctor --online` on its machine tries every provider"
        }
        Kind::Upstream | Kind::UpstreamTimeout => "try again, or try another model",
        Kind::OutcomeUnknown => "look at the upstream's own console before trying again",
        Kind::DeadlineExceeded | Kind::Cancelled => "the same command makes the call again",
        Kind::StillRunning => "`pinhole task wait` goes on waiting for it",
        Kind::TaskNotFound => "`pinhole task ls` lists those of the key's account",
        Kind::NotFound => "check that PINHOLE_URL names a Pinhole of this version or a later one",
        Kind::NotCancellable => "`pinhole task wait` tells how it ends",
        Kind::InputNotFetched => "check the link, or give the picture as a file with -i",
        Kind::TooLarge => "give smaller or fewer images: at most 20 MiB each, and 16",
        Kind::IdempotencyKeyReused => "give each request a key of its own",
        Kind::Internal => "the server's log knows more, by the request's id",
        Kind::StorageFull => "free some space, or lower min_free_mib (PINHOLE_MIN_FREE_MIB)",
        _ => return None,
    })
}
