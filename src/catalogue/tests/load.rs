//! Files: what is compiled in is sound, what is broken is named, what an operator adds counts.

use super::*;
use crate::catalogue::Problems;
use std::fs;

/// A whole model with `more` at its end, as an override.
fn small(id: &str, more: &str) -> String {
    format!(
        "id = \"{id}\"\nname = \"Small\"\ndescription = \"d\"\nowner = \"me\"\n\
         modality = \"image\"\noperations = [\"generate\"]\n{more}"
    )
}

/// A price for every sort of tokens.
fn tokens(more: &str) -> String {
    let units = ["input_text", "input_image", "output"];
    let price = |sort| {
        format!(
            "[[price]]\nunit = \"million_{sort}_tokens\"\namount = \"1\"\nsource = \"s\"\ndate = 2026-01-01\n"
        )
    };
    units.map(price).concat() + more
}

pub(super) fn load(files: &[(&str, &str)]) -> Result<Catalogue, Problems> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Catalogue::load(Some(folder.path())).map_err(|mut problems| {
        let folder = format!("{}/", folder.path().display());
        for problem in &mut problems.0 {
            problem.place.file = problem.place.file.replace(&folder, "").into();
        }
        problems
    })
}

/// A model of its own, for a test.
pub(super) fn made(more: &str) -> Arc<Model> {
    let catalogue = load(&[("a.toml", &small("small", more))]);
    let catalogue = catalogue.unwrap_or_else(|problems| panic!("{problems}"));
    catalogue.find("small").unwrap().clone()
}

#[test]
fn every_embedded_file_passes_its_checks() {
    let catalogue = Catalogue::embedded().unwrap_or_else(|problems| panic!("{problems}"));
    let ids: Vec<&str> = catalogue.models().iter().map(|model| &*model.id).collect();
    let expected = [
        "NBP",
        "chatgpt-image-latest",
        "dall-e-2",
        "dall-e-3",
        "gemini-3.5-flash",
        "gpt-image-1",
        "gpt-image-1-mini",
        "gpt-image-1.5",
        "gpt-image-2",
        "gpt-image-2-beta",
        "gpt-image-2-lite",
        "gpt-image-2.5-flare",
        "gpt-image-2.5-sunburst",
        "gpt-image-2.6-flare",
        "gpt-image-2.6-sunburst",
        "qwen-image-plus",
        "sketch",
        "sparkpix-image-edit",
    ];
    assert_eq!(ids, expected);
    assert_eq!(
        catalogue.find("gpt-image-2-2026-04-21").unwrap().id,
        "gpt-image-2"
    );
    assert_eq!(
        catalogue.find("dall-e-3").unwrap().replacement.as_deref(),
        Some("gpt-image-2")
    );
}

