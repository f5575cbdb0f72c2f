//! `pinhole compare`: one prompt, several models, a table, a sheet.

use crate::cli::{Place, Server};

const CALL: [&str; 6] = ["compare", "a fox", "-m", "sketch", "-m", "gpt-image-2"];

#[test]
fn models_stand_side_by_side_alone_and_through_a_server() {
    let place = Place::new();
    let check = |folder: &str| {
        let ran = place.run(&CALL).exits(0).out();
        let lines: Vec<&str> = ran.lines().collect();
        assert!(
            lines[0].starts_with("MODEL") && lines[0].contains("TIME"),
            "{ran}"
        );
        assert!(
            lines[1].starts_with("sketch") && lines[2].starts_with("gpt-image-2"),
            "{ran}"
        );
        assert!(
            lines[2].contains("1024x1024") && lines[2].contains("$0.0000"),
            "{ran}"
        );
        assert!(
            place.work().join(folder).join("gpt-image-2.png").is_file(),
            "{ran}"
        );
    };
    check("compare-0001");
    let server = Server::start(&place);
    check("compare-0002");
    drop(server);
}

#[test]
fn a_sheet_has_all_of_them_and_what_fails_is_told() {
    let place = Place::new();
    let told = place.json(&[&CALL[..], &["--sheet", "sheet.png", "-o", "out", "--json"]].concat());
    assert_eq!(told["rows"][1]["model"], "gpt-image-2");
    assert_eq!(told["rows"][1]["images"][0]["path"], "out/gpt-image-2.png");
    assert_eq!(told["sheet"], "sheet.png");
    let sheet = image::open(place.work().join("sheet.png")).expect("a picture");
    assert_eq!(
        (sheet.width(), sheet.height()),
        (2 * 512 + 3 * 16, 512 + 32)
    );
    place
        .run(&[&CALL[..], &["--sheet", "sheet.png"]].concat())
        .exits(2)
        .says(&["is there already"]);

    let one_fails = [&CALL[..], &["-p", "seed=7"]].concat();
    let ran = place
        .run(&one_fails)
        .exits(2)
        .says(&["gpt-image-2 failed", "seed"]);
    assert!(ran.out().contains("failed"), "{}", ran.out());
    place
        .run(&CALL[..4])
        .exits(2)
        .says(&["at least two models"]);
    let dry = place
        .run(&[&CALL[..], &["--dry-run"]].concat())
        .exits(0)
        .out();
    assert!(dry.contains("$0.0530"), "{dry}");
}
