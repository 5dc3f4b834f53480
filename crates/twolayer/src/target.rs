//! The distribution that the network should put out.

use crate::number_format::{NumberFormat, significant_bits};
use twolayer_core::{Error, Scalar, reduce};

/// How far from 1 a target may sum: room for a softmax that was computed in single precision over
/// a large vocabulary, none for counts or logits handed in by mistake.
pub const SIMPLEX_TOLERANCE: f64 = 1e-5;

/// A target distribution b over m outcomes: every entry finite and ≥ 0, |Σb − 1| ≤
/// [`SIMPLEX_TOLERANCE`]. It is used as it is given, but for one that was
/// [stored](Target::stored_as) in fewer digits.
#[derive(Debug, Clone)]
pub struct Target<T> {
    probabilities: Vec<T>,
    log_probabilities: Vec<T>,
    sum: T,
    support: usize,
    rounding: Option<Rounding>,
}

/// How b was rounded before it was given.
#[derive(Debug, Clone, Copy)]
struct Rounding {
    format: NumberFormat,
    /// How many times larger the entries are than they were then.
    scale: f64,
}

impl<T: Scalar> Target<T> {
    /// Checks and takes b, as it is.
    ///
    /// # Errors
    /// No entries, an entry that is NaN, infinite or negative, a sum that is not 1.
    pub fn new(b: Vec<T>) -> Result<Self, Error> {
        Self::rounded_to(b, None)
    }

    /// Checks and takes a b that may have been stored in a format with fewer digits than are computed with, as by a
    /// network that computes in it. It is then known to an error only ([`entry_error`](Target::entry_error)), and a
    /// solve is content where the output is as near to it as that tells
    /// ([`Status::MeetsTarget`](approx_newton::Status::MeetsTarget)). Where Σb is off 1 by no more than its roundings,
    /// b is divided by it.
    ///
    /// Whether it was is told by its numbers, all of them numbers of the format. One of which each entry has few
    /// digits even for that, as 0.25 or 1, is taken to be exact.
    ///
    /// # Errors
    /// As [`Target::new`]. |Σb − 1| may be as large as roundings make it.
    pub fn stored_as(b: Vec<T>, format: NumberFormat) -> Result<Self, Error> {
        Self::rounded_to(b, Some(format))
    }

    fn rounded_to(b: Vec<T>, format: Option<NumberFormat>) -> Result<Self, Error> {
        check_entries(&b)?;
        let sum = reduce::sum(&b);
        let off = (sum.to_f64() - 1.0).abs();
        let is_shorter = |format: &NumberFormat| {
            format.unit_roundoff() > T::UNIT_ROUNDOFF.to_f64() && looks_rounded(&b, *format)
        };
        let format = format.filter(is_shorter);
        let of_roundings = format.map_or(0.0, |format| error_of_sum(b.len(), format));
        let tolerance = SIMPLEX_TOLERANCE.max(of_roundings);
        if off > tolerance {
            return Err(Error::NotNormalized {
                name: "b",
                sum: sum.to_f64(),
                tolerance,
            });
        }
        let rounding = format.map(|format| Rounding { format, scale: 1.0 });
        Ok(match off > 0.0 && off <= of_roundings {
            true => Self::normalized(b, rounding),
            false => Self::checked(b, sum, rounding),
        })
    }

    /// b on some of the outcomes, divided by its sum there; nothing where that is 0.
    pub(crate) fn on(&self, outcomes: &[usize]) -> Option<Self> {
        let chosen: Vec<T> = outcomes.iter().map(|&i| self.probabilities[i]).collect();
        let sum = reduce::sum(&chosen);
        let rounding = self.rounding.map(|rounding| Rounding {
            scale: rounding.scale / sum.to_f64(),
            ..rounding
        });
        (sum > T::zero()).then(|| Self::normalized(chosen, rounding))
    }

    fn normalized(mut b: Vec<T>, rounding: Option<Rounding>) -> Self {
        let sum = reduce::sum(&b);
        b.iter_mut().for_each(|p| *p /= sum);
        let sum = reduce::sum(&b);
        Self::checked(b, sum, rounding)
    }

    fn checked(b: Vec<T>, sum: T, rounding: Option<Rounding>) -> Self {
        let log_probabilities: Vec<T> = b.iter().map(|p| p.ln()).collect();
        let support = log_probabilities.iter().filter(|l| l.is_finite()).count();
        Self {
            probabilities: b,
            log_probabilities,
            sum,
            support,
            rounding,
        }
    }

