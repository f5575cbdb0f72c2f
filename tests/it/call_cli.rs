//! `generate` and `edit` as people type them: flags that come from the model, files that stay, words that help.

use crate::cli::{Place, Ran, Server, wait_for};
use serde_json::json;
use std::process::Stdio;
use std::time::Duration;

const SMALL: [&str; 4] = ["-m", "sketch", "--size", "64x64"];

#[test]
fn flags_are_those_of_the_model() {
    let place = Place::new();
    let help = place.run(&["gen", "--help"]).exits(0).out();
    assert!(help.contains("Parameters of gpt-image-2"), "{help}");
    assert!(help.contains("--quality") && help.contains("<low|medium|high>"));
    assert!(!help.contains("--aspect-ratio"));
    let help = place
        .run(&["gen", "--help", "-m", "gpt-image-2-beta"])
        .exits(0)
        .out();
    assert!(
        help.contains("--aspect-ratio") && !help.contains("--quality"),
        "{help}"
    );
    let dry = |arguments: &[&str]| {
        let whole = [&["gen", "fox", "--dry-run", "--json"], arguments].concat();
        place.json(&whole)["request"].clone()
    };
    let request = dry(&[
        "--output-format",
        "webp",
        "--output_compression=80",
        "--size=1024x1536",
    ]);
    assert_eq!(
        request,
        json!({"model": "gpt-image-2", "prompt": "fox", "output_format": "webp", "output_compression": 80, "size": "1024x1536"})
    );
    assert_eq!(
        dry(&["-m", "qwen-image-plus", "--prompt-extend"])["prompt_extend"],
        true
    );
    assert_eq!(
        dry(&["-m", "qwen-image-plus", "--prompt-extend=false"])["prompt_extend"],
        false
    );
    assert_eq!(dry(&["-m", "sketch", "--seed", "7"])["seed"], 7);
}

#[test]
fn what_is_mistyped_is_told_in_three_parts() {
    let place = Place::new();
    let says = |arguments: &[&str], words: &[&str]| {
        let _ = place.run(arguments).exits(2).says(words);
    };
    says(
        &["gen", "fox", "--qualty", "low"],
        &[
            "there is no option `--qualty`",
            "fix: did you mean `--quality`?",
        ],
    );
    says(
        &["gen", "fox", "--aspect-ratio", "1:1"],
        &[
            "there is no option `--aspect-ratio` here",
            "fix: `pinhole gen",
        ],
    );
    says(
        &["generat", "fox"],
        &["there is no command `generat`", "did you mean `generate`?"],
    );
    says(
        &["gen"],
        &["<PROMPT> is missing", "why: pinhole generate", "fix:"],
    );
    says(
        &["gen", "fox", "--show", "sixel"],
        &[
            "`sixel` is not possible",
            "why: it takes auto, kitty, iterm, blocks, off",
        ],
    );
    says(
        &["gen", "fox", "-p", "quality"],
        &["why: expected NAME=VALUE", "fix:"],
    );
    says(
        &["gen", "fox", "--quality", "best"],
        &["`quality` must be one of", "fix:"],
    );
    says(
        &["task", "wai"],
        &["there is no command `wai`", "did you mean `wait`?"],
    );
    says(&["gen", "fox", "-m"], &["needs a value"]);
}

#[test]
fn a_file_is_never_written_over_unasked() {
    let place = Place::new();
    let run = |more: &[&str]| place.run(&[&["gen", "fox"], &SMALL[..], more].concat());
    let path = place.work().join("fox.png");
    std::fs::write(&path, "mine").expect("written");
    run(&["-o", "fox.png"])
        .exits(2)
        .says(&["fox.png is there already", "--overwrite"]);
    assert_eq!(std::fs::read(&path).expect("read"), b"mine");
    std::fs::write(place.work().join("two-2.png"), "mine").expect("written");
    run(&["-o", "two.png", "-n", "2"])
        .exits(2)
        .says(&["two-2.png is there already"]);
    run(&["-o", "fox.png", "--overwrite"]).exits(0);
    assert!(image::open(&path).is_ok());
    let text = ["gen", "why?", "-m", "gemini-3.5-flash", "-o", "fox.png"];
    place.run(&text).exits(2).says(&["is there already"]);
}

#[test]
fn an_edit_takes_a_file_or_stdin_alone_and_through_a_server() {
    let place = Place::new();
    place
        .run(&[&["gen", "fox", "-o", "fox.png"], &SMALL[..]].concat())
        .exits(0);
    fn edit<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&["edit", file, "at night"], &SMALL[..], more].concat()
    }
    place.run(&edit("fox.png", &["-o", "alone.png"])).exits(0);
    place
        .run(&edit("fix.png", &[]))
        .exits(2)
        .says(&["did you mean `fox.png`?"]);
    let dry = place.json(&edit(
        "fox.png",
        &["--mask", "fox.png", "--dry-run", "--json"],
    ));
    assert_eq!(dry["request"]["image"], json!(["fox.png"]));
    let server = Server::start(&place);
    let bytes = std::fs::read(place.work().join("fox.png")).expect("read");
    let from_stdin = |bytes: Vec<u8>| {
        let mut command = place.command(&edit("-", &["-o", "served.png", "--overwrite"]));
        Ran::of(command.write_stdin(bytes).output().expect("it starts"))
    };
    from_stdin(bytes).exits(0);
    from_stdin(Vec::new())
        .exits(2)
        .says(&["there is nothing in -"]);
    drop(server);
    let picture = |name: &str| std::fs::read(place.work().join(name)).expect("read");
    assert!(
        picture("alone.png") == picture("served.png"),
        "the same words and picture make the same"
    );
    assert!(picture("alone.png") != picture("fox.png"));
}

#[test]
fn several_pictures_stream_through_a_server_and_failures_keep_their_code() {
    let place = Place::new();
    let server = Server::start(&place);
    let several = place.json(&[&["gen", "fox", "--json", "-n", "3"], &SMALL[..]].concat());
    let images = several["images"].as_array().expect("a list");
    let paths: Vec<_> = images
        .iter()
        .filter_map(|image| image["path"].as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "./pinhole-0001.png",
            "./pinhole-0002.png",
            "./pinhole-0003.png"
        ]
    );
    assert!(
        several["task"]
            .as_str()
            .is_some_and(|task| task.starts_with("task_"))
    );
    for (fail, code) in [
        ("upstream", 5),
        ("content_policy", 5),
        ("unknown", 5),
        ("timeout", 6),
    ] {
        let prompt = format!("[pinhole:fail={fail}] fox");
        let _ = place
            .run(&[&["gen", &prompt], &SMALL[..]].concat())
            .exits(code)
            .says(&["task_"]);
    }
    drop(server);
}

#[test]
fn ctrl_c_leaves_a_running_task_to_the_server_and_says_so() {
    let place = Place::new();
    let server = Server::start(&place);
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_pinhole"))
        .args([&["gen", "[pinhole:delay=10s] fox"], &SMALL[..]].concat())
        .env_clear()
        .env("HOME", place.root.path())
        .env("PINHOLE_DATA", place.data())
        .current_dir(place.work())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    wait_for(Duration::from_secs(30), || {
        let running = place.run(&["task", "ls", "--state", "processing", "--json"]);
        running.out().contains("task_").then_some(())
    });
    let pid = i32::try_from(child.id()).ok();
    let pid = pid
        .and_then(rustix::process::Pid::from_raw)
        .expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    let ran = Ran::of(child.wait_with_output().expect("it ends")).exits(130);
    let _ = ran.says(&["error: interrupted", "why:", "fix: `pinhole task"]);
    drop(server);
}
