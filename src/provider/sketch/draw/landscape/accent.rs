//! Small things that words ask for, as silhouettes: a lighthouse, a boat, a house, trees, birds.

use super::land::Land;
use super::silhouette::Outline;
use super::woods;
use crate::provider::sketch::draw::colour::Rgb;
use crate::provider::sketch::draw::picture::Picture;
use crate::provider::sketch::draw::plan::Plan;
use crate::provider::sketch::draw::words::Accent;

/// What stands on the far shore or the middle ground: painted before the water, so that the water mirrors it.
pub(super) fn paint_on_land(picture: &mut Picture, plan: &mut Plan, land: &Land) {
    if plan.water.is_some() {
        paint_standing(picture, plan, land);
    }
}

/// What stands on the near ground, floats or flies.
pub(super) fn paint_in_front(picture: &mut Picture, plan: &mut Plan, land: &Land) {
    if plan.water.is_none() {
        paint_standing(picture, plan, land);
    }
    for accent in plan.accents.clone() {
        match accent {
            Accent::Boat => boat(picture, plan),
            Accent::Birds => birds(picture, plan),
            Accent::Tree => woods::big_tree(picture, plan, land),
            Accent::Lighthouse | Accent::House | Accent::Tower => {}
        }
    }
    woods::framing(picture, plan, land);
}

fn paint_standing(picture: &mut Picture, plan: &mut Plan, land: &Land) {
    for accent in plan.accents.clone() {
        // A big tree already stands away from the light; then the rest stands on the other side of it.
        let crowded = plan.water.is_none() && plan.accents.contains(&Accent::Tree);
        let leftward = (plan.light_side() > 0.0) != crowded;
        let side = if leftward { 0.34 } else { 0.66 };
        let share = side + plan.dice.between(-0.05, 0.05);
        let foot = land.footing(share, plan.unit * 0.1, plan);
        match accent {
            Accent::Lighthouse => lighthouse(picture, plan, foot),
            Accent::House => house(picture, plan, foot),
            Accent::Tower => tower(picture, plan, foot),
            Accent::Boat | Accent::Birds | Accent::Tree => {}
        }
    }
}

/// Dark, with a little of the air between it and the viewer.
pub(super) fn ink(plan: &Plan, air: f32) -> Rgb {
    plan.palette.dark.mix(plan.palette.haze, air).rgb()
}

fn lighthouse(picture: &mut Picture, plan: &Plan, (x, y): (f32, f32)) {
    let scale = plan.unit * 0.22;
    let foot = (x, y + scale * 0.04);
    let light = (foot.0, foot.1 - scale * 0.855);
    let (dark, lamp) = (ink(plan, 0.08), plan.palette.lamp.rgb());
    if !plan.transparent && (plan.is_dark() || plan.mist > 0.5) {
        beam(picture, plan, light, lamp);
    }
    lighthouse_shaft(picture, plan, foot, scale);
    let mut put = |outline: Outline, colour: Rgb| outline.fill(picture, foot, scale, colour, 1.0);
    put(
        Outline::new()
            .block((-0.08, 0.78), (0.08, 0.805))
            .block((-0.04, 0.9), (0.04, 0.92)),
        dark,
    );
    put(Outline::new().block((-0.038, 0.805), (0.038, 0.9)), lamp);
    let roof = Outline::new().shape(&[(-0.055, 0.92), (0.055, 0.92), (0.0, 0.99)]);
    put(roof.block((-0.006, 0.98), (0.006, 1.04)), dark);
    let cottage = [
        (0.1, 0.0),
        (0.36, 0.0),
        (0.36, 0.1),
        (0.23, 0.19),
        (0.1, 0.1),
    ];
    put(Outline::new().shape(&cottage), dark);
    if plan.is_dark() {
        put(Outline::new().block((0.16, 0.04), (0.2, 0.09)), lamp);
        glow(picture, light, scale * 0.42, lamp, 0.85);
    }
}

