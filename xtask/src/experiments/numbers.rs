//! Statistics, and figures as words.

pub(super) use crate::tables::median;

/// The smallest figure that at least the given share of all figures does not exceed; NaN of none.
pub(super) fn quantile(share: f64, figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_unstable_by(f64::total_cmp);
    let rank = (share * figures.len() as f64).ceil() as usize;
    figures
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

/// The part of the figures for which `holds`, from 0 to 1; NaN of none.
pub(super) fn share<T>(
    figures: impl IntoIterator<Item = T>,
    mut holds: impl FnMut(T) -> bool,
) -> f64 {
    let (mut all, mut those) = (0_usize, 0_usize);
    for figure in figures {
        all += 1;
        those += usize::from(holds(figure));
    }
    those as f64 / all as f64
}

/// The exponent p of the least-squares fit y ∝ xᵖ.
pub(super) fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<_> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
    let (x0, y0) = (mean(|p| p.0), mean(|p| p.1));
    let covariance: f64 = logs.iter().map(|(x, y)| (x - x0) * (y - y0)).sum();
    let variance: f64 = logs.iter().map(|(x, _)| (x - x0) * (x - x0)).sum();
    covariance / variance
}

/// A figure to four digits, for tables that people read too.
pub(super) fn rounded_to_digits(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// A share as a percentage.
pub(super) fn percent(share: f64) -> String {
    if share.is_nan() {
        return "–".into();
    }
    let percent = 100.0 * share;
    // Neither all nor none by rounding.
    if percent > 99.0 && percent < 100.0 {
        "over 99%".into()
    } else if percent > 0.0 && percent < 1.0 {
        "under 1%".into()
    } else {
        format!("{percent:.0}%")
    }
}

/// A figure with two digits.
pub(super) fn figure(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "–".into()
    } else if value == 0.0 {
        "0".into()
    } else if (0.0095..9.95).contains(&size) {
        let digits = if size < 0.095 {
            3
        } else if size < 0.95 {
            2
        } else {
            1
        };
        format!("{value:.digits$}")
    } else if (9.95..99999.5).contains(&size) {
        format!("{value:.0}")
    } else {
        format!("{value:.1e}")
    }
}

/// Words joined by commas and "and".
pub(super) fn list(words: &[String]) -> String {
    match words {
        [] => "none".into(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_figures() {
        let figures = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(quantile(0.9, figures), 5.0);
        assert_eq!(quantile(0.8, figures), 4.0);
        assert_eq!(quantile(0.0, figures), 1.0);
        assert!(quantile(0.5, []).is_nan());
    }

    #[test]
    fn a_power_is_recognised() {
        let points = (1..6).map(|x| (f64::from(x), 3.0 * f64::from(x).powi(2)));
        assert!((exponent(&points.collect::<Vec<_>>()) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn figures_have_two_digits_and_shares_say_when_they_are_not_all() {
        assert_eq!(figure(0.1234), "0.12");
        assert_eq!(figure(0.0123), "0.012");
        assert_eq!(figure(12.34), "12");
        assert_eq!(figure(1.234e-7), "1.2e-7");
        assert_eq!(percent(0.999), "over 99%");
        assert_eq!(percent(1.0), "100%");
        assert_eq!(percent(0.001), "under 1%");
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
