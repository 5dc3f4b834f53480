//! Vectors of problems.

use crate::array::Array;
use std::ops::Range;
use twolayer::Scalar;

/// A vector for all problems, or one for each.
#[derive(Debug)]
pub(crate) struct Vectors<T> {
    pub(crate) length: usize,
    /// How many; `None` where one serves all.
    pub(crate) count: Option<usize>,
    values: Vec<T>,
}

impl<T: Scalar> Vectors<T> {
    /// The vector of problem `index`.
    pub(crate) fn get(&self, index: usize) -> &[T] {
        let row = if self.count.is_some() { index } else { 0 };
        &self.values[row * self.length..(row + 1) * self.length]
    }

    /// All of them, after one another.
    pub(crate) fn all(&self) -> &[T] {
        &self.values
    }

    /// A vector for all problems.
    pub(crate) fn of_all(values: Vec<T>) -> Self {
        Self {
            length: values.len(),
            count: None,
            values,
        }
    }

    /// The same of zeros.
    pub(crate) fn zero(length: usize) -> Self {
        Self::of_all(vec![T::zero(); length])
    }

    /// Takes an array of shape (length) or (K, length).
    pub(crate) fn new(array: Array<T>) -> Self {
        let (count, length) = match array.shape[..] {
            [count, length] => (Some(count), length),
            _ => (None, array.values.len()),
        };
        Self {
            length,
            count,
            values: array.values,
        }
    }

    /// Leaves a part of several vectors; one that all problems have stays.
    pub(crate) fn keep(&mut self, part: Range<usize>) {
        if let Some(count) = &mut self.count {
            *count = part.len();
            self.values.truncate(part.end * self.length);
            self.values.drain(..part.start * self.length);
        }
    }

    pub(crate) fn shape(&self) -> String {
        match self.count {
            Some(count) => format!("({count}, {})", self.length),
            None => format!("({},)", self.length),
        }
    }
}
