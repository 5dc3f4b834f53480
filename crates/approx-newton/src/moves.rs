//! The three ways to move. Each has a memory of its own and knows nothing of the others; the descent says
//! which is tried when.

pub(crate) mod caution;
pub(crate) mod escape;
pub(crate) mod kinked_step;
pub(crate) mod search;
