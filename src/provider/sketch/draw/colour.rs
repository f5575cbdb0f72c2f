//! Colour: OKLCH to think in (lightness, chroma, hue as people see them), sRGB to paint with.

/// A colour in OKLab, where a straight line between two colours looks even.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lab {
    pub l: f32,
    pub a: f32,
    pub b: f32,
}

/// A colour in gamma-encoded sRGB, 0..=1 each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rgb {
    pub r: f32,
    pub g: f32,
    pub b: f32,
}

/// Lightness 0..=1, chroma (0.3 is already loud), hue in degrees.
pub(super) fn lch(lightness: f32, chroma: f32, hue: f32) -> Lab {
    let angle = hue.to_radians();
    Lab {
        l: lightness,
        a: chroma * libm::cosf(angle),
        b: chroma * libm::sinf(angle),
    }
}

impl Lab {
    /// A colour as designers write it, 0xRRGGBB.
    pub fn hex(code: u32) -> Self {
        let linear = |shift: u32| decode_gamma((code >> shift & 0xff) as f32 / 255.0);
        let (r, g, b) = (linear(16), linear(8), linear(0));
        let l = libm::cbrtf(0.412_221_47 * r + 0.536_332_54 * g + 0.051_445_993 * b);
        let m = libm::cbrtf(0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b);
        let s = libm::cbrtf(0.088_302_46 * r + 0.281_718_84 * g + 0.629_978_7 * b);
        Self {
            l: 0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
            a: 1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
            b: 0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
        }
    }

    /// `self` at 0, `other` at 1.
    pub fn mix(self, other: Self, t: f32) -> Self {
        let t = t.clamp(0.0, 1.0);
        Self {
            l: self.l + (other.l - self.l) * t,
            a: self.a + (other.a - self.a) * t,
            b: self.b + (other.b - self.b) * t,
        }
    }

    pub fn chroma(self) -> f32 {
        (self.a * self.a + self.b * self.b).sqrt()
    }

    /// The same hue and lightness, with the chroma multiplied.
    pub fn saturate(self, factor: f32) -> Self {
        Self {
            a: self.a * factor,
            b: self.b * factor,
            ..self
        }
    }

    /// The same hue and chroma, with the lightness moved.
    pub fn lighten(self, by: f32) -> Self {
        Self {
            l: (self.l + by).clamp(0.0, 1.0),
            ..self
        }
    }

    /// The same colour at `factor` of its light; chroma fades along with it.
    pub fn dim(self, factor: f32) -> Self {
        Self {
            l: self.l * factor,
            a: self.a * factor.sqrt(),
            b: self.b * factor.sqrt(),
        }
    }

    /// Turns the hue by `degrees`.
    pub fn turn(self, degrees: f32) -> Self {
        let (sin, cos) = (
            libm::sinf(degrees.to_radians()),
            libm::cosf(degrees.to_radians()),
        );
        Self {
            a: self.a * cos - self.b * sin,
            b: self.a * sin + self.b * cos,
            ..self
        }
    }

    /// The nearest sRGB colour of the same hue and lightness: chroma gives way until it fits.
    pub fn rgb(self) -> Rgb {
        let mut colour = self;
        for _ in 0..12 {
            let linear = colour.linear();
            if linear
                .iter()
                .all(|channel| (-0.002..=1.002).contains(channel))
            {
                break;
            }
            colour = colour.saturate(0.9);
        }
        let [r, g, b] = colour.linear().map(encode_gamma);
        Rgb { r, g, b }
    }

    fn linear(self) -> [f32; 3] {
        let l = self.l + 0.396_337_78 * self.a + 0.215_803_76 * self.b;
        let m = self.l - 0.105_561_346 * self.a - 0.063_854_17 * self.b;
        let s = self.l - 0.089_484_18 * self.a - 1.291_485_5 * self.b;
        let (l, m, s) = (l * l * l, m * m * m, s * s * s);
        [
            4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
            -1.268_438 * l + 2.609_757_4 * m - 0.341_319_4 * s,
            -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
        ]
    }
}

impl Rgb {
    /// `self` at 0, `other` at 1, straight through sRGB: for paint, where speed matters more than evenness.
    pub fn mix(self, other: Self, t: f32) -> Self {
        Self {
            r: self.r + (other.r - self.r) * t,
            g: self.g + (other.g - self.g) * t,
            b: self.b + (other.b - self.b) * t,
        }
    }

    /// Adds light without burning out: white stays white.
    pub fn screen(self, light: Self, amount: f32) -> Self {
        let add = |under: f32, over: f32| under + (1.0 - under) * (over * amount).clamp(0.0, 1.0);
        Self {
            r: add(self.r, light.r),
            g: add(self.g, light.g),
            b: add(self.b, light.b),
        }
    }

    /// A painted pixel back as a colour.
    pub fn of(pixel: [u8; 4]) -> Self {
        let [r, g, b, _] = pixel.map(|channel| f32::from(channel) * (1.0 / 255.0));
        Self { r, g, b }
    }
}

fn encode_gamma(linear: f32) -> f32 {
    let linear = linear.clamp(0.0, 1.0);
    if linear <= 0.003_130_8 {
        linear * 12.92
    } else {
        1.055 * libm::powf(linear, 1.0 / 2.4) - 0.055
    }
}

fn decode_gamma(encoded: f32) -> f32 {
    if encoded <= 0.040_45 {
        encoded / 12.92
    } else {
        libm::powf((encoded + 0.055) / 1.055, 2.4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_and_black_are_themselves() {
        let white = lch(1.0, 0.0, 0.0).rgb();
        assert!((white.r - 1.0).abs() < 0.01 && (white.b - 1.0).abs() < 0.01);
        assert!(lch(0.0, 0.0, 0.0).rgb().g < 0.01);
    }

    #[test]
    fn a_colour_that_designers_write_comes_back_as_itself() {
        for code in [0xd63a2b, 0x1d4e9e, 0xf2b632, 0x1b1b1b, 0xf4e8d3] {
            let rgb = Lab::hex(code).rgb();
            for (shift, channel) in [(16, rgb.r), (8, rgb.g), (0, rgb.b)] {
                let expected = (code >> shift & 0xff) as f32 / 255.0;
                assert!((channel - expected).abs() < 0.01, "{code:06x}");
            }
        }
    }

    #[test]
    fn a_colour_outside_srgb_comes_back_inside_it() {
        let loud = lch(0.6, 0.5, 150.0).rgb();
        assert!(
            [loud.r, loud.g, loud.b]
                .iter()
                .all(|channel| (0.0..=1.0).contains(channel))
        );
    }
}
