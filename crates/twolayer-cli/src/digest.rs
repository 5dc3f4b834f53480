//! Short names of long data.

use sha2::{Digest, Sha256};
use std::fmt::Write;
use twolayer_core::Scalar;

/// SHA-256 of numbers, as double precision in little-endian order, in hexadecimal.
pub(crate) fn of_numbers<T: Scalar>(values: &[T]) -> String {
    let mut digest = Sha256::new();
    for &value in values {
        digest.update(Scalar::to_f64(value).to_le_bytes());
    }
    let mut text = String::new();
    for byte in digest.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// SHA-256 of bytes.
pub(crate) fn of_bytes(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
