//! The disk is full: nothing is accepted, nothing is corrupt, and with room again everything goes on.

use crate::app::{Setup, TestApp, model, noise_png, replay_settings, until};
use crate::guard::not_run;
use crate::images::{small, small_with};
use serde_json::json;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// A small disk of its own, gone when this is dropped.
struct Disk {
    folder: TempDir,
    mounted: PathBuf,
}

impl Disk {
    /// `None` where mounting is not allowed.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = folder.path().join("disk");
        std::fs::create_dir(&mounted).expect("a folder");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "pinhole-test"])
            .arg(&mounted)
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(Self { folder, mounted }),
            refused => {
                let why = match refused {
                    Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                    Err(error) => error.to_string(),
                };
                not_run(&format!(
                    "a small disk cannot be mounted, that needs root ({why})"
                ));
                None
            }
        }
    }

    /// Takes every byte that is left, in a file that can be deleted again.
    fn fill(&self) -> PathBuf {
        let path = self.mounted.join("filler");
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&path)
            .expect("a file");
        for block in [1 << 16, 1 << 12, 1] {
            let block = vec![7; block];
            loop {
                match file.write(&block) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        path
    }

    fn data(&self) -> PathBuf {
        self.mounted.join("data")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the store's last thread may still be closing its file.
        let unmounted = Command::new("umount").arg("-l").arg(&self.mounted).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.mounted.display());
        }
        let _ = &self.folder;
    }
}

/// On this disk: `paid` replays a picture of some 750 KB after a moment.
async fn start(disk: &Disk, delay: Duration) -> TestApp {
    let beside = tempfile::tempdir().expect("a folder");
    let (picture, log) = (
        beside.path().join("picture.png"),
        beside.path().join("calls.log"),
    );
    std::fs::write(&picture, noise_png(500)).expect("room for a picture");
    Setup::with_data(beside, &disk.data())
        .set(|settings| {
            settings
                .providers
                .push(replay_settings("rehearsal", &picture, &log, delay))
        })
        .model(&model("paid", "0.01", &[("rehearsal", 1, "0.001")]))
        .start()
        .await
}

fn is_intact(data: &Path) {
    let rows = crate::server::read_only(data);
    let says: String = rows
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("a check");
    assert_eq!(says, "ok");
    let mut statement = rows
        .prepare("SELECT blob, bytes FROM assets")
        .expect("the schema");
    let blobs = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
    });
    for blob in blobs.expect("rows") {
        let (blob, bytes) = blob.expect("a row");
        let length = std::fs::metadata(data.join(&blob))
            .map(|file| file.len().cast_signed())
            .ok();
        assert_eq!(length, Some(bytes), "{blob} has a row");
    }
}

#[tokio::test]
async fn a_disk_that_runs_full_refuses_and_recovers() {
    let Some(disk) = Disk::mount("24m") else {
        return;
    };
    let reserve = disk.mounted.join("reserve");
    std::fs::write(&reserve, vec![7; 4 << 20]).expect("room at first");
    let app = start(&disk, Duration::from_millis(1)).await;
    let customer = app.customer("10.00").await;
    let body = small_with("a cat", json!({"model": "paid", "response_format": "url"}));

    // Pictures until no more fit. One that the upstream made and the disk did not take is unknown: not to be repeated.
    let (mut stored, mut unknown) = (0, 0);
    loop {
        let reply = customer.generate(body.clone()).await;
        match reply.status {
            200 => stored += 1,
            504 => unknown += usize::from(reply.refused(504, "outcome_unknown").is_object()),
            _ => break drop(reply.refused(507, "storage_full")),
        }
        assert!(stored + unknown < 1_000, "24 MiB never fill");
        if unknown == 3 {
            // Only crumbs are left: too few for a picture, and rows could go on for long.
            disk.fill();
        }
    }
    assert!(stored >= 10, "{stored}");
    is_intact(&disk.data());

    // And then not even rows: whatever is asked is refused, and nothing of it is there.
    let filler = disk.fill();
    let mut refused = 0;
    for _ in 0..20 {
        let reply = customer.generate(body.clone()).await;
        match reply.status {
            504 => reply.refused(504, "outcome_unknown"),
            _ => reply.refused(507, "storage_full"),
        };
        refused += 1;
    }
    is_intact(&disk.data());
    let audit = app.store().audit().await.expect("rows");
    assert!(audit.is_clean(), "{audit:#?}");

    // Room again: what was stuck ends, and new work is done.
    std::fs::remove_file(filler).expect("the filler");
    std::fs::remove_file(reserve).expect("the reserve");
    until("nothing is held any more", async || {
        (customer.balance().await.1 == "0.000000").then_some(())
    })
    .await;
    app.test_key().generate(small("a small one")).await.ok();
    is_intact(&disk.data());
    eprintln!(
        "a disk of 24 MiB took {stored} pictures, lost {unknown}, then refused {refused} requests, then went on"
    );
    app.finish().await;
}

#[tokio::test]
async fn a_task_that_meets_a_full_disk_ends_when_there_is_room() {
    let Some(disk) = Disk::mount("24m") else {
        return;
    };
    let app = start(&disk, Duration::from_millis(700)).await;
    let customer = app.customer("10.00").await;
    let body = small_with("a cat", json!({"model": "paid"}));
    let asking = customer.generate(body.clone());
    let filling = async {
        until("it runs", async || {
            (customer.balance().await.1 == "0.010000").then_some(())
        })
        .await;
        disk.fill()
    };
    let (reply, filler) = tokio::join!(asking, filling);
    let state = customer.task(&reply.task_id()).await["state"].clone();
    if state == "failed" {
        reply.refused(504, "outcome_unknown");
    } else {
        reply.refused(507, "storage_full");
        // Its end cannot be written. Sent again, the request would make a second task beside this one.
        assert_eq!(reply.header("x-should-retry"), "false");
        assert_eq!(reply.header("retry-after"), "");
    }
    eprintln!("on a full disk the task was {state}");
    is_intact(&disk.data());
    std::fs::remove_file(filler).expect("the filler");
    let task = app.end_of(&customer, &reply.task_id()).await;
    assert_eq!(task.state.name(), "failed", "its picture could not be kept");
    customer.has("10.000000").await;
    let again = customer.generate(body).await;
    assert_eq!(again.pictures().len(), 1);
    customer.has("9.990000").await;
    app.finish().await;
}

#[tokio::test]
async fn below_the_guard_nothing_is_admitted() {
    let app = Setup::new()
        .set(|settings| settings.min_free_bytes = u64::MAX)
        .start()
        .await;
    let refused = app.test_key().generate(small("a cat")).await;
    let error = refused.refused(507, "storage_full");
    assert_eq!(error["type"], "server_error");
    assert_eq!(
        refused.header("x-pinhole-task-id"),
        "",
        "nothing was admitted"
    );
    app.nobody().get("/readyz").await.ok();
    app.finish().await;
}
