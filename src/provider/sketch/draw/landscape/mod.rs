//! The landscape: sky, clouds, land, water, weather, and small things, painted from far to near.

mod accent;
mod clouds;
mod land;
mod profile;
mod relief;
mod silhouette;
mod sky;
mod skyline;
mod water;
mod weather;
mod woods;

use super::Scene;
use super::finish;
use super::noise::Dice;
use super::picture::Picture;
use super::plan::Plan;
use super::words::{Reading, Weather};

/// Paints one landscape, showing `stage` every state in which it could be looked at.
pub(super) fn paint(
    scene: &Scene,
    reading: &Reading,
    dice: Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) -> Picture {
    let mut plan = Plan::new(scene, reading, dice);
    let mut picture = Picture::new(scene.width, scene.height);
    let mut reached = 0;
    let mut show = |picture: &Picture| {
        stage(reached, picture);
        reached += 1;
    };
    if !plan.transparent {
        sky::paint(&mut picture, &mut plan);
        show(&picture);
        clouds::paint(&mut picture, &mut plan);
        if plan.weather == Weather::Storm {
            weather::lightning(&mut picture, &mut plan);
        }
        show(&picture);
    }
    let land = land::Land::lay_out(&mut plan);
    if plan.transparent {
        // Without a sky the first stages come from splitting the land.
        land.paint_farthest(&mut picture, &plan);
        show(&picture);
        land.paint_middle(&mut picture, &plan);
    } else {
        land.paint_far(&mut picture, &plan);
    }
    show(&picture);
    accent::paint_on_land(&mut picture, &mut plan, &land);
    water::paint(&mut picture, &mut plan);
    land.paint_near(&mut picture, &plan);
    show(&picture);
    accent::paint_in_front(&mut picture, &mut plan, &land);
    weather::paint(&mut picture, &mut plan);
    let vignette = if plan.transparent { 0.0 } else { 0.16 };
    finish::grade(&mut picture, plan.dice.seed(), vignette, 5.0);
    picture
}
