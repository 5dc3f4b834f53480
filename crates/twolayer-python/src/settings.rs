//! What can be said of a call, by name.

use crate::input_error::refused;
use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use std::time::Duration;
use twolayer::{
    AnyInversion, Bounds, Error, KullbackLeibler, LinearBackend, Loss, ModelKind, Nearest,
    Nearness, NetworkRef, NumberFormat, Problems, Regularizer, Scalar, Solver, SquaredError,
    Target, Tolerances,
};

/// The linear algebra library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Faer,
    Nalgebra,
    Ndarray,
}

/// How far an output is from its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LossName {
    Squared,
    Kl,
}

pub(crate) const BACKENDS: [(&str, Backend); 3] = [
    ("faer", Backend::Faer),
    ("nalgebra", Backend::Nalgebra),
    ("ndarray", Backend::Ndarray),
];

pub(crate) const LOSSES: [(&str, LossName); 2] =
    [("squared", LossName::Squared), ("kl", LossName::Kl)];

const FORMATS: [NumberFormat; 2] = [NumberFormat::Single, NumberFormat::Half];

/// The one that is called so.
fn named<T: Copy>(argument: &str, name: &str, all: &[(&str, T)]) -> PyResult<T> {
    let found = all.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|(known, _)| *known).collect();
        let message = format!(
            "{argument} is {name:?}; it must be one of {}",
            known.join(", ")
        );
        refused(Some(argument), message)
    })
}

/// The backend of this name.
pub(crate) fn backend(name: &str) -> PyResult<Backend> {
    named("backend", name, &BACKENDS)
}

/// What b may have been rounded to, by this name.
pub(crate) fn rounded_to(name: &str) -> PyResult<NumberFormat> {
    named(
        "rounded_to",
        name,
        &FORMATS.map(|format| (format.name(), format)),
    )
}

/// An objective as a call states it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Statement<'py> {
    loss: String,
    regularizer: Option<PyReadonlyArray1<'py, f64>>,
    radius: Option<f64>,
    lower: Option<PyReadonlyArray1<'py, f64>>,
    upper: Option<PyReadonlyArray1<'py, f64>>,
    near: Option<PyReadonlyArray1<'py, f64>>,
    near_weight: Option<f64>,
}

impl Statement<'_> {
    /// l and u (d), where both are given.
    fn bounds<T: Scalar>(&self) -> PyResult<Option<Bounds<T>>> {
        let (Some(lower), Some(upper)) = (&self.lower, &self.upper) else {
            return Ok(None);
        };
        let side = |array: &PyReadonlyArray1<'_, f64>| -> Vec<T> {
            array.as_array().iter().map(|&bound| T::of(bound)).collect()
        };
        let bounds = Bounds::new(side(lower), side(upper));
        bounds
            .map(Some)
            .map_err(|error| refused(Some("bounds"), format!("bounds: {error}")))
    }
}

impl Statement<'_> {
    /// The term for how far x is from a point, where both are given and it counts.
    fn nearness<T: Scalar>(&self) -> PyResult<Option<Nearness<T>>> {
        let (Some(near), Some(weight)) = (&self.near, self.near_weight) else {
            return Ok(None);
        };
        let reference = near.as_array().iter().map(|&x| T::of(x)).collect();
        let nearness = Nearness::new(reference, T::of(weight));
        let nearness = nearness.map_err(|error| {
            let message = error.to_string();
            let argument = match message.starts_with("near_weight") {
                true => "near_weight",
                false => "near",
            };
            refused(Some(argument), message)
        })?;
        Ok(Some(nearness).filter(|_| weight != 0.0))
    }
}

/// The same, checked and in the precision of a network.
#[derive(Debug)]
pub(crate) struct Stated<T> {
    loss: LossName,
    regularizer: Option<Regularizer<T>>,
    radius: Option<T>,
    bounds: Option<Bounds<T>>,
    nearness: Option<Nearness<T>>,
}

