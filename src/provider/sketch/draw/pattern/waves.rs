//! Waves as old cloth has them: rows of round scales, each a nest of rings, each row over the one above.

use super::*;

pub(super) fn paint(
    picture: &mut Picture,
    cloth: &Cloth,
    _: &Reading,
    dice: &mut Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) {
    let across = 5.0 + (dice.roll() % 4) as f32;
    let radius = (cloth.unit / across * 0.5).max(8.0);
    // Small scales have fewer rings: what is thinner than a pixel or two is only grey.
    let most = (radius / 4.0) as usize;
    let rings = (4 + (dice.roll() % 2) as usize).min(most);
    let rows = (cloth.height / (radius * 0.5)) as i32 + 4;
    let columns = (cloth.width / (radius * 2.0)) as i32 + 2;
    let style = dice.roll();
    for row in 0..rows {
        let y = row as f32 * radius * 0.5;
        let shift = if row % 2 == 0 { 0.0 } else { radius };
        for column in -1..=columns {
            let centre = (column as f32 * radius * 2.0 + shift, y);
            scale(
                &mut Easel::new(picture),
                cloth,
                centre,
                (radius, rings),
                (style, dice),
            );
        }
        if row == rows / 3 || row == rows * 2 / 3 {
            stage(if row == rows / 3 { 1 } else { 2 }, picture);
        }
    }
}

/// One scale. Most are of one family of colours; one in nine stands out.
fn scale(
    easel: &mut Easel,
    cloth: &Cloth,
    centre: Point,
    (radius, rings): (f32, usize),
    (style, dice): (u64, &mut Dice),
) {
    let sea = cloth.inks.colour_on(cloth.ground, style as usize % 3);
    let odd = dice.chance(0.11);
    let lead = if odd {
        cloth.inks.colour_on(sea, dice.roll() as usize % 4)
    } else {
        sea
    };
    let lead = lead.lighten(dice.between(-0.05, 0.05));
    let line = cloth.ground;
    let steps = rings * 2;
    for step in 0..steps {
        let share = 1.0 - step as f32 / steps as f32;
        let tone = match step % 2 {
            0 => line,
            _ => lead.mix(line, 0.16 * (step / 2) as f32 * (style >> 9 & 1) as f32),
        };
        // The light ring is a seam, thinner than the dark one; without a ground it is a gap.
        let share = if step % 2 == 0 { share } else { share + 0.035 };
        let ring = circle(centre, radius * share);
        match cloth.transparent && step % 2 == 0 {
            true => easel.erase(&ring),
            false => easel.fill(&ring, tone.rgb(), 1.0),
        }
    }
}