    /// What b was rounded to, where that has fewer digits than are computed with.
    pub fn format(&self) -> Option<NumberFormat> {
        self.rounding.map(|rounding| rounding.format)
    }

    /// How far bᵢ may be off what it was before it was rounded,
    ///
    /// ```text
    /// (2u + ρ) bᵢ + η/2
    /// ```
    ///
    /// with u and η the roundoff and the least number of its [`format`](Target::format): once u for its own
    /// rounding, once for that of the sum it was divided by, and ρ `of_output`, the part of itself by which the
    /// network's output was off. 0 where b was not rounded.
    pub fn entry_error(&self, outcome: usize, of_output: f64) -> f64 {
        self.rounding.map_or(0.0, |Rounding { format, scale }| {
            let relative = 2.0 * format.unit_roundoff() + of_output;
            relative * self.probabilities[outcome].to_f64() + 0.5 * format.least() * scale
        })
    }

    /// m.
    pub fn outcomes(&self) -> usize {
        self.probabilities.len()
    }

    /// b (m).
    pub fn probabilities(&self) -> &[T] {
        &self.probabilities
    }

    /// log b (m), −∞ where b is 0.
    pub fn log_probabilities(&self) -> &[T] {
        &self.log_probabilities
    }

    /// How many outcomes have b = 0.
    pub fn excluded(&self) -> usize {
        self.outcomes() - self.support
    }

    /// log(u/(4·excluded)), u the unit roundoff; the logarithm that is taken for that of b = 0. Where no
    /// excluded outcome has more, all of them together have at most a quarter of what a rounding takes
    /// from the others.
    pub fn log_of_nothing(&self) -> T {
        (T::UNIT_ROUNDOFF / T::of(4.0 * self.excluded() as f64)).ln()
    }

    /// Σ term(i) over the outcomes i with b = 0.
    pub(crate) fn sum_over_excluded(&self, term: impl Fn(usize) -> f64) -> f64 {
        reduce::sum_of(self.outcomes(), |i| match self.probabilities[i] {
            b if b > T::zero() => 0.0,
            _ => term(i),
        })
    }

    /// How many outcomes have b > 0; at least one.
    pub fn support(&self) -> usize {
        self.support
    }

    /// Σb, which is 1 up to rounding.
    pub fn sum(&self) -> T {
        self.sum
    }
}

fn check_entries<T: Scalar>(b: &[T]) -> Result<(), Error> {
    if b.is_empty() {
        return Err(Error::Empty {
            name: "b",
            found: "(0,)".into(),
        });
    }
    Error::check_finite("b", b)?;
    match b.iter().position(|&p| p < T::zero()) {
        None => Ok(()),
        Some(index) => Err(Error::NegativeProbability {
            name: "b",
            index,
            value: b[index].to_f64(),
        }),
    }
}

/// Whether all entries are numbers of the format, and one has more than half of its digits: numbers with fewer
/// may be exact, as counts over a power of two are.
fn looks_rounded<T: Scalar>(b: &[T], format: NumberFormat) -> bool {
    let few = format.significant_bits() / 2;
    let numbers = || b.iter().map(|&p| p.to_f64());
    numbers().all(|p| format.has(p)) && numbers().any(|p| significant_bits(p) > few)
}