impl<T: Scalar> Stated<T> {
    pub(crate) fn new(statement: &Statement<'_>) -> PyResult<Self> {
        let weights = |array: &PyReadonlyArray1<'_, f64>| {
            let weights = array.as_array().iter().map(|&w| T::of(w)).collect();
            Regularizer::new(weights)
                .map_err(|error| refused(Some("regularizer"), error.to_string()))
        };
        Ok(Self {
            loss: named("loss", &statement.loss, &LOSSES)?,
            regularizer: statement.regularizer.as_ref().map(weights).transpose()?,
            radius: statement.radius.map(T::of),
            bounds: statement.bounds()?,
            nearness: statement.nearness()?,
        })
    }

    fn loss(&self) -> &'static dyn Loss<T> {
        match self.loss {
            LossName::Squared => &SquaredError,
            LossName::Kl => &KullbackLeibler,
        }
    }

    /// What all targets share.
    pub(crate) fn problems<'a, B: LinearBackend<Scalar = T>>(
        &'a self,
        network: NetworkRef<'a, B>,
    ) -> Result<Problems<'a, B>, Error> {
        let mut problems = Problems::new(network).with_loss(self.loss());
        if let Some(regularizer) = &self.regularizer {
            problems = problems.with_regularizer(regularizer)?;
        }
        if let Some(bounds) = &self.bounds {
            problems = problems.with_bounds(bounds)?;
        }
        if let Some(nearness) = &self.nearness {
            problems = problems.with_nearness(nearness)?;
        }
        match self.radius {
            Some(radius) => problems.with_radius(radius),
            None => Ok(problems),
        }
    }

    /// The search for the nearest point, within bounds and ball.
    pub(crate) fn confine<'a, B: LinearBackend<Scalar = T>>(
        &'a self,
        mut nearest: Nearest<'a, B>,
    ) -> Result<Nearest<'a, B>, Error> {
        if let Some(bounds) = &self.bounds {
            nearest = nearest.with_bounds(bounds)?;
        }
        match self.radius {
            Some(radius) => nearest.with_radius(radius),
            None => Ok(nearest),
        }
    }

    /// The problem of one target.
    pub(crate) fn inversion<'a, B: LinearBackend<Scalar = T>>(
        &'a self,
        network: NetworkRef<'a, B>,
        target: &'a Target<T>,
    ) -> Result<AnyInversion<'a, B>, Error> {
        let mut inversion = AnyInversion::new(network, target)?.with_loss(self.loss());
        if let Some(regularizer) = &self.regularizer {
            inversion = inversion.with_regularizer(regularizer)?;
        }
        if let Some(bounds) = &self.bounds {
            inversion = inversion.with_bounds(bounds)?;
        }
        if let Some(nearness) = &self.nearness {
            inversion = inversion.with_nearness(nearness)?;
        }
        match self.radius {
            Some(radius) => inversion.with_radius(radius),
            None => Ok(inversion),
        }
    }
}

/// How a call solves.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options {
    backend: String,
    hessian: String,
    max_iterations: usize,
    starts: usize,
    pub(crate) threads: Option<usize>,
    /// How many problems there are in all, where the call has a part of them.
    pub(crate) total: Option<usize>,
    seed: u64,
    time_limit: Option<f64>,
    gtol: Option<f64>,
    ftol: Option<f64>,
    xtol: Option<f64>,
    pub(crate) certify: bool,
    /// Whether the tables of iterations are wanted.
    pub(crate) trace: bool,
}

impl Options {
    pub(crate) fn backend(&self) -> PyResult<Backend> {
        backend(&self.backend)
    }

    pub(crate) fn hessian(&self) -> PyResult<ModelKind> {
        let all = ModelKind::ALL.map(|kind| (kind.name(), kind));
        named("hessian", &self.hessian, &all)
    }

    pub(crate) fn solver<T: Scalar>(&self) -> PyResult<Solver<T>> {
        let mut tolerances = Tolerances::default();
        if let Some(value) = self.gtol {
            tolerances = within("gtol", tolerances.with_gradient(T::of(value)))?;
        }
        if let Some(value) = self.ftol {
            tolerances = within("ftol", tolerances.with_decrement(T::of(value)))?;
        }
        if let Some(value) = self.xtol {
            tolerances = within("xtol", tolerances.with_step(T::of(value)))?;
        }
        let solver = Solver::new()
            .with_seed(self.seed)
            .with_starts(self.starts)
            .with_max_iterations(self.max_iterations)
            .with_tolerances(tolerances);
        let Some(seconds) = self.time_limit else {
            return Ok(solver);
        };
        let limit = Duration::try_from_secs_f64(seconds).map_err(|_| {
            let message =
                format!("time_limit is {seconds}; it must be a number of seconds, at least 0");
            refused(Some("time_limit"), message)
        })?;
        Ok(solver.with_time_limit(limit))
    }
}

/// A tolerance under the name of its argument.
fn within<T>(argument: &str, tolerance: Result<T, Error>) -> PyResult<T> {
    tolerance.map_err(|error| refused(Some(argument), format!("{argument}: {error}")))
}