#[test]
fn a_broken_file_is_refused_with_file_line_column_and_reason() {
    let check = |more: &str, problem: &str| {
        let problems = load(&[("image/a.toml", &small("a", more))]).unwrap_err();
        let told = problems.to_string();
        assert!(told.starts_with(problem), "{more}: {told}");
    };
    let size = "[[parameter]]\nname = \"size\"\ntype = \"enum\"\ndescription = \"d\"\nenum = [\"1x1\", \"2x2\"]\n";
    check(
        "colour = 1\n",
        "image/a.toml:7:1: unknown field `colour`, expected one of `id`, ",
    );
    check("owner = 1\n", "image/a.toml:7:1: duplicate key");
    check(
        &format!("{size}maximun = 3\n"),
        "image/a.toml:12:1: unknown field `maximun`",
    );
    check(
        &format!("\n{size}minimum = 3\n"),
        "image/a.toml:8:1: `size`: the key `minimum` means nothing to this type",
    );
    check(
        &format!("{size}default = \"3x3\"\n"),
        "image/a.toml:7:1: `size`: `default` must be one of 1x1, 2x2; got \"3x3\"",
    );
    check(
        &format!(
            "{size}[[price]]\nunit = \"image\"\nwhen = {{ size = \"9x9\" }}\namount = \"1\"\nsource = \"s\"\ndate = 2026-01-01\n"
        ),
        "image/a.toml:12:1: `size` does not take \"9x9\"",
    );
    check(
        &format!(
            "{size}[[price]]\nunit = \"image\"\nwhen = {{ size = \"1x1\" }}\namount = \"1\"\nsource = \"s\"\ndate = 2026-01-01\n"
        ),
        "image/a.toml:1:1: no price matches the operation generate with {}",
    );
    check(
        "[[price]]\nunit = \"image\"\namount = \"1,5\"\nsource = \"s\"\ndate = 2026-01-01\n",
        "image/a.toml:9:10: an amount is written in dollars with at most six decimal places, like 12 or 0.053; got \"1,5\"",
    );
    check(
        "[[price]]\nunit = \"million_output_tokens\"\namount = \"1\"\nsource = \"s\"\ndate = 2026-01-01\n",
        "image/a.toml:1:1: no price of input text matches the operation generate with {}",
    );
    check(
        &tokens("[[parameter]]\nname = \"max_tokens\"\ntype = \"integer\"\ndescription = \"d\"\n"),
        "image/a.toml:1:1: a price by tokens needs the parameter `max_tokens`, an integer with a maximum",
    );
    check(
        &tokens(
            "[[parameter]]\nname = \"max_tokens\"\ntype = \"integer\"\nmaximum = 9\ndescription = \"d\"\n\
             [[parameter]]\nname = \"look\"\ntype = \"image\"\ndescription = \"d\"\n",
        ),
        "image/a.toml:1:1: a price by tokens needs `image_tokens`",
    );
    check(
        "[[parameter]]\nname = \"steps\"\ntype = \"integer\"\nclamp = true\ndescription = \"d\"\n",
        "image/a.toml:7:1: `clamp` needs `maximum`, which it goes back to",
    );
    check(
        "[[forbid]]\nwhen = { colour = \"red\" }\nmessage = \"m\"\n",
        "image/a.toml:7:1: `colour` is no parameter of this model",
    );
    check(
        "replacement = \"none\"\n",
        "image/a.toml:1:1: the replacement `none` is not in the catalogue",
    );
    check(
        "aliases = [\"sketch\"]\n",
        "image/a.toml:1:1: another model is already called `sketch`",
    );
    check(
        "[[parameter]]\nname = \"n\"\ntype = \"integer\"\ndescription = \"d\"\nminimum = 0\nmaximum = 4\n",
        "image/a.toml:7:1: `n` must be an integer with minimum 1 and maximum up to 100",
    );
}

#[test]
fn every_problem_of_every_file_is_told() {
    let problems = load(&[
        ("a.toml", "id = 5"),
        ("b.toml", "id = \"b\"\n"),
        ("c.toml", "???"),
    ]);
    let problems = problems.unwrap_err();
    let files: Vec<&str> = problems
        .0
        .iter()
        .map(|problem| &*problem.place.file)
        .collect();
    assert_eq!(files, ["a.toml", "c.toml", "b.toml"]);
    assert_eq!(problems.0[2].reason, "the key `name` is missing");
}

#[test]
fn an_override_replaces_adds_and_extends() {
    let catalogue = load(&[
        ("image/gpt.toml", &small("gpt-image-2", "")),
        (
            "deep/er/mine.toml",
            &small("mine", "aliases = [\"my/own\"]\n"),
        ),
        ("notes.txt", "not a model"),
    ])
    .unwrap();
    let built_in = Catalogue::embedded().unwrap().models().len();
    assert_eq!(catalogue.models().len(), built_in + 1);
    assert_eq!(catalogue.find("gpt-image-2").unwrap().name, "Small");
    assert_eq!(catalogue.find("my/own").unwrap().id, "mine");
    let price = "[[price]]\nunit = \"image\"\namount = \"1\"\nsource = \"us\"\ndate = 2026-01-01\n";
    let catalogue = load(&[
        (
            "a.toml",
            &format!("id = \"gpt-image-2\"\nextends = \"gpt-image-2\"\n{price}"),
        ),
        (
            "b.toml",
            "id = \"gpt-image-2-lite\"\nextends = \"gpt-image-2\"\nname = \"Lite\"\n",
        ),
    ])
    .unwrap();
    let model = catalogue.find("gpt-image-2-2026-04-21").unwrap();
    assert_eq!((&*model.name, model.prices.len()), ("GPT Image 2", 1));
    let lite = catalogue.find("gpt-image-2-lite").unwrap();
    assert_eq!(
        (&*lite.name, lite.prices.len(), lite.parameters.len()),
        ("Lite", 36, 11)
    );
}

#[test]
fn the_address_of_a_schema_belongs_to_one_model() {
    let ids = "aliases = [\"mine\", \"deep/schema\"]\n";
    assert!(load(&[("a.toml", &small("a", ids))]).is_ok());
    let problems = load(&[("a.toml", &small("sketch/schema", ""))]).unwrap_err();
    let reason = "`sketch/schema` is the address of another model's schema";
    assert_eq!(problems.0[0].reason, reason);
}

