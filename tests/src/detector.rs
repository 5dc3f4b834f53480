//! The language detector of `data/`, a trained network with real inputs and outputs.

use crate::problems::rounded;
use npyz::{NpyFile, Order};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use twolayer::{Error, LinearBackend, TwoLayer};

/// The arrays of a problem file, rows after one another.
#[derive(Debug, Clone)]
pub struct Detector {
    a1: Vec<f64>,
    bias1: Vec<f64>,
    a2: Vec<f64>,
    bias2: Vec<f64>,
    targets: Vec<f64>,
    /// The mean of the real inputs (d).
    pub start: Vec<f64>,
}

impl Detector {
    /// Reads `cld3.npz` or `cld3_other.npz`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read(file: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../data")
            .join(file);
        Self::open(&path)
    }

    /// Another network of the same make: a file with biases, targets and a start.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn open(path: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let mut archive = zip::ZipArchive::new(File::open(path)?)?;
        let mut read = |name: &str| -> Result<Vec<f64>, Box<dyn std::error::Error>> {
            let mut bytes = Vec::new();
            archive
                .by_name(&format!("{name}.npy"))?
                .read_to_end(&mut bytes)?;
            let array = NpyFile::new(bytes.as_slice())?;
            if array.order() != Order::C {
                return Err(format!("{name} is not row-major").into());
            }
            Ok(match array.try_data::<f64>() {
                Ok(values) => values.collect::<Result<_, _>>()?,
                Err(array) => array
                    .data::<f32>()?
                    .map(|value| value.map(f64::from))
                    .collect::<Result<_, _>>()?,
            })
        };
        Ok(Self {
            a1: read("A1")?,
            bias1: read("c1")?,
            a2: read("A2")?,
            bias2: read("c2")?,
            targets: read("b")?,
            start: read("x0")?,
        })
    }

    /// The network on a backend.
    ///
    /// # Errors
    /// As [`TwoLayer::new`].
    pub fn network<B: LinearBackend>(&self, backend: &B) -> Result<TwoLayer<B>, Error> {
        let (d, n, m) = (self.start.len(), self.bias1.len(), self.bias2.len());
        let (mut a1, mut a2) = (backend.zeros(n, d), backend.zeros(m, n));
        backend.copy_from_row_major(&rounded(&self.a1), &mut a1);
        backend.copy_from_row_major(&rounded(&self.a2), &mut a2);
        TwoLayer::new(backend.clone(), a1, a2)?
            .with_biases(rounded(&self.bias1), rounded(&self.bias2))
    }

    /// The distributions to reach, (m) each.
    pub fn targets(&self) -> impl Iterator<Item = &[f64]> {
        self.targets.chunks(self.bias2.len())
    }
}
