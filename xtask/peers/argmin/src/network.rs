//! The squared loss of softmax(A2 relu(A1 x + c1) + c2), on nalgebra, and the regulariser ½w²‖y‖² of
//! y = A2 relu(A1 x + c1).

use nalgebra::{DMatrix, DVector, DVectorView};
use npyz::{NpyFile, Order};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

type Failed = Box<dyn std::error::Error>;
/// Shape and values, row after row.
type Array = (Vec<usize>, Vec<f64>);

/// A problem file's two layers, targets and starts.
pub struct Network {
    a1: DMatrix<f64>,
    a2: DMatrix<f64>,
    c1: DVector<f64>,
    c2: DVector<f64>,
    /// A column each.
    targets: DMatrix<f64>,
    starts: DMatrix<f64>,
    /// w².
    square: f64,
}

/// What the network computed at one point, for one target.
pub struct Pass {
    x: Vec<f64>,
    on: Vec<usize>,
    y: DVector<f64>,
    f: DVector<f64>,
    r: DVector<f64>,
    /// The squared loss and the regulariser.
    value: f64,
}

impl Network {
    pub fn read(path: &Path, start: Option<&Path>, weight: f64) -> Result<Self, Failed> {
        let mut archive = ZipArchive::new(BufReader::new(File::open(path)?))?;
        let mut array = |name: &str| -> Result<Option<Array>, Failed> {
            match archive.by_name(&format!("{name}.npy")) {
                Ok(file) => values(NpyFile::new(BufReader::new(file))?).map(Some),
                Err(ZipError::FileNotFound) => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        let missing = |name| move || Failed::from(format!("no array {name}"));
        let (a1, a2) = (array("A1")?, array("A2")?);
        let a1 = by_rows(a1.ok_or_else(missing("A1"))?);
        let a2 = by_rows(a2.ok_or_else(missing("A2"))?);
        let targets = by_columns(array("b")?.ok_or_else(missing("b"))?);
        let vector = |found: Option<(_, Vec<f64>)>, length| match found {
            Some((_, values)) => DVector::from_vec(values),
            None => DVector::zeros(length),
        };
        let c1 = vector(array("c1")?, a1.nrows());
        let c2 = vector(array("c2")?, a2.nrows());
        let x0 = match start {
            Some(path) => Some(values(NpyFile::new(BufReader::new(File::open(path)?))?)?),
            None => array("x0")?,
        };
        let starts = x0.map_or_else(|| DMatrix::zeros(a1.ncols(), 1), by_columns);
        Ok(Self {
            a1,
            a2,
            c1,
            c2,
            targets,
            starts,
            square: weight * weight,
        })
    }

    /// One b serves many starts, one start many b.
    pub fn problems(&self) -> usize {
        self.targets.ncols().max(self.starts.ncols())
    }

    pub fn start(&self, index: usize) -> &[f64] {
        let column = if self.starts.ncols() > 1 { index } else { 0 };
        let length = self.starts.nrows();
        &self.starts.as_slice()[column * length..(column + 1) * length]
    }

    pub fn pass(&self, x: &[f64], problem: usize) -> Pass {
        let mut h = self.c1.clone();
        h.gemv(1.0, &self.a1, &DVectorView::from_slice(x, x.len()), 1.0);
        let on = (0..h.len()).filter(|&i| h[i] > 0.0).collect();
        h.apply(|value| *value = value.max(0.0));
        let y = &self.a2 * h;
        let mut f = &y + &self.c2;
        let most = f.max();
        f.apply(|z| *z = (*z - most).exp());
        f /= f.sum();
        let r = &f - pick(&self.targets, problem);
        let value = r.norm_squared() + 0.5 * self.square * y.norm_squared();
        Pass {
            x: x.to_vec(),
            on,
            y,
            f,
            r,
            value,
        }
    }

    /// 2 C̄ᵀ(f∘r) + w²Cᵀy.
    pub fn gradient(&self, pass: &Pass) -> DVector<f64> {
        let mean = pass.f.dot(&pass.r);
        let mut u = pass.f.zip_map(&pass.r, |f, r| 2.0 * f * (r - mean));
        u.axpy(self.square, &pass.y, 1.0);
        let back = self.a2.tr_mul(&u);
        let mut on = DVector::zeros(back.len());
        for &i in &pass.on {
            on[i] = back[i];
        }
        self.a1.tr_mul(&on)
    }

    /// C̄ᵀ diag(β) C̄ + w²CᵀC. C is C̄ + 1cᵀ, so that one product makes both parts.
    pub fn hessian(&self, pass: &Pass, problem: usize) -> DMatrix<f64> {
        let mut jacobian = self.a2.select_columns(&pass.on) * self.a1.select_rows(&pass.on);
        let center = jacobian.tr_mul(&pass.f);
        for (mut column, center) in jacobian.column_iter_mut().zip(center.iter()) {
            column.add_scalar_mut(-center);
        }
        let sigma = pass.f.dot(&pass.r);
        let b = pick(&self.targets, problem);
        let weights = pass
            .f
            .zip_map(&b, |f, b| 2.0 * f * (2.0 * f - b - sigma) + self.square);
        let mut weighted = jacobian.clone();
        for mut column in weighted.column_iter_mut() {
            column.component_mul_assign(&weights);
        }
        // A product with an explicit transpose is several times as fast as nalgebra's `tr_mul`.
        let mut hessian = jacobian.transpose() * weighted;
        if self.square > 0.0 {
            let sums = jacobian.row_sum_tr();
            let outcomes = jacobian.nrows() as f64;
            hessian.ger(self.square, &sums, &center, 1.0);
            hessian.ger(self.square, &center, &sums, 1.0);
            hessian.ger(self.square * outcomes, &center, &center, 1.0);
        }
        hessian
    }
}

impl Pass {
    pub fn is_at(&self, x: &[f64]) -> bool {
        self.x == x
    }

    /// The regulariser included.
    pub fn loss(&self) -> f64 {
        self.value
    }
}

fn pick(columns: &DMatrix<f64>, index: usize) -> DVectorView<'_, f64> {
    columns.column(if columns.ncols() > 1 { index } else { 0 })
}

fn values<R: Read>(array: NpyFile<R>) -> Result<Array, Failed> {
    if array.order() != Order::C {
        return Err("an array is not row-major".into());
    }
    let shape = array
        .shape()
        .iter()
        .map(|&length| length as usize)
        .collect();
    let values = match array.try_data::<f64>() {
        Ok(values) => values.collect::<Result<_, _>>()?,
        Err(array) => array
            .data::<f32>()?
            .map(|value| value.map(f64::from))
            .collect::<Result<_, _>>()?,
    };
    Ok((shape, values))
}

fn by_rows((shape, values): Array) -> DMatrix<f64> {
    DMatrix::from_row_slice(shape[0], values.len() / shape[0], &values)
}

/// An array (length) or (K, length), a column for each of the K.
fn by_columns((shape, values): Array) -> DMatrix<f64> {
    let length = shape[shape.len() - 1];
    DMatrix::from_column_slice(length, values.len() / length, &values)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in [-1, 1] without a pattern.
    fn numbers(count: usize, offset: usize) -> Vec<f64> {
        let number = |i: usize| (((i + offset) as f64 + 1.0).powi(2) * 0.7312).sin();
        (0..count).map(number).collect()
    }

    fn network(weight: f64) -> Network {
        let (d, n, m) = (4, 9, 6);
        let b: Vec<f64> = numbers(m, 7).iter().map(|v| v.exp()).collect();
        let total: f64 = b.iter().sum();
        Network {
            a1: DMatrix::from_vec(n, d, numbers(n * d, 0)),
            a2: DMatrix::from_vec(m, n, numbers(m * n, 50)),
            c1: DVector::from_vec(numbers(n, 200)),
            c2: DVector::from_vec(numbers(m, 300)),
            targets: DMatrix::from_vec(m, 1, b) / total,
            starts: DMatrix::zeros(d, 1),
            square: weight * weight,
        }
    }

    /// Central differences with a step of ε^(1/3) are off by about ε^(2/3) of the values, 4e-11.
    #[test]
    fn derivatives_are_those_of_the_value() {
        let step = f64::EPSILON.cbrt();
        for weight in [0.0, 0.3, 1.5] {
            let network = network(weight);
            let x = numbers(4, 400);
            let pass = network.pass(&x, 0);
            let (gradient, hessian) = (network.gradient(&pass), network.hessian(&pass, 0));
            for i in 0..4 {
                let [after, before] = [step, -step].map(|by| {
                    let mut beside = x.clone();
                    beside[i] += by;
                    network.pass(&beside, 0)
                });
                assert_eq!(
                    [&after.on, &before.on],
                    [&pass.on; 2],
                    "a kink lies between"
                );
                let slope = (after.loss() - before.loss()) / (2.0 * step);
                let tolerance = 1e-9 * pass.loss().max(1.0);
                assert!((slope - gradient[i]).abs() < tolerance, "{weight} {i}");
                let slopes = (network.gradient(&after) - network.gradient(&before)) / (2.0 * step);
                let tolerance = 1e-9 * gradient.amax().max(1.0);
                assert!(
                    (slopes - hessian.column(i)).amax() < tolerance,
                    "{weight} {i}"
                );
            }
        }
    }
}