#[test]
fn a_table_of_sizes_speaks_in_values_of_the_form() {
    let ratio = "[[parameter]]\nname = \"size\"\ntype = \"enum\"\nenum = [\"1:1\", \"8x8\"]\ndescription = \"d\"\n";
    let check = |row: &str, reason: &str| {
        let more = format!("[sizes]\n{row}\n{ratio}");
        let problems = load(&[("a.toml", &small("a", &more))]).unwrap_err();
        assert_eq!(problems.to_string(), format!("a.toml:1:1: {reason}"));
    };
    check("\"9\" = { size = \"1:1\" }", "\"9\" is no WIDTHxHEIGHT");
    check(
        "\"8x8\" = { size = \"1:1\" }",
        "`size` takes \"8x8\" as it is",
    );
    check(
        "\"9x9\" = { size = \"1:2\" }",
        "\"9x9\": no parameter `size` takes \"1:2\"",
    );
    check(
        "\"9x9\" = { ratio = \"1:1\" }",
        "\"9x9\": no parameter `ratio` takes \"1:1\"",
    );
}

#[test]
fn one_model_is_described_once() {
    let problems = load(&[("a.toml", &small("a", "")), ("b.toml", &small("a", ""))]);
    assert_eq!(
        problems.unwrap_err().to_string().rsplit('/').next(),
        Some("a.toml")
    );
    let problems = load(&[("a.toml", "id = \"a\"\nextends = \"a\"\n")]).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "a.toml:1:1: `extends` names `a`, which is no other whole model file"
    );
}

/// The request examples of an edit bring their pictures by these names.
#[test]
fn the_pictures_of_an_edit_are_called_as_clients_call_them() {
    let check = |parameter: &str, reason: Option<&str>| {
        let file = small(
            "a",
            &format!("[[parameter]]\ndescription = \"d\"\n{parameter}"),
        );
        let file = file.replace("[\"generate\"]", "[\"generate\", \"edit\"]");
        let problems = load(&[("a.toml", &file)]).err();
        let found = problems.map(|it| it.0[0].reason.clone());
        assert_eq!(found.as_deref(), reason, "{file}");
    };
    check(
        "name = \"photo\"\ntype = \"image\"",
        Some("clients bring the pictures of an edit as `image`: give `photo` that alias"),
    );
    check(
        "name = \"image\"\ntype = \"images\"",
        Some("clients bring the pictures of an edit as `image[]`: give `image` that alias"),
    );
    check(
        "name = \"photo\"\naliases = [\"image\"]\ntype = \"image\"",
        None,
    );
    check("name = \"mask\"\ntype = \"image\"", None);
}

#[test]
fn a_missing_folder_changes_nothing() {
    let nowhere = std::path::Path::new("/nowhere/at/all");
    let built_in = Catalogue::embedded().unwrap().models().len();
    let loaded = Catalogue::load(Some(nowhere)).unwrap();
    assert_eq!(loaded.models().len(), built_in);
}

