//! `pinhole task poison`: tasks that brought the server down each time they ran.

use crate::cli::failure::Outcome;
use crate::cli::out;
use crate::cli::place::Place;
use crate::cli::table::{Column, table};
use crate::types::Task;
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub(super) struct Poison {
    /// How many at most, the latest first
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Poison {
    pub(super) async fn run(&self, place: &Place) -> Outcome {
        let tasks = place.rows()?.list_poison(self.limit).await?;
        if self.json {
            let tasks: Vec<Value> = tasks.iter().map(as_json).collect();
            return out::json(&json!({"tasks": tasks}));
        }
        if tasks.is_empty() {
            out::note("None: no task was set aside for bringing the server down.");
            return Ok(());
        }
        let rows: Vec<Vec<String>> = tasks.iter().map(row).collect();
        let columns = [
            Column::text("SET ASIDE (UTC)").rank(4),
            Column::text("TASK"),
            Column::text("ACCOUNT").rank(5),
            Column::words("MODEL").rank(3),
            Column::number("CRASHES").rank(1),
            Column::number("ALONE").rank(2),
        ];
        table(&columns, &rows)?;
        out::note(
            "  The server stopped each time one of these ran alone; nobody was charged. Its log says what it did last.",
        );
        Ok(())
    }
}

fn row(task: &Task) -> Vec<String> {
    vec![
        task.completed_at.map(out::minute).unwrap_or_default(),
        task.id.to_string(),
        task.account.to_string(),
        task.request.model().to_owned(),
        task.crashes.to_string(),
        task.lone_crashes.to_string(),
    ]
}

fn as_json(task: &Task) -> Value {
    json!({
        "taskId": task.id,
        "accountId": task.account,
        "model": task.request.model(),
        "crashes": task.crashes,
        "loneCrashes": task.lone_crashes,
        "failMsg": task.failure.as_ref().map(|failure| &failure.message),
        "createTime": task.created_at.0,
        "completeTime": task.completed_at.map(|at| at.0),
    })
}
