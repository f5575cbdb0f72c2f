//! Named places where a test can make the process die.
//!
//! With the feature `failpoints`, `FAILPOINTS="sent=1*off->return"` makes the second passing of `sent` end the
//! process as `kill -9` would; without it, nothing is compiled. The names, in the order of a task:
//!
//! - `admitted`: task, hold and intents are durable · `claimed`: the same of tasks that waited
//! - `fetched`: what a task links to is here, and not the task's yet
//! - `intent`: just before a call · the id of a model: the same, of a call for it
//! - `sent`: the upstream has the call · `blob`: a result is synced
//! - `failing_over`: a call did nothing, which is not stored · `failed_over`: it is, with the intent of the next one
//! - `settling`: all is synced and the end is not durable · `settled`: it is, and nobody has been told
//! - `posted`: a callback was sent, what became of it is not stored
//! - `recovered`, `taken_over`: a dead process's tasks are ours, and none has been taken up
//! - `alone`: it is stored that a task runs alone, and it does not run yet

use std::time::Duration;

/// Reads `FAILPOINTS`. `main` calls it once; without it the variable is never looked at.
#[cfg(feature = "failpoints")]
pub fn arm() {
    // The scenario clears its points when it is dropped; this one lasts as long as the process.
    std::mem::forget(fail::FailScenario::setup());
}

/// Nothing, in a build without the feature.
#[cfg(not(feature = "failpoints"))]
pub fn arm() {}

/// Dies here if the test says so.
#[cfg(feature = "failpoints")]
pub fn failpoint(name: &str) {
    fail::fail_point!(name, |_| {
        // SIGKILL to ourselves: no destructor runs, no buffer is flushed.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    });
}

/// Nothing, in a build without the feature.
#[cfg(not(feature = "failpoints"))]
pub fn failpoint(_name: &str) {}

/// A time that a test makes shorter in a real process: `FAILPOINTS="lease_ms=return(300)"`.
#[cfg(feature = "failpoints")]
pub fn failpoint_ms(name: &str) -> Option<Duration> {
    fail::fail_point!(name, |value| {
        value?.parse().ok().map(Duration::from_millis)
    });
    None
}

/// Nothing, in a build without the feature.
#[cfg(not(feature = "failpoints"))]
pub fn failpoint_ms(_name: &str) -> Option<Duration> {
    None
}
