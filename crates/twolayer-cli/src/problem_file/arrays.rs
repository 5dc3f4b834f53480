//! What a problem file may hold.

use crate::array::Expected;

const MATRIX: &[usize] = &[2];
const VECTOR: &[usize] = &[1];
const VECTORS: &[usize] = &[1, 2];

pub(super) const COUNT: usize = 12;

// The places of some in the list.
pub(super) const FIRST: usize = 0;
pub(super) const SECOND: usize = 1;
pub(super) const TARGETS: usize = 2;
pub(super) const FIRST_BIAS: usize = 3;
pub(super) const SECOND_BIAS: usize = 4;
pub(super) const WEIGHTS: usize = 5;
pub(super) const STARTS: usize = 6;
pub(super) const LOWER: usize = 7;
pub(super) const UPPER: usize = 8;
pub(super) const REFERENCE: usize = 9;
pub(super) const NEAR_WEIGHT: usize = 10;
pub(super) const NEAR_SCALES: usize = 11;

/// Those of one number for each entry of x, or one for all.
pub(super) const PER_INPUT: [usize; 4] = [LOWER, UPPER, REFERENCE, NEAR_SCALES];

pub(super) const ARRAYS: [Expected; COUNT] = [
    Expected {
        name: "A1",
        shape: "(n, d)",
        dimensions: MATRIX,
        required: true,
        is_matrix: true,
        may_be_none: false,
        is_checked_later: false,
        may_be_minus_infinity: false,
    },
    Expected {
        name: "A2",
        shape: "(m, n)",
        dimensions: MATRIX,
        required: true,
        is_matrix: true,
        may_be_none: false,
        is_checked_later: false,
        may_be_minus_infinity: false,
    },
    Expected {
        name: "b",
        shape: "(m,) or (K, m)",
        dimensions: VECTORS,
        required: true,
        is_matrix: false,
        may_be_none: true,
        is_checked_later: true,
        may_be_minus_infinity: false,
    },
    optional_vector("c1", "(n,)"),
    Expected {
        may_be_minus_infinity: true,
        ..optional_vector("c2", "(m,)")
    },
    optional_vector("w", "(m,)"),
    Expected {
        name: "x0",
        shape: "(d,) or (K, d)",
        dimensions: VECTORS,
        required: false,
        is_matrix: false,
        may_be_none: true,
        is_checked_later: true,
        may_be_minus_infinity: false,
    },
    per_input("lower"),
    per_input("upper"),
    per_input("x_ref"),
    optional_vector("near_weight", "one number"),
    per_input("near_scales"),
];

/// One number is read as a vector of one.
const fn per_input(name: &'static str) -> Expected {
    Expected {
        is_checked_later: true,
        ..optional_vector(name, "(d,) or one number")
    }
}

const fn optional_vector(name: &'static str, shape: &'static str) -> Expected {
    Expected {
        name,
        shape,
        dimensions: VECTOR,
        required: false,
        is_matrix: false,
        may_be_none: false,
        is_checked_later: false,
        may_be_minus_infinity: false,
    }
}
