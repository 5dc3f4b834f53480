//! Short names of long data.

use crate::bands::for_each_band;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use twolayer::{LinearBackend, Scalar};

/// SHA-256 of numbers, as double precision in little-endian order, in hexadecimal.
pub(crate) fn of_numbers<T: Scalar>(values: &[T]) -> String {
    let mut digest = Sha256::new();
    update(&mut digest, values);
    hexadecimal(digest)
}

/// The same of a matrix, row after row.
pub(crate) fn of_matrix<B: LinearBackend>(backend: &B, a: &B::Matrix) -> String {
    let mut digest = Sha256::new();
    for_each_band(backend, a, |_, values| update(&mut digest, values));
    hexadecimal(digest)
}

fn update<T: Scalar>(digest: &mut Sha256, values: &[T]) {
    for &value in values {
        digest.update(Scalar::to_f64(value).to_le_bytes());
    }
}

fn hexadecimal(digest: Sha256) -> String {
    let mut text = String::new();
    for byte in digest.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// SHA-256 of many texts, one after the other.
pub(crate) struct Running(Sha256);

impl Running {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(crate) fn add(&mut self, text: &str) {
        self.0.update(text.as_bytes());
    }

    pub(crate) fn hexadecimal(self) -> String {
        hexadecimal(self.0)
    }
}

/// SHA-256 of bytes, piece after piece.
pub(crate) fn of_pieces<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for piece in pieces {
        digest.update(piece);
    }
    digest.finalize().into()
}
