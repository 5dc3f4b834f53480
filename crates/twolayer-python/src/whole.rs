//! All that an objective is made of.

use crate::backend::{Networks, Number};
use crate::input_error::of_call;
use crate::settings::{Stated, Statement};
use pyo3::prelude::*;
use std::sync::Arc;
use twolayer::Target;

/// A network, a target and the rest of an objective.
pub(crate) struct Whole<T: Number> {
    pub(crate) networks: Arc<Networks<T>>,
    pub(crate) target: Target<T>,
    pub(crate) stated: Stated<T>,
}

impl<T: Number> Whole<T> {
    pub(crate) fn new(
        networks: &Arc<Networks<T>>,
        target: Target<T>,
        statement: &Statement<'_>,
    ) -> PyResult<Self> {
        let whole = Self {
            networks: Arc::clone(networks),
            target,
            stated: Stated::new(statement)?,
        };
        let network = whole.networks.original();
        whole
            .stated
            .inversion(network, &whole.target)
            .map_err(of_call)?;
        Ok(whole)
    }
}