#[test]
fn the_self_check_finds_what_is_not_sound() {
    let check = |more: &str, reason: &str| {
        let problems = load(&[("a.toml", &small("a", more))]).unwrap_err();
        assert_eq!(problems.0[0].reason, reason, "{more}");
    };
    let parameter = |name: &str, more: &str| {
        format!("[[parameter]]\nname = \"{name}\"\ndescription = \"d\"\n{more}\n")
    };
    let price = |when: &str| {
        format!(
            "[[price]]\nunit = \"image\"\nwhen = {{ {when} }}\namount = \"1\"\nsource = \"s\"\ndate = 2026-01-01\n"
        )
    };
    check(
        &parameter("p", "type = \"string\"\nrequired = true"),
        "`p` is required and has no example",
    );
    check(
        &parameter("p", "type = \"string\"\nhint = true"),
        "`hint` needs `only_with` or `operations`, which say when it may go",
    );
    check(
        &parameter("p", "type = \"integer\"\nminimum = 3\nmaximum = 2"),
        "`minimum` is above `maximum`",
    );
    check(
        &parameter(
            "p",
            "type = \"number\"\nminimum = 0\nmaximum = 1\nstep = 0.1\nexample = 0.25",
        ),
        "`p`: `example` must be in steps of 0.1 from 0, got 0.25",
    );
    for endless in [
        "number\"\nstep = 0.1",
        "integer\"\nstep = 2",
        "integer\"\nminimum = 1\nstep = 2",
    ] {
        check(
            &parameter("p", &format!("type = \"{endless}")),
            "`step` needs `maximum`, up to which it counts",
        );
    }
    for fine in [
        "number\"\nmaximum = 1000000\nstep = 0.1",
        "integer\"\nminimum = 1\nmaximum = 1000000\nstep = 2",
    ] {
        check(
            &parameter("p", &format!("type = \"{fine}")),
            "`minimum` must be a multiple of `step` and `step` a whole number, or there must be at most 1000 values",
        );
    }
    check(
        &parameter("two words", "type = \"boolean\""),
        "the name \"two words\" has other characters than letters, digits and _-.[]",
    );
    check(
        &parameter("messages", "type = \"boolean\""),
        "a parameter cannot be called \"messages\"",
    );
    let image = parameter("i", "type = \"image\"");
    let target = |fields: &str| {
        let target = format!("[[target]]\nprovider = \"p\"\nmodel = \"m\"\nfields = {fields}\n");
        format!("{}{image}{target}", parameter("p", "type = \"boolean\""))
    };
    check(
        &target("{ q = true }"),
        "`fields`: `q` is no parameter of this model",
    );
    check(
        &target("{ i = true }"),
        "`fields`: `i` is no field; the provider sends it by itself",
    );
    check(
        &target("{ p = \"\" }"),
        "`fields`: the name \"\" is empty or stands twice",
    );
    check(
        &format!("{image}[[forbid]]\nwhen = {{ i = \"a\" }}\nmessage = \"m\"\n"),
        "`i` has no values that a condition could name",
    );
    check(
        &parameter("p", "type = \"number\"\nstep = 0"),
        "`step` must be above zero",
    );
    check(
        &parameter("p", "type = \"enum\"\nenum = [\"a\", { valu = 1 }]"),
        "the enum entry {\"valu\":1} is neither a text nor a whole number",
    );
    check(
        &parameter("p", "type = \"enum\""),
        "`p` is an enum without entries",
    );
    check(
        &parameter("p", "type = \"boolean\"\nexample = \"true\""),
        "`p`: `example` must be written true",
    );
    check(
        &format!(
            "{}{}",
            parameter("p", "type = \"string\""),
            parameter("q", "type = \"string\"\naliases = [\"p\"]")
        ),
        "the name `p` stands for two parameters",
    );
    let size = parameter(
        "size",
        "type = \"enum\"\nenum = [\"8x8\"]\ndefault = \"8x8\"\n\
         also = { kind = \"pixels\", multiple = 8, longest = 80, ratio = 2, min_pixels = 64, max_pixels = 6400 }",
    );
    check(
        &format!("{size}{}", price("size = { max_pixels = 6399 }")),
        "no price matches the operation generate with {\"size\":\"6400x1\"}",
    );
    check(
        &price("operation = \"edit\""),
        "`when` names an operation that the model does not have",
    );
    check(
        "[[target]]\nprovider = \"p\"\nmodel = \"m\"\noperations = [\"edit\"]\n",
        "a target serves an operation that the model does not have",
    );
    check(
        "ends = 2026-01-01\n",
        "a model with an end date is deprecated, not active",
    );
}

#[test]
fn prices_that_cannot_be_checked_or_leave_a_gap_are_refused() {
    let price = |unit: &str, when: &str| {
        format!(
            "[[price]]\nunit = \"{unit}\"\nwhen = {{ {when} }}\namount = \"1\"\nsource = \"s\"\ndate = 2026-01-01\n"
        )
    };
    let check = |more: &str, wrong: Option<&str>| {
        let loaded = load(&[("a.toml", &small("a", more))]);
        match (loaded, wrong) {
            (Ok(_), None) => {}
            (Err(problems), Some(wrong)) => {
                let told = problems.to_string();
                assert!(told.contains(wrong), "{told}");
            }
            (loaded, wrong) => panic!("{wrong:?}, got {:?}", loaded.err()),
        }
    };
    let steps = "[[parameter]]\nname = \"steps\"\ntype = \"integer\"\nminimum = 1\nmaximum = 9\ndefault = 1\n\
                 description = \"d\"\n";
    let one = price("image", "steps = 1");
    check(
        &format!("{steps}{one}"),
        Some("no price matches the operation generate with {} and any other `steps`"),
    );
    check(&format!("{steps}{one}{}", price("image", "")), None);

    let both = tokens(&price("image", ""));
    check(&both, Some("by images or by tokens, not by both"));

    let flag = |number: usize| {
        format!("[[parameter]]\nname = \"p{number}\"\ntype = \"boolean\"\ndescription = \"d\"\n")
    };
    let flags: String = (0..20).map(flag).collect();
    let all: Vec<String> = (0..20).map(|number| format!("p{number} = true")).collect();
    let rows = price("image", &all.join(", ")) + &price("image", "");
    check(&format!("{flags}{rows}"), Some("tell more than 20000"));
}
