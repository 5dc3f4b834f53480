//! Numbers of 240 bits, which the tests of this folder hold every bound against.

use crate::enclosure::Enclosure;
use crate::real::DoubleDouble;
use dashu_float::{FBig, round::mode::HalfEven};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) type Big = FBig<HalfEven, 2>;

/// The same number.
pub(crate) fn big(value: f64) -> Big {
    let value = Big::try_from(value).expect("a finite number");
    value.with_precision(240).value()
}

/// The same number.
pub(crate) fn wide(value: DoubleDouble) -> Big {
    big(value.hi) + big(value.lo)
}

/// Rounded.
pub(crate) fn small(value: &Big) -> f64 {
    value.to_f64().value()
}

pub(crate) fn absolute(value: &Big) -> Big {
    if *value < big(0.0) {
        -value
    } else {
        value.clone()
    }
}

pub(crate) fn dot(a: &[Big], b: &[Big]) -> Big {
    a.iter().zip(b).fold(big(0.0), |sum, (a, b)| sum + a * b)
}

/// √x for x ≥ 0, by Newton's method from the square root of the rounded number.
pub(crate) fn root(x: &Big) -> Big {
    if *x == big(0.0) {
        return big(0.0);
    }
    let mut root = big(small(x).sqrt());
    for _ in 0..4 {
        root = (&root + x / &root) * big(0.5);
    }
    root
}

pub(crate) fn norm(v: &[Big]) -> Big {
    root(&dot(v, v))
}

/// Whether the enclosure holds the number.
pub(crate) fn encloses(enclosure: Enclosure, exact: &Big) -> bool {
    enclosure.radius.is_infinite()
        || absolute(&(wide(enclosure.middle) - exact)) <= big(enclosure.radius)
}

/// That the enclosure holds the number, and is no wider than `width` to either side.
#[track_caller]
pub(crate) fn assert_encloses(enclosure: Enclosure, exact: &Big, width: f64) {
    assert!(
        encloses(enclosure, exact) && enclosure.radius <= width,
        "{enclosure:?} of {:e}, {width:e} wide",
        small(exact)
    );
}

/// The same stream of numbers every time.
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Uniform between two numbers.
    pub(crate) fn between(&mut self, least: f64, most: f64) -> f64 {
        self.0.random_range(least..most)
    }

    pub(crate) fn vector(&mut self, length: usize) -> Vec<f64> {
        (0..length).map(|_| self.between(-1.0, 1.0)).collect()
    }

    /// Of either sign, and of any size between 2^−`octaves` and 2^`octaves`.
    pub(crate) fn of_any_size(&mut self, octaves: f64) -> f64 {
        self.between(-1.0, 1.0).signum() * self.between(-octaves, octaves).exp2()
    }

    /// One of those with a second word: often half a unit in the last place, the most there is.
    pub(crate) fn double_double(&mut self, octaves: f64) -> DoubleDouble {
        let hi = self.of_any_size(octaves);
        let half = 0.5 * (hi.abs().next_up() - hi.abs());
        let lo = half * [1.0, -1.0, self.between(-1.0, 1.0)][self.0.random_range(0..3)];
        let sum = hi + lo;
        // A tie may go to the neighbour.
        DoubleDouble {
            hi: sum,
            lo: (hi - sum) + lo,
        }
    }
}
