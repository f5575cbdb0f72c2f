//! `pinhole task`.

use super::failure::{Failure, Outcome};
use super::place::{self, Place};
use super::remote::Server;
use super::{block_on, out};
use crate::dialect::task::TaskShape;
use crate::dialect::{Dialect, Piece};
use crate::types::{self, Millis, TaskId};
use clap::{Args, Subcommand};
use serde_json::Value;

#[derive(Args)]
pub(super) struct Task {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show one task in any state
    Get {
        /// Its id: `task_` and 32 digits
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Task {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let Command::Get { id, json } = &self.command;
        let Some(id) = TaskId::parse(id) else {
            return Err(Failure::usage(format!("`{id}` is no id of a task"))
                .why("an id is `task_` and 32 hexadecimal digits")
                .fix(
                    "`pinhole generate --json` prints it, and so does the header x-pinhole-task-id",
                ));
        };
        let data = block_on(find(place, &id))?;
        if *json { out::json(&data) } else { show(&data) }
    }
}

/// The task as the API tells of it. On the data folder, the operator may see every account's.
async fn find(place: &Place, id: &TaskId) -> Outcome<Value> {
    if let Some(url) = place::server() {
        let server = Server::new(&url, place::key(&place.load()?.settings.data))?;
        let mut answer = server.get(&format!("/api/v1/tasks/{id}")).await?;
        return Ok(answer["data"].take());
    }
    let store = place.rows()?;
    for (account, _) in store.list_accounts().await? {
        if let Some(task) = store.find_task(&account.id, id).await? {
            return Ok(told(&task));
        }
    }
    Err(Failure::failed("there is no such task")
        .why(format!("no account of this data folder has {id}"))
        .fix("name the server's folder with --data, or the server with PINHOLE_URL"))
}

fn told(task: &types::Task) -> Value {
    let reply = TaskShape.encode(task);
    let text: String = reply
        .pieces
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Text(text) => Some(text),
            Piece::Base64(_) => None,
        })
        .collect();
    serde_json::from_str::<Value>(&text)
        .map(|mut value| value["data"].take())
        .unwrap_or_default()
}

fn show(data: &Value) -> Outcome {
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    let money = |name: &str| {
        let amount = data[name].as_str().and_then(|text| text.parse().ok());
        amount.map(out::dollars).unwrap_or_default()
    };
    let time = |name: &str| {
        let at = data[name].as_i64();
        at.map(|at| format!("{} UTC", out::minute(Millis(at))))
            .unwrap_or_default()
    };
    let mut lines = vec![
        ("Task", text("taskId")),
        ("Model", format!("{} ({})", text("model"), text("mode"))),
        ("State", text("state")),
        ("Key", text("keyId")),
        ("Created", time("createTime")),
        ("Completed", time("completeTime")),
        ("Quote", money("quote")),
        ("Cost", money("cost")),
        ("Failure", text("failMsg")),
    ];
    for url in data["resultUrls"].as_array().into_iter().flatten() {
        lines.push(("Result", url.as_str().unwrap_or_default().to_owned()));
    }
    lines.retain(|(_, value)| !value.is_empty());
    out::pairs(&lines)?;
    match data["resultText"].as_str() {
        Some(text) => out::text(&format!("\n{text}")),
        None => Ok(()),
    }
}