/// The white shaft with its two bands, one side of it in shadow.
fn lighthouse_shaft(picture: &mut Picture, plan: &Plan, foot: (f32, f32), scale: f32) {
    let palette = &plan.palette;
    let (gloom, shade) = if plan.is_dark() {
        (0.55, 0.6)
    } else {
        (0.12, 0.35)
    };
    let wall = palette.snow_lit.mix(palette.ground_shade, gloom).rgb();
    let shadow = palette.snow_shade.mix(palette.dark, shade).rgb();
    let half = |at: f32| 0.085 - 0.03 * at / 0.78;
    let ring = |low: f32, high: f32| {
        [
            (-half(low), low),
            (half(low), low),
            (half(high), high),
            (-half(high), high),
        ]
    };
    Outline::new()
        .shape(&ring(0.0, 0.78))
        .fill(picture, foot, scale, wall, 1.0);
    let away = -plan.light_side();
    let dim = [
        (0.0, 0.0),
        (half(0.0) * away, 0.0),
        (half(0.78) * away, 0.78),
        (0.0, 0.78),
    ];
    Outline::new()
        .shape(&dim)
        .fill(picture, foot, scale, shadow, 0.85);
    let bands = Outline::new()
        .shape(&ring(0.18, 0.34))
        .shape(&ring(0.50, 0.64));
    bands.fill(picture, foot, scale, ink(plan, 0.08), 0.55);
}

/// Two cones of light that widen and fade.
fn beam(picture: &mut Picture, plan: &Plan, lamp: (f32, f32), colour: Rgb) {
    let tilt = 0.10 * plan.light_side();
    let reach = plan.width.max(plan.unit);
    let (width, bottom) = (picture.width(), (plan.horizon as u32).min(picture.height()));
    for (x, y) in (0..bottom).flat_map(|y| (0..width).map(move |x| (x, y))) {
        let (dx, dy) = ((x as f32 - lamp.0) / reach, (y as f32 - lamp.1) / reach);
        let (along, across) = (dx.abs(), (dy + dx * tilt).abs());
        if across > 0.02 + along * 0.09 {
            continue;
        }
        let inside = 1.0 - across / (0.006 + along * 0.075);
        if inside > 0.0 {
            picture.dab(
                x as i32,
                y as i32,
                colour,
                inside.min(0.6) * 0.75 / (1.0 + along * along * 30.0 + along * 4.0),
            );
        }
    }
}

fn glow(picture: &mut Picture, centre: (f32, f32), radius: f32, colour: Rgb, strength: f32) {
    for y in (centre.1 - radius) as i32..=(centre.1 + radius) as i32 {
        for x in (centre.0 - radius) as i32..=(centre.0 + radius) as i32 {
            let (dx, dy) = (
                (x as f32 - centre.0) / radius,
                (y as f32 - centre.1) / radius,
            );
            let far = dx * dx + dy * dy;
            if far < 1.0 {
                let fade = (1.0 - far) * (1.0 - far);
                picture.dab(x, y, colour, strength * fade * fade / (1.0 + far * 14.0));
            }
        }
    }
}

fn house(picture: &mut Picture, plan: &Plan, (x, y): (f32, f32)) {
    let scale = plan.unit * if plan.water.is_some() { 0.05 } else { 0.085 };
    let foot = (x, y + scale * 0.12);
    let (dark, lamp) = (ink(plan, 0.12), plan.palette.lamp.rgb());
    let wall = plan
        .palette
        .ground_shade
        .mix(
            plan.palette.snow_lit,
            if plan.is_dark() { 0.12 } else { 0.5 },
        )
        .rgb();
    Outline::new()
        .shape(&[(-0.5, 0.0), (0.5, 0.0), (0.5, 0.42), (-0.5, 0.42)])
        .fill(picture, foot, scale, wall, 1.0);
    Outline::new()
        .shape(&[(-0.6, 0.4), (0.6, 0.4), (0.38, 0.86), (-0.38, 0.86)])
        .block((0.14, 0.7), (0.26, 1.02))
        .fill(picture, foot, scale, dark, 1.0);
    Outline::new()
        .block((-0.34, 0.14), (-0.16, 0.32))
        .block((0.16, 0.14), (0.34, 0.32))
        .fill(
            picture,
            foot,
            scale,
            if plan.is_dark() { lamp } else { dark },
            0.95,
        );
    Outline::new()
        .block((-0.07, 0.0), (0.07, 0.28))
        .fill(picture, foot, scale, dark, 1.0);
    if plan.is_dark() {
        glow(
            picture,
            (foot.0, foot.1 - scale * 0.2),
            scale * 1.3,
            lamp,
            0.35,
        );
    }
}

