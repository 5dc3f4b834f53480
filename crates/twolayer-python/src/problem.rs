//! An objective for minimisers other than ours: its value and its derivatives at a point.

use crate::arrays::array;
use crate::backend::{Number, Work};
use crate::derivatives::{self, AlongTarget, AnswerAt, OfAnswer};
use crate::input_error::of_call;
use crate::network::{Network, Precision};
use crate::settings::{self, Backend, Statement, backend};
use crate::whole::Whole;
use numpy::{PyReadonlyArray1, PyReadonlyArrayDyn};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use twolayer::{
    AnyInversion, Curvature, DenseHessian, Error, Evaluation, HessianApprox, LinearBackend,
    NetworkRef, NumberFormat, Objective, RowStructured, RowWeights, Target, reduce,
};

/// One target's objective. Results are in double precision, exactly the numbers of the network's own.
#[pyclass(frozen, module = "twolayer._twolayer")]
pub(crate) struct Problem {
    stated: InPrecision,
    backend: Backend,
}

enum InPrecision {
    Single(Whole<f32>),
    Double(Whole<f64>),
}

#[pymethods]
impl Problem {
    #[new]
    fn new(
        network: &Bound<'_, Network>,
        target: &Bound<'_, PyAny>,
        rounded_to: &str,
        statement: Statement<'_>,
        backend_name: &str,
    ) -> PyResult<Self> {
        let format = settings::rounded_to(rounded_to)?;
        let stated = match &network.get().networks {
            Precision::Single(networks) => {
                let target = stored_target(target, format)?;
                InPrecision::Single(Whole::new(networks, target, &statement)?)
            }
            Precision::Double(networks) => {
                let target = stored_target(target, format)?;
                InPrecision::Double(Whole::new(networks, target, &statement)?)
            }
        };
        let backend = backend(backend_name)?;
        let problem = Self { stated, backend };
        Ok(problem)
    }

    /// The value and the gradient (d) at `x` (d).
    fn value_and_gradient<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<(f64, Bound<'py, PyAny>)> {
        let values = self.at(py, &x, Wanted::Gradient)?;
        let (value, gradient) = values.split_at(1);
        Ok((value[0], array(py, gradient).into_any()))
    }

    /// The value at `x` (d).
    fn value(&self, py: Python<'_>, x: PyReadonlyArray1<'_, f64>) -> PyResult<f64> {
        Ok(self.at(py, &x, Wanted::Value)?[0])
    }

    /// The Hessian of the cell that `x` (d) is in, d·d numbers.
    fn hessian<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Ok(array(py, &self.at(py, &x, Wanted::Hessian)?).into_any())
    }

    /// The product of that with `v` (d).
    fn hessian_product<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray1<'py, f64>,
        v: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let product = self.at(py, &x, Wanted::Product(v.as_array().to_vec()))?;
        Ok(array(py, &product).into_any())
    }

    /// How the answer `x` (d), held by the kinks `pinned`, moves along a `change` of b (m).
    fn jvp_b<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray1<'py, f64>,
        pinned: Vec<usize>,
        change: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (x, change) = (x.as_array().to_vec(), change.as_array().to_vec());
        let (pinned, change) = (&pinned[..], &change[..]);
        let dx = py.detach(|| match &self.stated {
            InPrecision::Single(whole) => {
                let answer = AnswerAt::new(whole, &x, pinned);
                whole
                    .networks
                    .on(self.backend, AlongTarget { answer, change })
            }
            InPrecision::Double(whole) => {
                let answer = AnswerAt::new(whole, &x, pinned);
                whole
                    .networks
                    .on(self.backend, AlongTarget { answer, change })
            }
        })?;
        Ok(array(py, &dx).into_any())
    }

    /// The gradient of vᵀx of the same answer, `v` (d), by what the problem is made of, the layers where they are
    /// `asked` for.
    fn vjp<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray1<'py, f64>,
        pinned: Vec<usize>,
        v: PyReadonlyArray1<'py, f64>,
        asked: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (x, v) = (x.as_array().to_vec(), v.as_array().to_vec());
        let (pinned, v) = (&pinned[..], &v[..]);
        match &self.stated {
            InPrecision::Single(whole) => {
                let answer = AnswerAt::new(whole, &x, pinned);
                let work = || whole.networks.on(self.backend, OfAnswer { answer, v });
                derivatives::mapping(py, py.detach(work)?, asked)
            }
            InPrecision::Double(whole) => {
                let answer = AnswerAt::new(whole, &x, pinned);
                let work = || whole.networks.on(self.backend, OfAnswer { answer, v });
                derivatives::mapping(py, py.detach(work)?, asked)
            }
        }
    }
}

