//! Many targets of one network: what they share, and how they are shared out.

mod batch;
pub(crate) mod crew;
pub(crate) mod problems;

pub use batch::BatchResult;
pub use crew::{Crew, Seat};
pub use problems::Problems;
