//! Tiles: a small block of them, chosen once and laid again and again.

use super::*;
use crate::provider::sketch::draw::brush::{leaf, polygon, sector};

/// What all tiles of a floor have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Family {
    /// Quarter circles and leaves.
    #[default]
    Modern,
    /// Arcs that join to endless lines.
    Arcs,
    /// Flowers of four leaves.
    Petals,
    /// Stars of eight points, and crosses between them.
    Stars,
}

/// One tile of the block.
#[derive(Clone, Copy)]
struct Tile {
    shape: u64,
    turn: f32,
    ground: Lab,
    figure: Lab,
    heart: Lab,
}

pub(super) fn paint(
    picture: &mut Picture,
    cloth: &Cloth,
    _: &Reading,
    dice: &mut Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) {
    let family = dice.pick(&[Family::Modern, Family::Arcs, Family::Petals, Family::Stars]);
    let across = (5.0 + (dice.roll() % 4) as f32).round();
    let side = (cloth.unit / across).max(0.5);
    let block_side = if family == Family::Modern { 4 } else { 2 };
    let block: Vec<Tile> = (0..block_side * block_side)
        .map(|_| tile(cloth, family, dice))
        .collect();
    let (columns, rows) = (
        (cloth.width / side) as usize + 1,
        (cloth.height / side) as usize + 1,
    );
    let shown = [rows.div_ceil(3), (rows * 2).div_ceil(3)];
    for row in 0..rows {
        for column in 0..columns {
            let mut one = block[row % block_side * block_side + column % block_side];
            if family == Family::Arcs {
                one.turn = 0.25 * (dice.roll() % 2) as f32;
            }
            let corner = (column as f32 * side, row as f32 * side);
            lay(
                &mut Easel::new(picture),
                cloth,
                family,
                &one,
                (corner, side),
                dice,
            );
        }
        if row + 1 < rows && shown.contains(&(row + 1)) {
            stage(if row + 1 == shown[0] { 1 } else { 2 }, picture);
        }
    }
    // A floor of one or two rows has fewer states to show than were promised.
    for (number, at) in shown.iter().enumerate() {
        if *at >= rows || (number == 1 && shown[0] == shown[1]) {
            stage(number as u32 + 1, picture);
        }
    }
}

fn tile(cloth: &Cloth, family: Family, dice: &mut Dice) -> Tile {
    let quiet = matches!(family, Family::Arcs | Family::Stars);
    let ground = match quiet {
        true => cloth.ground,
        false => [cloth.ground, cloth.inks.colours[dice.roll() as usize % 5]]
            [usize::from(dice.chance(0.6))],
    };
    let figure = cloth.inks.colour_on(ground, dice.roll() as usize);
    Tile {
        shape: dice.roll(),
        turn: 0.25 * (dice.roll() % 4) as f32,
        ground,
        figure,
        heart: cloth.inks.colour_on(figure, dice.roll() as usize),
    }
}

fn lay(
    easel: &mut Easel,
    cloth: &Cloth,
    family: Family,
    tile: &Tile,
    (corner, side): (Point, f32),
    dice: &mut Dice,
) {
    let far = (corner.0 + side, corner.1 + side);
    let square = block(corner, far);
    if !cloth.transparent {
        easel.fill(&square, tile.ground.rgb(), 1.0);
    }
    let middle = (corner.0 + side * 0.5, corner.1 + side * 0.5);
    let mut inside = easel.within(
        (corner.0.floor(), corner.1.floor()),
        (far.0.ceil(), far.1.ceil()),
    );
    match family {
        Family::Modern => modern(&mut inside, tile, middle, side),
        Family::Arcs => arcs(&mut inside, cloth, tile, middle, side),
        Family::Petals => petals(&mut inside, tile, middle, side),
        Family::Stars => star(&mut inside, cloth, tile, middle, side),
    }
    let wear = cloth.grain(corner, far, dice.seed());
    easel.spray(
        &square,
        tile.figure.lighten(-0.1).rgb(),
        if cloth.transparent { 0.0 } else { 0.05 },
        &wear,
    );
}

/// How far a corner is from the middle of a tile of side 1.
const CORNER: f32 = std::f32::consts::FRAC_1_SQRT_2;

