//! `pinhole task cancel`.

use super::source::{Source, working_server};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::out;
use crate::cli::place::{Place, now};
use crate::dialect::task;
use crate::error::{Error, Kind};
use crate::types::{TaskId, TaskState};
use serde_json::Value;

/// A server that runs tells those who wait for the task; without one the rows alone know it.
pub(super) async fn run(place: &Place, id: &TaskId, json: bool) -> Outcome {
    let data = match working_server(place)? {
        Some(server) => {
            let query = [("task_id", id.to_string())];
            let answer = server.delete("/api/v1/images/generations", &query).await;
            answer.map_err(whose)?["data"].take()
        }
        None => in_the_rows(place, id).await?,
    };
    if json {
        return out::json(&data);
    }
    if data["failCode"] == "cancelled" {
        out::print("cancelled")?;
        out::note("  Nothing was charged.");
    } else {
        out::print(&out::plain(data["state"].as_str().unwrap_or_default()))?;
        out::note("  It had ended before and stays as it is.");
    }
    Ok(())
}

/// The rows of a folder show every account's tasks; a server cancels for a key's own account alone.
fn whose(failure: Failure) -> Failure {
    if failure.is_unknown_task() {
        return failure
            .fix("if it is another account's, set PINHOLE_API_KEY to a key of that account");
    }
    failure
}

async fn in_the_rows(place: &Place, id: &TaskId) -> Outcome<Value> {
    let Source::Rows(rows) = Source::of(place)? else {
        return Err(Failure::failed("there is no server to ask"));
    };
    let (account, found) = rows.find(id).await?;
    let task = rows
        .store
        .cancel(&account, id, now())
        .await?
        .unwrap_or(found);
    if let TaskState::Pending | TaskState::Processing = task.state {
        let message = "the task has started: its upstream may be at work";
        return Err(Error::new(Kind::NotCancellable, message).into());
    }
    let attempts = rows.store.list_attempts(id).await?;
    let delivery = rows.store.find_delivery(id).await?;
    Ok(task::detail(&task, &attempts, delivery.as_ref())["data"].take())
}
