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

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.finalize().to_vec()
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

#[cfg(test)]
mod tests {
    use super::*;
    use twolayer_faer::Faer;

    /// SHA-256 of nothing, and of "abc" (FIPS 180-2, B.1).
    const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn digests_are_those_of_the_standard() {
        let mut running = Running::new();
        assert_eq!(Running::new().hexadecimal(), NOTHING);
        running.add("a");
        running.add("bc");
        assert_eq!(running.hexadecimal(), ABC);
        let pieces = of_pieces([&b"ab"[..], b"", b"c"]);
        let text: String = pieces.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, ABC);
        assert_eq!(of_numbers::<f64>(&[]), NOTHING);
    }

    /// Numbers count as doubles, a matrix row after row.
    #[test]
    fn the_same_numbers_have_the_same_digest() {
        let numbers = [0.5, -2.0, 0.25, 8.0, 1.0, 0.0];
        let digest = of_numbers(&numbers);
        assert_eq!(of_numbers(&numbers.map(|value| value as f32)), digest);
        let backend = Faer::<f64>::sequential();
        let mut matrix = backend.zeros(2, 3);
        backend.copy_from_row_major(&numbers, &mut matrix);
        assert_eq!(of_matrix(&backend, &matrix), digest);
        assert_ne!(of_numbers(&[0.5, -2.0, 0.25, 8.0, 1.0, -0.0]), digest);
    }
}
