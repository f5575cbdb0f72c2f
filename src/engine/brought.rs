//! What an upstream call has brought, and what that amounts to.

use crate::provider::{Image, ProviderError, Verdict};
use crate::types::{
    Attempt, AttemptEnd, FailKind, Failure, Finish, MOST_LONE_CRASHES, Modality, UpstreamId, Usage,
};

/// No model writes more bytes than this; a stream that does is out of order.
const LONGEST_TEXT: usize = 4 * 1024 * 1024;

/// A call that is over and not stored yet.
pub(super) struct Done {
    pub(super) attempt: Attempt,
    pub(super) end: AttemptEnd,
    pub(super) brought: Brought,
    /// Images, or the text, that the upstream may bill and did not deliver.
    pub(super) lost: u32,
    pub(super) usage: Usage,
}

/// What a call has brought so far.
#[derive(Default)]
pub(super) struct Brought {
    pub(super) images: Vec<Image>,
    pub(super) words: Words,
    /// What the upstream calls the job, if it said so in this call.
    pub(super) job: Option<UpstreamId>,
}

/// A text as far as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    text: String,
    /// Why it ends, once it is whole.
    finish: Option<Finish>,
}

impl Done {
    /// What a call of a model that makes this has come to.
    pub(super) fn of(
        attempt: Attempt,
        brought: Brought,
        verdict: Result<Usage, ProviderError>,
        modality: Modality,
    ) -> Self {
        Self {
            end: end_of(&brought, &verdict, modality),
            lost: lost(&attempt, &brought, &verdict),
            attempt,
            brought,
            usage: verdict.unwrap_or_else(|error| error.usage),
        }
    }

    /// The end of a call that brought nothing and that nobody hears or asks after any more.
    pub(super) fn given_up(attempt: Attempt, error: ProviderError) -> Self {
        Self {
            lost: lost(&attempt, &Brought::default(), &Err(error.clone())),
            attempt,
            end: error.into(),
            brought: Brought::default(),
            usage: Usage::default(),
        }
    }

    /// Whether nobody can tell what became of the call.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.end, AttemptEnd::Unknown { .. })
    }

    /// Whether it was refused for what was asked: then no other part is worth sending.
    pub(super) fn is_refused_by_policy(&self) -> bool {
        let failure = self.end.failure();
        failure.is_some_and(|failure| failure.kind == FailKind::ContentPolicy)
    }
}

impl Brought {
    /// How many images or texts are whole.
    pub(super) fn delivered(&self) -> u32 {
        let images = u32::try_from(self.images.len()).unwrap_or(u32::MAX);
        images.saturating_add(u32::from(self.words.whole().is_some()))
    }

    /// Whether an image of this index has come.
    pub(super) fn has(&self, index: u32) -> bool {
        self.images.iter().any(|image| image.index == index)
    }
}

impl Words {
    /// One more piece. `false` if nothing is heard any more, because the text was whole.
    pub(super) fn hear(&mut self, piece: &str) -> Result<bool, ProviderError> {
        if self.finish.is_some() {
            return Ok(false);
        }
        if self.text.len() + piece.len() > LONGEST_TEXT {
            return Err(ProviderError::unknown("the upstream's text has no end"));
        }
        self.text.push_str(piece);
        Ok(true)
    }

    /// It is whole.
    pub(super) fn end(&mut self, finish: Finish) {
        self.finish = Some(finish);
    }

    /// The text, if it is whole.
    pub(super) fn whole(&self) -> Option<(&str, Finish)> {
        Some((&self.text, self.finish?))
    }

    /// Whether a part of it has come, which is proof of work however the upstream calls its end.
    fn has_begun(&self) -> bool {
        !self.text.is_empty()
    }
}

/// Proof that nothing was sent, and why.
pub(super) fn not_sent(kind: FailKind, message: &str) -> ProviderError {
    ProviderError::new(Verdict::NotSent, kind, message)
}

/// Why a task is not run any more that brought the process down each time it ran alone.
pub(super) fn set_aside(verdict: Verdict) -> ProviderError {
    let message = format!(
        "the task was set aside: the server stopped {MOST_LONE_CRASHES} times while it ran alone; it is free of charge, and the operator can see why"
    );
    ProviderError::new(verdict, FailKind::Internal, message)
}

/// One image is a success, and so is a whole text, whatever came after it; nothing is a failure, whatever the upstream
/// called it. One that has begun a text was at work: it is not asked elsewhere, even if it says that it did nothing.
fn end_of(
    brought: &Brought,
    verdict: &Result<Usage, ProviderError>,
    modality: Modality,
) -> AttemptEnd {
    let delivered = brought.delivered();
    let failed = |failure| AttemptEnd::Failed {
        failure,
        before_work: false,
    };
    match verdict {
        _ if delivered > 0 => AttemptEnd::Succeeded { delivered },
        Err(error) if brought.words.has_begun() && error.verdict != Verdict::Unknown => {
            failed(error.failure.clone())
        }
        Err(error) => error.clone().into(),
        Ok(_) => failed(Failure::new(
            FailKind::Upstream,
            match modality {
                Modality::Text => "the upstream answered without a whole text",
                _ => "the upstream answered without an image",
            },
        )),
    }
}

/// How much of a call is lost to an unknown outcome: all that was not delivered.
fn lost(attempt: &Attempt, brought: &Brought, verdict: &Result<Usage, ProviderError>) -> u32 {
    match verdict {
        Err(error) if error.verdict == Verdict::Unknown => {
            attempt.part.count.saturating_sub(brought.delivered())
        }
        _ => 0,
    }
}
