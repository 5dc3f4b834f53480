//! Derivatives against differences of whole solves.

mod deep;
mod differences;
mod made;
mod polished;
mod refusals;
