//! How all panels of PLOT.svg look.

use plotters::coord::Shift;
use plotters::prelude::*;
use std::error::Error;

pub(crate) const INK: RGBColor = RGBColor(40, 40, 40);
pub(crate) const GRID: RGBColor = RGBColor(228, 228, 228);
pub(crate) const FONT: &str = "Helvetica, Arial, sans-serif";

pub(crate) type Drawn<T = ()> = Result<T, Box<dyn Error>>;
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// 10⁻¹² for −12; nothing for an exponent that is not whole.
pub(crate) fn power_of_ten(exponent: f64) -> String {
    if exponent.fract().abs() > 1e-9 {
        return String::new();
    }
    let digits = format!("{exponent:.0}");
    let superscripts = digits.chars().map(|c| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        // The others follow one another.
        '4'..='9' => char::from_u32(c as u32 - '0' as u32 + '⁰' as u32).unwrap_or(c),
        _ => '⁰',
    });
    format!("10{}", superscripts.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_powers_of_ten() {
        assert_eq!(power_of_ten(-20.0), "10⁻²⁰");
        assert_eq!(power_of_ten(13.0), "10¹³");
        assert_eq!(power_of_ten(456.0), "10⁴⁵⁶");
        assert_eq!(power_of_ten(-0.5), "");
    }
}
