//! iTerm2's inline images (<https://iterm2.com/documentation-images.html>), which WezTerm shows too: a PNG in base64.

use super::picture::Fitted;
use super::through_tmux;

/// The picture, shown where the cursor is.
pub(super) fn encode(picture: &Fitted, in_tmux: bool) -> Option<Vec<u8>> {
    let png = picture.png()?;
    let (bytes, columns, rows) = (png.len(), picture.columns, picture.rows);
    let text = base64_simd::STANDARD.encode_to_string(png);
    let sequence = format!(
        "\x1b]1337;File=inline=1;size={bytes};width={columns};height={rows};preserveAspectRatio=1:{text}\x07"
    );
    Some(if in_tmux {
        through_tmux(sequence.as_bytes())
    } else {
        sequence.into_bytes()
    })
}
