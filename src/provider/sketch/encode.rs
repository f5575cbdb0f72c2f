//! From a picture to a file: png, jpeg or webp, each saying what made it.

use std::borrow::Cow;

use super::draw::Picture;

/// The file formats `sketch` can answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lossless, with transparency.
    Png,
    /// Lossy, laid on white.
    Jpeg,
    /// Lossy, with transparency.
    Webp,
}

/// Why a picture could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The PNG encoder's own words.
    #[error("encoding png")]
    Png(#[from] png::EncodingError),
    /// The JPEG encoder's own words.
    #[error("encoding jpeg")]
    Jpeg(#[from] jpeg_encoder::EncodingError),
    /// The WebP encoder's own words.
    #[error("encoding webp: {0}")]
    Webp(String),
    /// A side longer than the format can say.
    #[error("{width}x{height} is too large for {format:?}; {limit} pixels a side would fit")]
    TooLarge {
        /// The format asked for.
        format: Format,
        /// The picture's width.
        width: u32,
        /// The picture's height.
        height: u32,
        /// The format's longest side.
        limit: u32,
    },
}

/// Named in every file as the software that drew it.
const SOFTWARE: &str = "Pinhole sketch";

/// Says that an algorithm drew it and nothing was learnt from samples: IPTC's `algorithmicMedia`, not `trainedAlgorithmicMedia`.
const XMP: &str = r#"<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmp:CreatorTool="Pinhole sketch" Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"/></rdf:RDF></x:xmpmeta><?xpacket end="r"?>"#;

/// Where XMP lives in a JPEG: APP1 after this name (XMP specification part 3, 1.1.3).
const XMP_IN_JPEG: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// Encodes a picture. `compression` is OpenAI's `output_compression`: 0..=100, 100 for the best quality; PNG, being lossless, ignores it.
pub fn encode(picture: &Picture, format: Format, compression: u8) -> Result<Vec<u8>, EncodeError> {
    let quality = compression.min(100);
    match format {
        Format::Png => png(picture),
        Format::Jpeg => jpeg(picture, quality.max(1)),
        Format::Webp => webp(picture, quality),
    }
}

/// Always at the fast level: the default one takes 78 times as long for a file a quarter smaller.
fn png(picture: &Picture) -> Result<Vec<u8>, EncodeError> {
    let pixels = if picture.is_opaque() {
        Cow::Owned(without_alpha(picture))
    } else {
        Cow::Borrowed(picture.rgba())
    };
    let colour = if picture.is_opaque() {
        png::ColorType::Rgb
    } else {
        png::ColorType::Rgba
    };
    let mut file = Vec::with_capacity(pixels.len() / 2);
    let mut encoder = png::Encoder::new(&mut file, picture.width(), picture.height());
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Up);
    encoder.add_text_chunk("Software".into(), SOFTWARE.into())?;
    encoder.add_text_chunk("digitalSourceType".into(), "algorithmicMedia".into())?;
    encoder.add_itxt_chunk("XML:com.adobe.xmp".into(), XMP.into())?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(file)
}

fn jpeg(picture: &Picture, quality: u8) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = sides(picture, Format::Jpeg, u32::from(u16::MAX))?;
    let mut file = Vec::with_capacity(picture.rgba().len() / 8);
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, quality);
    encoder.add_app_segment(1, [XMP_IN_JPEG, XMP.as_bytes()].concat())?;
    encoder.encode(
        &on_white(picture),
        width,
        height,
        jpeg_encoder::ColorType::Rgb,
    )?;
    Ok(file)
}

fn webp(picture: &Picture, quality: u8) -> Result<Vec<u8>, EncodeError> {
    sides(picture, Format::Webp, 16_383)?;
    let opaque = picture.is_opaque().then(|| without_alpha(picture));
    let encoder = match &opaque {
        Some(rgb) => webp::Encoder::from_rgb(rgb, picture.width(), picture.height()),
        None => webp::Encoder::from_rgba(picture.rgba(), picture.width(), picture.height()),
    };
    let file = encoder
        .encode_simple(false, f32::from(quality))
        .map_err(|error| EncodeError::Webp(format!("{error:?}")))?;
    Ok(with_xmp(&file, picture, opaque.is_none()))
}

