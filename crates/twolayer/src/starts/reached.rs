//! Where the first burst of a splitting leads.

/// Where the first burst of one target leads from one start.
#[derive(Debug)]
pub(crate) struct Reached<T> {
    pub(super) start: Vec<T>,
    pub(super) x: Vec<T>,
    pub(super) hidden: Vec<f32>,
    pub(super) activations: Vec<f32>,
}
