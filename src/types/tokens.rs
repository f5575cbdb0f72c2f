//! Tokens and what they cost.

use crate::types::Money;
use serde::{Deserialize, Serialize};

/// Tokens as the upstream counted them; zeros where it counts none. Never estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Text tokens of the input.
    pub input_text_tokens: u64,
    /// Image tokens of the input.
    pub input_image_tokens: u64,
    /// All tokens of the output.
    pub output_tokens: u64,
}

impl std::ops::Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input_text_tokens: self
                .input_text_tokens
                .saturating_add(other.input_text_tokens),
            input_image_tokens: self
                .input_image_tokens
                .saturating_add(other.input_image_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
        }
    }
}

/// What a million tokens of each sort cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRates {
    /// Text that goes in.
    pub input_text: Money,
    /// Images that go in.
    pub input_image: Money,
    /// What comes out.
    pub output: Money,
}

impl TokenRates {
    /// What so many tokens cost, rounded up to a whole micro-dollar once; `None` if that overflows.
    pub fn of(&self, usage: &Usage) -> Option<Money> {
        let counted = [
            (self.input_text, usage.input_text_tokens),
            (self.input_image, usage.input_image_tokens),
            (self.output, usage.output_tokens),
        ];
        let mut millionths: i128 = 0;
        for (rate, tokens) in counted {
            let part = i128::from(rate.micros()).checked_mul(i128::from(tokens))?;
            millionths = millionths.checked_add(part)?;
        }
        let whole =
            millionths.div_euclid(1_000_000) + i128::from(millionths.rem_euclid(1_000_000) != 0);
        i64::try_from(whole).ok().map(Money::from_micros)
    }

    /// The rates with `basis_points` added to each, rounded up to a whole micro-dollar for a million tokens.
    pub fn marked_up(&self, basis_points: u32) -> Option<Self> {
        Some(Self {
            input_text: self.input_text.marked_up(basis_points)?,
            input_image: self.input_image.marked_up(basis_points)?,
            output: self.output.marked_up(basis_points)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: TokenRates = TokenRates {
        input_text: Money::from_micros(1_500_000),
        input_image: Money::from_micros(2_000_000),
        output: Money::from_micros(9_000_000),
    };

    fn usage(text: u64, image: u64, output: u64) -> Usage {
        Usage {
            input_text_tokens: text,
            input_image_tokens: image,
            output_tokens: output,
        }
    }

    #[test]
    fn tokens_cost_their_rate_and_only_the_sum_is_rounded() {
        let check = |counted, micros| {
            assert_eq!(RATES.of(&counted), Some(Money::from_micros(micros)));
        };
        check(usage(0, 0, 0), 0);
        check(usage(1, 0, 0), 2);
        check(usage(1, 1, 1), 13);
        check(usage(1_000_000, 1, 100), 1_500_902);
        assert_eq!(RATES.of(&usage(0, 0, u64::MAX)), None);
    }

    #[test]
    fn markup_is_added_to_each_rate() {
        let dearer = RATES.marked_up(1_250).expect("small");
        assert_eq!(dearer.output, Money::from_micros(10_125_000));
        assert_eq!(dearer.input_text, Money::from_micros(1_687_500));
    }
}