/// Puts XMP into a simple WebP file, which needs the extended header first (RFC 9649, 2.7). A file of another shape stays as it is.
fn with_xmp(file: &[u8], picture: &Picture, alpha: bool) -> Vec<u8> {
    const HAS_XMP: u8 = 0b0000_0100;
    const HAS_ALPHA: u8 = 0b0001_0000;
    let Some((header, chunks)) = file.split_first_chunk::<12>() else {
        return file.to_vec();
    };
    let chunks = if chunks.starts_with(b"VP8X") {
        chunks.get(18..).unwrap_or_default()
    } else {
        chunks
    };
    let mut body = b"WEBPVP8X\x0a\0\0\0".to_vec();
    body.extend([HAS_XMP | if alpha { HAS_ALPHA } else { 0 }, 0, 0, 0]);
    for side in [picture.width(), picture.height()] {
        body.extend(&(side - 1).to_le_bytes()[..3]);
    }
    body.extend(chunks);
    body.extend(b"XMP ");
    body.extend((XMP.len() as u32).to_le_bytes());
    body.extend(XMP.as_bytes());
    body.extend(&[0][..XMP.len() % 2]);
    [&header[..4], &(body.len() as u32).to_le_bytes(), &body].concat()
}

fn sides(picture: &Picture, format: Format, limit: u32) -> Result<(u16, u16), EncodeError> {
    let (width, height) = (picture.width(), picture.height());
    match (u16::try_from(width), u16::try_from(height)) {
        (Ok(across), Ok(down)) if width.max(height) <= limit => Ok((across, down)),
        _ => Err(EncodeError::TooLarge {
            format,
            width,
            height,
            limit,
        }),
    }
}

fn without_alpha(picture: &Picture) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(picture.rgba().len() / 4 * 3);
    for [r, g, b, _] in picture.rgba().as_chunks::<4>().0 {
        rgb.extend([*r, *g, *b]);
    }
    rgb
}

fn on_white(picture: &Picture) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(picture.rgba().len() / 4 * 3);
    for [r, g, b, alpha] in picture.rgba().as_chunks::<4>().0 {
        let alpha = u32::from(*alpha);
        let mix =
            |channel: u8| ((u32::from(channel) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        rgb.extend([mix(*r), mix(*g), mix(*b)]);
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::super::draw::{Scene, draw};
    use super::*;

    fn picture(transparent: bool) -> Picture {
        let scene = Scene {
            prompt: "a lake at dawn",
            width: 75,
            height: 50,
            seed: 3,
            index: 0,
            transparent,
        };
        draw(&scene, &mut |_, _| {})
    }

    fn check(format: Format, transparent: bool, compression: u8, expected: image::ImageFormat) {
        let file =
            encode(&picture(transparent), format, compression).expect("a small picture is encoded");
        assert_eq!(image::guess_format(&file).ok(), Some(expected));
        let decoded = image::load_from_memory(&file).expect("what was encoded is decoded");
        assert_eq!((decoded.width(), decoded.height()), (75, 50), "{format:?}");
        let sees_through = decoded.to_rgba8().pixels().any(|pixel| pixel[3] == 0);
        assert_eq!(
            sees_through,
            transparent && format != Format::Jpeg,
            "{format:?}"
        );
        let says = |text: &str| {
            file.windows(text.len())
                .any(|window| window == text.as_bytes())
        };
        assert!(
            says("digitalsourcetype/algorithmicMedia") && says(SOFTWARE),
            "{format:?}"
        );
    }

    #[test]
    fn files_decode_to_the_same_size_and_say_what_made_them() {
        for compression in [0, 80, 100, 255] {
            for transparent in [false, true] {
                check(
                    Format::Png,
                    transparent,
                    compression,
                    image::ImageFormat::Png,
                );
                check(
                    Format::Jpeg,
                    transparent,
                    compression,
                    image::ImageFormat::Jpeg,
                );
                check(
                    Format::Webp,
                    transparent,
                    compression,
                    image::ImageFormat::WebP,
                );
            }
        }
    }

    #[test]
    fn png_is_lossless() {
        let picture = picture(true);
        let file = encode(&picture, Format::Png, 0).expect("a small picture is encoded");
        let decoded = image::load_from_memory(&file).expect("what was encoded is decoded");
        assert_eq!(decoded.to_rgba8().as_raw(), picture.rgba());
    }

    #[test]
    fn what_a_format_cannot_hold_is_refused() {
        let wide = Picture::new(16_384, 1);
        assert!(matches!(
            encode(&wide, Format::Webp, 80),
            Err(EncodeError::TooLarge { limit: 16_383, .. })
        ));
        assert!(encode(&wide, Format::Jpeg, 80).is_ok());
    }
}