/// By how much roundings take a sum of m outputs of a softmax off 1: u for each division and u where it is stored,
/// η/2 where that is subnormal, and a sum that was accumulated in single precision at least.
fn error_of_sum(outcomes: usize, format: NumberFormat) -> f64 {
    let of_one = NumberFormat::Single.unit_roundoff() + 0.5 * format.least();
    2.0 * format.unit_roundoff() + outcomes as f64 * of_one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_distribution_is_refused_by_name() {
        let message = |b: Vec<f64>| Target::new(b).unwrap_err().to_string();
        assert_eq!(
            message(vec![]),
            "b has shape (0,); every dimension must be at least 1"
        );
        assert_eq!(
            message(vec![0.5, f64::NAN]),
            "b[1] is NaN; every entry must be finite"
        );
        assert_eq!(
            message(vec![1.5, -0.5]),
            "b[1] is -0.5; a probability must be at least 0"
        );
        assert_eq!(
            message(vec![0.5, 0.4]),
            "b sums to 0.9; a distribution sums to 1 (within 1e-5)"
        );
        assert!(Target::new(vec![1.0 - 1e-7, 0.0]).is_ok());
    }

    #[test]
    fn what_a_network_in_single_precision_puts_out_is_known_to_its_digits() {
        let rounded = |b: &[f64]| -> Vec<f64> { b.iter().map(|&p| f64::from(p as f32)).collect() };
        let thirds = rounded(&[1.0 / 3.0, 1.0 / 7.0, 11.0 / 21.0]);
        let stored = |b: Vec<f64>| Target::stored_as(b, NumberFormat::Single).unwrap();
        let target = stored(thirds.clone());
        assert_eq!(target.format(), Some(NumberFormat::Single));
        // Its sum is off by roundings, and is set right.
        assert_ne!(thirds.iter().sum::<f64>(), 1.0);
        assert!((target.sum() - 1.0).abs() <= 2.0 * f64::EPSILON);
        // Exact numbers, and those of double precision, are taken as they are.
        for b in [
            vec![0.5, 0.25, 0.25],
            vec![1.0, 0.0],
            vec![819.0 / 1024.0, 205.0 / 1024.0],
            vec![0.1, 0.9],
        ] {
            let target = stored(b.clone());
            assert_eq!(target.format(), None, "{b:?}");
            assert_eq!(
                (target.probabilities(), target.entry_error(0, 1.0)),
                (&b[..], 0.0)
            );
        }
        let single = Target::stored_as(vec![0.1_f32, 0.9], NumberFormat::Single);
        assert_eq!(single.unwrap().format(), None);
        // Nor is anything done unless it is said.
        let given = Target::new(thirds.clone()).unwrap();
        assert_eq!((given.probabilities(), given.format()), (&thirds[..], None));
        // A sum that is off by more than roundings of its terms is the user's own.
        let own = rounded(&[1.0 / 3.0, 2.0 / 3.0 + 1e-6]);
        let target = stored(own.clone());
        assert_eq!(target.format(), Some(NumberFormat::Single));
        assert_eq!(target.probabilities(), own);
    }

    #[test]
    fn shorter_formats_are_taken_by_their_word() {
        // 0.3, 0.7 in float16 and in bfloat16.
        let half: Vec<f64> = vec![1229.0 / 4096.0, 1434.0 / 2048.0];
        let brain: Vec<f64> = vec![77.0 / 256.0, 179.0 / 256.0];
        for (format, b) in [(NumberFormat::Half, half), (NumberFormat::BFloat16, brain)] {
            // Digits of either are few for single precision, and the sum is no 1 then.
            let exact = Target::new(b.clone());
            assert!(exact.is_err() || exact.unwrap().format().is_none());
            let target = Target::stored_as(b.clone(), format).unwrap();
            assert_eq!(target.format(), Some(format));
            assert!((target.sum() - 1.0).abs() <= 2.0 * f64::EPSILON);
            let expected = (2.0 * format.unit_roundoff() + 0.5) * target.probabilities()[1];
            let least = 0.5 * format.least();
            assert!((target.entry_error(1, 0.5) - expected - least).abs() < 1e-15);
            assert_eq!(
                Target::stored_as(vec![0.5, 0.25, 0.25], format)
                    .unwrap()
                    .format(),
                None
            );
            let is_narrow = Target::stored_as(vec![0.1_f32, 0.9], format).unwrap();
            assert_eq!(is_narrow.format(), None);
            // A sum that roundings do not explain.
            assert!(Target::stored_as(vec![b[0], b[1], b[0]], format).is_err());
        }
    }

    #[test]
    fn some_of_a_rounded_target_is_rounded_too() {
        let b = [1e-40, 0.1, 0.2, 0.7].map(|p| f64::from(p as f32));
        let target = Target::stored_as(b.to_vec(), NumberFormat::Single).unwrap();
        let part = target.on(&[0, 2]).unwrap();
        assert_eq!(part.format(), Some(NumberFormat::Single));
        for (index, outcome) in [0, 2].into_iter().enumerate() {
            let times = part.probabilities()[index] / target.probabilities()[outcome];
            let expected = times * target.entry_error(outcome, 0.0);
            assert!((part.entry_error(index, 0.0) / expected - 1.0).abs() < 1e-6);
        }
        assert!(Target::new(vec![0.0, 1.0]).unwrap().on(&[0]).is_none());
    }
}
