//! Many targets of one network.
//!
//! A [`Campaign`] shares the targets out over threads, tries those that are not met from other
//! starts, and hands the results over in the order of the targets. What it reads, what it keeps and
//! when it stops is said by its [`Owner`]; [`Problems::solve_batch`] has one for targets in memory.

mod batch;
mod campaign;
mod check;
mod cloud;
mod crew;
mod first_starts;
mod further;
mod memory;
mod neighbours;
mod other_starts;
mod owner;
mod posed;
pub(crate) mod problems;
mod rounds;
mod solved;
mod unknowns;
mod work;

pub use campaign::Campaign;
pub use check::Bad;
pub use crew::{Crew, Seat};
pub use further::Further;
pub use memory::CampaignSizes;
pub use owner::{Answer, Earlier, Model, Origin, Owner, Progress, Round, UnderWay};
pub use problems::{MANY, Problems};
pub use rounds::Done;
pub use solved::{BatchResult, Solved};