impl Problem {
    fn at(
        &self,
        py: Python<'_>,
        x: &PyReadonlyArray1<'_, f64>,
        wanted: Wanted,
    ) -> PyResult<Vec<f64>> {
        let x = x.as_array().to_vec();
        py.detach(|| match &self.stated {
            InPrecision::Single(whole) => at(whole, self.backend, &x, wanted),
            InPrecision::Double(whole) => at(whole, self.backend, &x, wanted),
        })
    }
}

/// What is computed at a point.
enum Wanted {
    Value,
    /// The value and the gradient.
    Gradient,
    Hessian,
    Product(Vec<f64>),
}

fn stored_target<T: Number>(
    numbers: &Bound<'_, PyAny>,
    format: NumberFormat,
) -> PyResult<Target<T>> {
    let numbers: PyReadonlyArrayDyn<'_, T> = numbers.extract()?;
    let numbers = numbers.as_array().iter().copied().collect();
    Target::stored_as(numbers, format).map_err(of_call)
}

fn at<T: Number>(
    whole: &Whole<T>,
    backend: Backend,
    x: &[f64],
    wanted: Wanted,
) -> PyResult<Vec<f64>> {
    whole.networks.on(backend, At { whole, x, wanted })
}

/// A point, and what is wanted there.
struct At<'a, T: Number> {
    whole: &'a Whole<T>,
    x: &'a [f64],
    wanted: Wanted,
}

impl<T: Number> Work<T> for At<'_, T> {
    type Output = Vec<f64>;

    fn on<B: LinearBackend<Scalar = T>>(self, network: NetworkRef<'_, B>) -> PyResult<Vec<f64>> {
        let Whole { target, stated, .. } = self.whole;
        let objective = stated.inversion(network, target).map_err(of_call)?;
        let values = self.of(&objective).map_err(of_call)?;
        Ok(values
            .iter()
            .map(|&value| twolayer::Scalar::to_f64(value))
            .collect())
    }
}

impl<T: Number> At<'_, T> {
    fn of<B: LinearBackend<Scalar = T>>(
        &self,
        objective: &AnyInversion<'_, B>,
    ) -> Result<Vec<T>, Error> {
        let narrow = |values: &[f64]| -> Vec<T> {
            values
                .iter()
                .map(|&value| twolayer::Scalar::of(value))
                .collect()
        };
        let x = narrow(self.x);
        let d = objective.dimension();
        Error::check_length("x", x.len(), d)?;
        Error::check_finite("x", &x)?;
        let mut at = objective.new_evaluation();
        objective.evaluate(&x, &[], &mut at);
        let values = match &self.wanted {
            Wanted::Value => vec![at.value()],
            Wanted::Gradient => {
                objective.differentiate(&mut at);
                [&[at.value()], at.gradient()].concat()
            }
            Wanted::Hessian => {
                objective.differentiate(&mut at);
                let mut hessian = DenseHessian::new(objective, RowWeights::Exact);
                hessian.build(objective, &at);
                hessian.matrix().to_vec()
            }
            Wanted::Product(v) => {
                let v = narrow(v);
                Error::check_length("p", v.len(), d)?;
                Error::check_finite("p", &v)?;
                objective.differentiate(&mut at);
                let mut curvature = Curvature::new(objective.rows());
                objective.curvature(&at, RowWeights::Exact, &mut curvature);
                let mut product = vec![T::zero(); d];
                objective.hessian_vec(&at, &curvature, &v, &mut Default::default(), &mut product);
                product
            }
        };
        match reduce::all_finite(&values) {
            true => Ok(values),
            false => {
                let (quantity, at) = ("objective or a derivative of it", "x");
                Err(Error::Overflow { quantity, at })
            }
        }
    }
}
