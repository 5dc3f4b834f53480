//! No false certificate: everything that one says is checked in 240-bit arithmetic.

mod planted;
mod random;
mod reference;