/// A stepped tower with eaves; reads as a castle keep or a pagoda from afar.
fn tower(picture: &mut Picture, plan: &Plan, (x, y): (f32, f32)) {
    let scale = plan.unit * 0.2;
    let foot = (x, y + scale * 0.04);
    let (dark, lamp) = (ink(plan, 0.1), plan.palette.lamp.rgb());
    let mut outline = Outline::new();
    for level in 0..4 {
        let low = level as f32 * 0.2;
        let half = 0.13 - level as f32 * 0.022;
        outline = outline.block((-half, low), (half, low + 0.16)).shape(&[
            (-half - 0.06, low + 0.15),
            (half + 0.06, low + 0.15),
            (half * 0.8, low + 0.21),
            (-half * 0.8, low + 0.21),
        ]);
    }
    outline
        .shape(&[(-0.03, 0.8), (0.03, 0.8), (0.0, 0.98)])
        .fill(picture, foot, scale, dark, 1.0);
    if plan.is_dark() {
        Outline::new()
            .block((-0.02, 0.05), (0.02, 0.12))
            .block((-0.018, 0.26), (0.018, 0.32))
            .block((-0.016, 0.46), (0.016, 0.52))
            .fill(picture, foot, scale, lamp, 0.9);
    }
}

/// A small sailing boat with its reflection under it.
fn boat(picture: &mut Picture, plan: &mut Plan) {
    if plan.water.is_none() {
        return;
    }
    let near = plan.dice.between(0.10, 0.22);
    let scale = plan.unit * (0.05 + near * 0.28);
    let foot = (
        plan.width * 0.5 + plan.light_side() * plan.width * plan.dice.between(0.02, 0.2),
        plan.horizon + (plan.height - plan.horizon) * near,
    );
    let dark = ink(plan, 0.1);
    let sail = plan
        .palette
        .snow_lit
        .mix(plan.palette.glow, 0.3)
        .mix(plan.palette.dark, if plan.is_dark() { 0.45 } else { 0.05 })
        .rgb();
    for (flip, coverage) in [(-0.7, 0.35), (1.0, 1.0)] {
        let up = |y: f32| y * flip;
        Outline::new()
            .arcs(
                (-0.42, up(0.12)),
                (0.0, up(-0.10)),
                (0.46, up(0.14)),
                (0.0, up(0.10)),
            )
            .fill(picture, foot, scale, dark, coverage);
        Outline::new()
            .block((-0.01, up(0.08)), (0.01, up(1.0)))
            .fill(picture, foot, scale, dark, coverage);
        Outline::new()
            .arcs(
                (0.03, up(0.18)),
                (0.36, up(0.4)),
                (0.02, up(0.98)),
                (0.06, up(0.5)),
            )
            .fill(picture, foot, scale, sail, coverage);
        Outline::new()
            .arcs(
                (-0.04, up(0.2)),
                (-0.2, up(0.4)),
                (-0.03, up(0.86)),
                (-0.1, up(0.5)),
            )
            .fill(picture, foot, scale, sail, coverage * 0.9);
    }
}

fn birds(picture: &mut Picture, plan: &mut Plan) {
    if plan.transparent {
        return;
    }
    let colour = ink(plan, 0.18);
    let flock = (
        plan.width * plan.dice.between(0.25, 0.75),
        plan.horizon * plan.dice.between(0.35, 0.62),
    );
    for _ in 0..(4 + plan.dice.roll() % 6) {
        let place = (
            flock.0 + plan.unit * plan.dice.between(-0.16, 0.16),
            flock.1 + plan.unit * plan.dice.between(-0.07, 0.07),
        );
        let scale = plan.unit * plan.dice.between(0.008, 0.017);
        let lift = plan.dice.between(0.25, 0.75);
        Outline::new()
            .arcs(
                (0.0, 0.0),
                (0.5, lift + 0.25),
                (1.0, lift * 0.5),
                (0.5, lift),
            )
            .arcs(
                (0.0, 0.0),
                (-0.5, lift + 0.25),
                (-1.0, lift * 0.6),
                (-0.5, lift),
            )
            .fill(picture, place, scale, colour, 0.9);
    }
}
