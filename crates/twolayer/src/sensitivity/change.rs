//! A change of what a problem is made of.

use super::no_derivative::NoDerivative;
use crate::chain::LayerChange;
use num_traits::Zero;
use twolayer_core::{Error, LinearBackend, Scalar};

/// A change of what a problem is made of, in any of its parts: the direction of a
/// [`jvp`](crate::Sensitivity::jvp).
///
/// Parts that are not given do not change.
#[derive(Debug)]
pub struct Change<'c, B: LinearBackend> {
    pub(super) target: Option<&'c [B::Scalar]>,
    pub(super) layers: Vec<LayerChange<'c, B>>,
    pub(super) regularizer: Option<&'c [B::Scalar]>,
    pub(super) reference: Option<&'c [B::Scalar]>,
    pub(super) curvatures: Option<&'c [B::Scalar]>,
    pub(super) lower: Option<&'c [B::Scalar]>,
    pub(super) upper: Option<&'c [B::Scalar]>,
    pub(super) radius: Option<B::Scalar>,
}

impl<B: LinearBackend> Default for Change<'_, B> {
    fn default() -> Self {
        Self {
            target: None,
            layers: Vec::new(),
            regularizer: None,
            reference: None,
            curvatures: None,
            lower: None,
            upper: None,
            radius: None,
        }
    }
}

impl<'c, B: LinearBackend> Change<'c, B> {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// db (m). Entries need not sum to 0.
    #[must_use]
    pub fn with_target(self, change: &'c [B::Scalar]) -> Self {
        Self {
            target: Some(change),
            ..self
        }
    }

    /// dA of layer number `layer`, counted from 0.
    #[must_use]
    pub fn with_weights(mut self, layer: usize, change: &'c B::Matrix) -> Self {
        self.layer(layer).weights = Some(change);
        self
    }

    /// dc of layer number `layer`, counted from 0.
    #[must_use]
    pub fn with_bias(mut self, layer: usize, change: &'c [B::Scalar]) -> Self {
        self.layer(layer).bias = Some(change);
        self
    }

    /// dw (m), the weights of the regulariser.
    #[must_use]
    pub fn with_regularizer(self, change: &'c [B::Scalar]) -> Self {
        Self {
            regularizer: Some(change),
            ..self
        }
    }

    /// dx_ref (d).
    #[must_use]
    pub fn with_reference(self, change: &'c [B::Scalar]) -> Self {
        Self {
            reference: Some(change),
            ..self
        }
    }

    /// d(μD²), the [curvatures](crate::Nearness::curvatures) of the nearness (d).
    #[must_use]
    pub fn with_curvatures(self, change: &'c [B::Scalar]) -> Self {
        Self {
            curvatures: Some(change),
            ..self
        }
    }

    /// dl (d). Of an entry with l = u both move by what is given for u.
    #[must_use]
    pub fn with_lower(self, change: &'c [B::Scalar]) -> Self {
        Self {
            lower: Some(change),
            ..self
        }
    }

    /// du (d).
    #[must_use]
    pub fn with_upper(self, change: &'c [B::Scalar]) -> Self {
        Self {
            upper: Some(change),
            ..self
        }
    }

    /// dR.
    #[must_use]
    pub fn with_radius(self, change: B::Scalar) -> Self {
        Self {
            radius: Some(change),
            ..self
        }
    }

    fn layer(&mut self, layer: usize) -> &mut LayerChange<'c, B> {
        if self.layers.len() <= layer {
            self.layers.resize_with(layer + 1, Default::default);
        }
        &mut self.layers[layer]
    }
}

/// What a problem has, for a change to fit to.
#[derive(Debug)]
pub(super) struct Parts {
    /// (rows, columns) of each layer.
    pub(super) layers: Vec<(usize, usize)>,
    pub(super) has_regularizer: bool,
    pub(super) has_nearness: bool,
    pub(super) has_bounds: bool,
    pub(super) has_radius: bool,
}

impl<B: LinearBackend> Change<'_, B> {
    /// Checks that the problem has what changes, of this shape, and that all numbers are finite.
    pub(super) fn check(&self, backend: &B, parts: &Parts) -> Result<(), NoDerivative> {
        let (d, m) = match (parts.layers.first(), parts.layers.last()) {
            (Some(first), Some(last)) => (first.1, last.0),
            _ => (0, 0),
        };
        let vectors = [
            ("db", self.target, m, true),
            ("dw", self.regularizer, m, parts.has_regularizer),
            ("dx_ref", self.reference, d, parts.has_nearness),
            ("d(mu D^2)", self.curvatures, d, parts.has_nearness),
            ("dl", self.lower, d, parts.has_bounds),
            ("du", self.upper, d, parts.has_bounds),
        ];
        for (name, vector, length, is_there) in vectors {
            let Some(vector) = vector else { continue };
            if !is_there {
                return Err(Error::Absent { name }.into());
            }
            Error::check_length(name, vector.len(), length)?;
            Error::check_finite(name, vector)?;
        }
        if let Some(radius) = self.radius {
            if !parts.has_radius {
                return Err(Error::Absent { name: "dR" }.into());
            }
            Error::check_finite("dR", &[radius])?;
        }
        for (number, layer) in self.layers.iter().enumerate() {
            let Some(&(rows, columns)) = parts.layers.get(number) else {
                let name = "the change of a layer behind the last";
                return Err(Error::Absent { name }.into());
            };
            if let Some(bias) = layer.bias {
                Error::check_length("dc", bias.len(), rows)?;
                Error::check_finite("dc", bias)?;
            }
            if let Some(weights) = layer.weights {
                check_matrix(backend, weights, (rows, columns))?;
            }
        }
        Ok(())
    }
}

fn check_matrix<B: LinearBackend>(
    backend: &B,
    change: &B::Matrix,
    (rows, columns): (usize, usize),
) -> Result<(), Error> {
    let found = (backend.nrows(change), backend.ncols(change));
    if found != (rows, columns) {
        return Err(Error::Shape {
            name: "dA",
            found: format!("({}, {})", found.0, found.1),
            expected: format!("({rows}, {columns})"),
        });
    }
    let Some((row, column)) = backend.find_non_finite(change) else {
        return Ok(());
    };
    let mut entries = vec![B::Scalar::zero(); rows * columns];
    backend.copy_to_row_major(change, &mut entries);
    Err(Error::NotFinite {
        name: "dA",
        index: format!("{row}, {column}"),
        value: entries[row * columns + column].to_f64(),
    })
}
