//! What the drawing core promises: the same again, something else for another seed, and no panic whatever it is asked.

use proptest::prelude::*;

use super::*;

const PROMPTS: [&str; 36] = [
    "a lighthouse at dusk",
    "rain over a lake with a boat",
    "snowy mountains at night, aurora",
    "autumn forest",
    "desert noon",
    "pink misty morning",
    "storm at sea",
    "月夜的湖",
    "green hills spring, a tree and a house",
    "city poster",
    "cyberpunk neon",
    "",
    "snow on a winter tree, birds",
    "a pagoda by the sea, starry night, moon",
    "monochrome, gloomy, cold",
    "golden pastel calm vivid warm",
    "\u{1F9D1}\u{200D}\u{1F680} \u{0}\u{301} ſ İstanbul ﷽",
    "سماء زرقاء פנס ทะเล",
    "abstract, autumn",
    "silk ribbons, blue",
    "jazz music at night",
    "poster of a boat on the sea, storm",
    "a poster for a winter market in the city",
    "bauhaus poster, red",
    "wildflowers",
    "a sunflower at dusk",
    "cherry blossom branch",
    "fern",
    "bamboo",
    "old tree in winter",
    "terrazzo",
    "geometric tiles",
    "seigaiha",
    "memphis confetti",
    "floral pattern",
    "rain pattern at night",
];

fn scene(prompt: &str) -> Scene<'_> {
    Scene {
        prompt,
        width: 120,
        height: 80,
        seed: 7,
        index: 0,
        transparent: false,
    }
}

fn finished(scene: &Scene) -> Picture {
    draw(scene, &mut |_, _| {})
}

/// How many of a hundred pixels differ by more than grain would explain.
fn difference(one: &Picture, other: &Picture) -> usize {
    let pairs = one
        .rgba()
        .as_chunks::<4>()
        .0
        .iter()
        .zip(other.rgba().as_chunks::<4>().0);
    let differing = pairs
        .filter(|(a, b)| a.iter().zip(*b).any(|(a, b)| a.abs_diff(*b) > 12))
        .count();
    differing * 100 / (one.rgba().len() / 4)
}

fn check_promises(prompt: &str, transparent: bool) {
    let scene = Scene {
        transparent,
        ..scene(prompt)
    };
    let mut stages = Vec::new();
    let picture = draw(&scene, &mut |number, stage| {
        stages.push((number, stage.clone()))
    });
    assert!(stages.len() >= 3, "{prompt}: {} stages", stages.len());
    assert!(
        picture == finished(&scene),
        "{prompt} is drawn the same again"
    );
    assert!(
        stages
            .iter()
            .map(|(number, _)| *number)
            .eq(0..stages.len() as u32),
        "{prompt}: stages are counted"
    );
    assert!(
        stages.windows(2).all(|pair| pair[0].1 != pair[1].1),
        "{prompt}: every stage adds something"
    );
    assert!(
        stages.iter().all(|(_, stage)| *stage != picture),
        "{prompt}: no stage is the last"
    );
    let clear = picture
        .rgba()
        .as_chunks::<4>()
        .0
        .iter()
        .filter(|pixel| pixel[3] == 0)
        .count();
    // A leaflet of a fern is thinner than a pixel of so small a picture.
    let solid = picture
        .rgba()
        .as_chunks::<4>()
        .0
        .iter()
        .filter(|pixel| pixel[3] >= 200)
        .count();
    assert_eq!(clear > 0, transparent, "{prompt}: {clear} clear pixels");
    assert!(
        solid > 0 && (transparent || picture.is_opaque()),
        "{prompt}: {solid} solid pixels"
    );
}

#[test]
fn every_prompt_keeps_the_promises() {
    for prompt in PROMPTS {
        check_promises(prompt, false);
        check_promises(prompt, true);
    }
}

/// Whether it is printed on a paper of its own, which need not change.
fn is_printed(prompt: &str) -> bool {
    let scene = scene(prompt);
    let kind = Reading::of(prompt).kind(&mut Dice::new(fingerprint(&scene)));
    kind != Kind::Landscape
}

#[test]
fn another_seed_or_index_gives_another_picture() {
    for prompt in PROMPTS {
        let picture = finished(&scene(prompt));
        let seeded = finished(&Scene {
            seed: 8,
            ..scene(prompt)
        });
        let second = finished(&Scene {
            index: 1,
            ..scene(prompt)
        });
        for (name, other) in [("seed", seeded), ("index", second)] {
            let percent = difference(&picture, &other);
            // Plants and posters may stand on the same paper; a landscape is another all over.
            let least = if is_printed(prompt) { 4 } else { 20 };
            assert!(
                percent >= least,
                "{prompt}: {name} changes only {percent} %"
            );
        }
    }
}

#[test]
fn any_size_can_be_drawn() {
    for (width, height) in [
        (0, 0),
        (1, 1),
        (2, 1),
        (1, 2),
        (16, 16),
        (17, 3),
        (150, 50),
        (16, 160),
        (1, 400),
        (400, 1),
    ] {
        for prompt in PROMPTS {
            let picture = finished(&Scene {
                width,
                height,
                ..scene(prompt)
            });
            assert_eq!(
                (picture.width(), picture.height()),
                (width.max(1), height.max(1))
            );
        }
    }
}

#[test]
fn it_says_only_what_it_understood() {
    let check = |prompt: &str, expected: &str| assert_eq!(understood(&scene(prompt)), expected);
    check(
        "a lighthouse by the sea at dusk",
        "a landscape; understood: lighthouse, sea, dusk (seed 7)",
    );
    check(
        "月夜的湖",
        "a landscape; understood: moon, night, lake (seed 7)",
    );
    check(
        "jazz poster",
        "a poster; understood: music, poster (seed 7)",
    );
    let by_chance = understood(&scene("an astronaut riding a horse"));
    assert!(
        by_chance.ends_with("; no words understood; drawn by chance (seed 7)"),
        "{by_chance}"
    );
    let boxes = understood(&scene("a lake with a 🦆 and a 🦢, 🦆"));
    assert_eq!(
        boxes,
        "a landscape; understood: lake; no glyph for 🦆 🦢, shown as a box (seed 7)"
    );
}

#[test]
fn a_picture_needs_as_many_pixels_as_its_sides_say() {
    assert!(Picture::from_rgba(2, 2, vec![0; 16]).is_some());
    assert!(Picture::from_rgba(2, 2, vec![0; 15]).is_none());
    assert!(Picture::from_rgba(0, 2, Vec::new()).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_panics(
        words in prop::collection::vec(prop::sample::select(PROMPTS.to_vec()), 0..3),
        noise in "\\PC{0,40}",
        (width, height) in (1u32..=256, 1u32..=256),
        (seed, index) in (any::<u64>(), any::<u32>()),
        transparent in any::<bool>(),
    ) {
        let prompt = format!("{} {noise}", words.join(" "));
        let scene = Scene { prompt: &prompt, width, height, seed, index, transparent };
        let picture = finished(&scene);
        prop_assert_eq!(picture.rgba().len(), width as usize * height as usize * 4);
        understood(&scene);
    }
}