fn modern(easel: &mut Easel, tile: &Tile, middle: Point, side: f32) {
    let corner = polar(middle, side * CORNER, tile.turn + 0.125);
    let (figure, heart) = (tile.figure.rgb(), tile.heart.rgb());
    let quarter = |inner: f32, outer: f32| {
        sector(
            corner,
            side * inner,
            side * outer,
            tile.turn + 0.5,
            tile.turn + 0.75,
        )
    };
    match tile.shape % 6 {
        0 => {
            easel.fill(&quarter(0.0, 1.0), figure, 1.0);
            easel.fill(&quarter(0.0, 0.5), heart, 1.0);
        }
        1 => {
            let length = side * CORNER * 2.0;
            easel.fill(
                &leaf(corner, tile.turn + 0.625, length, side * 0.52, 0.5),
                figure,
                1.0,
            );
        }
        2 => {
            easel.fill(&circle(middle, side * 0.40), figure, 1.0);
            easel.fill(&circle(middle, side * 0.17), heart, 1.0);
        }
        3 => {
            let edge = polar(middle, side * 0.5, tile.turn);
            easel.fill(
                &sector(edge, 0.0, side * 0.5, tile.turn + 0.25, tile.turn + 0.75),
                figure,
                1.0,
            );
            let other = polar(middle, side * 0.5, tile.turn + 0.5);
            easel.fill(
                &sector(other, 0.0, side * 0.5, tile.turn - 0.25, tile.turn + 0.25),
                heart,
                1.0,
            );
        }
        4 => {
            for (inner, outer) in [(0.75, 1.0), (0.25, 0.5)] {
                easel.fill(&quarter(inner, outer), figure, 1.0);
            }
        }
        _ => {
            let other = polar(middle, side * CORNER, tile.turn + 0.375);
            let third = polar(middle, side * CORNER, tile.turn + 0.875);
            easel.fill(&polygon(&[corner, other, third]), figure, 1.0);
        }
    }
}

/// Two arcs around opposite corners: whichever way a tile is turned, its lines meet its neighbours'.
fn arcs(easel: &mut Easel, cloth: &Cloth, tile: &Tile, middle: Point, side: f32) {
    for half in [0.0, 0.5] {
        let corner = polar(middle, side * CORNER, tile.turn + half + 0.125);
        let (from, to) = (tile.turn + half + 0.5, tile.turn + half + 0.75);
        for (inner, outer, at) in [(0.28, 0.72, 0), (0.38, 0.62, 1), (0.46, 0.54, 2)] {
            let tone = cloth.colour(at).rgb();
            easel.fill(
                &sector(corner, side * inner, side * outer, from - 0.004, to + 0.004),
                tone,
                1.0,
            );
        }
    }
}

fn petals(easel: &mut Easel, tile: &Tile, middle: Point, side: f32) {
    for k in 0..4 {
        let turn = k as f32 * 0.25 + 0.125;
        let petal = leaf(middle, turn, side * CORNER * 0.98, side * 0.27, 0.5);
        easel.fill(&petal, tile.figure.rgb(), 1.0);
        let vein = leaf(
            polar(middle, side * 0.16, turn),
            turn,
            side * 0.36,
            side * 0.07,
            0.5,
        );
        easel.fill(&vein, tile.ground.rgb(), 0.9);
    }
    for k in 0..4 {
        let edge = polar(middle, side * 0.5, k as f32 * 0.25);
        easel.fill(&circle(edge, side * 0.075), tile.heart.rgb(), 1.0);
    }
    easel.fill(&circle(middle, side * 0.12), tile.heart.rgb(), 1.0);
}

fn star(easel: &mut Easel, cloth: &Cloth, tile: &Tile, middle: Point, side: f32) {
    let points = |radius: f32, waist: f32, from: f32| -> Vec<Point> {
        (0..16)
            .map(|k| {
                polar(
                    middle,
                    if k % 2 == 0 { radius } else { radius * waist },
                    from + k as f32 / 16.0,
                )
            })
            .collect()
    };
    for k in 0..4 {
        let corner = polar(middle, side * CORNER, k as f32 * 0.25 + 0.125);
        let cross = [
            polar(corner, side * 0.30, 0.0),
            polar(corner, side * 0.30, 0.25),
            polar(corner, side * 0.30, 0.5),
            polar(corner, side * 0.30, 0.75),
        ];
        easel.fill(&polygon(&cross), cloth.colour(1).rgb(), 1.0);
    }
    easel.fill(
        &polygon(&points(side * 0.5, 0.765, 0.0)),
        tile.figure.rgb(),
        1.0,
    );
    easel.fill(
        &polygon(&points(side * 0.40, 0.765, 0.0)),
        tile.ground.rgb(),
        1.0,
    );
    easel.fill(
        &polygon(&points(side * 0.34, 0.56, 0.0)),
        tile.heart.rgb(),
        1.0,
    );
    easel.fill(&circle(middle, side * 0.07), tile.ground.rgb(), 1.0);
}
