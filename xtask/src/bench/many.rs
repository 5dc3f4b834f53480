//! One network with many targets, as files that every program reads.

use super::archive::{Archive, write_array};
use super::problem::{Named, SEED, write_digits};
use crate::command::root;
use crate::error::Error;
use npyz::NpyFile;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use twolayer::{LinearBackend, TwoLayer};
use twolayer_faer::Faer;
use twolayer_tests::detector::Detector;
use twolayer_tests::problems::Planted;

/// A network, a start for all, and outputs of the network as targets.
#[derive(Debug)]
pub(crate) struct Many {
    pub(crate) name: &'static str,
    network: TwoLayer<Faer<f64>>,
    start: Vec<f64>,
    /// As many as were asked for, row after row.
    targets: Vec<f64>,
    folder: PathBuf,
}

impl Many {
    /// Planted problems have targets at random inputs x* ~ N(0, I) and start at 0.1 N(0, I), or at
    /// zero if they are wide. Those of the detector and the digits are outputs at the means of two
    /// real inputs; the detector starts at the mean of all, the digits at zero.
    pub(crate) fn new(
        named: Named,
        count: usize,
        python: &str,
        folder: &Path,
    ) -> Result<Self, Error> {
        if named == Named::Digits {
            return Self::digits(count, python, folder);
        }
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        let (network, start, inputs) = match named.shape() {
            Some(shape) => {
                let network =
                    Planted::new(shape, named.is_wide(), SEED).network(&Faer::default())?;
                let mut normal = |scale: f64| {
                    let number = |_| scale * random.sample::<f64, _>(StandardNormal);
                    (0..shape.0).map(number).collect::<Vec<_>>()
                };
                let start = normal(if named.is_wide() { 0.0 } else { 0.1 });
                let inputs: Vec<_> = (0..count).map(|_| normal(1.0)).collect();
                (network, start, inputs)
            }
            None => {
                let detector = Detector::read("cld3.npz").map_err(Error::Detector)?;
                let network = detector.network(&Faer::default())?;
                let real = real_inputs(detector.start.len())?;
                let mut mean = || {
                    let [a, b] = [0, 1].map(|_| &real[random.random_range(0..real.len())]);
                    a.iter()
                        .zip(b)
                        .map(|(a, b)| 0.5 * (a + b))
                        .collect::<Vec<_>>()
                };
                let inputs = (0..count).map(|_| mean()).collect();
                (network, detector.start, inputs)
            }
        };
        let outputs = inputs.iter().map(|x| network.probabilities(x));
        let targets = outputs.collect::<Result<Vec<_>, _>>()?.concat();
        Ok(Self {
            name: named.name(),
            network,
            start,
            targets,
            folder: folder.into(),
        })
    }

    fn digits(count: usize, python: &str, folder: &Path) -> Result<Self, Error> {
        let file = write_digits(python, SEED, count, folder)?;
        let digits = Detector::open(&file).map_err(Error::Classifier)?;
        Ok(Self {
            name: Named::Digits.name(),
            network: digits.network(&Faer::default())?,
            targets: digits.targets().flatten().copied().collect(),
            start: digits.start,
            folder: folder.into(),
        })
    }

    /// (d, n, m).
    pub(crate) fn shape(&self) -> (usize, usize, usize) {
        let network = &self.network;
        (network.inputs(), network.hidden_units(), network.outcomes())
    }

    /// Bytes of the network and of so many targets, in double precision.
    pub(crate) fn input_bytes(&self, count: usize) -> usize {
        let (d, n, m) = self.shape();
        size_of::<f64>() * (n * d + m * n + n + m + d + count * m)
    }

    /// Writes `count` targets, from number `first` on, as a file of their own.
    pub(crate) fn write_targets(&self, first: usize, count: usize) -> Result<PathBuf, Error> {
        let m = self.network.outcomes();
        let path = self.folder.join("targets.npy");
        let rows = self.targets[first * m..][..count * m].to_vec();
        let written = File::create(&path)
            .and_then(|file| write_array(&mut BufWriter::new(file), &[count, m], rows));
        written.map_or_else(
            |source| {
                Err(Error::Write {
                    path: path.clone(),
                    source,
                })
            },
            |()| Ok(path.clone()),
        )
    }

    /// Writes the network and the first `count` targets.
    pub(crate) fn write(&self, count: usize) -> Result<PathBuf, Error> {
        let (d, n, m) = self.shape();
        let network = &self.network;
        let rows_of = |matrix, length| {
            let mut values = vec![0.0; length];
            network.backend().copy_to_row_major(matrix, &mut values);
            values
        };
        let path = self.folder.join("problem.npz");
        let written = || -> io::Result<()> {
            let mut archive = Archive::create(&path)?;
            archive.add("A1", &[n, d], rows_of(network.a1(), n * d))?;
            archive.add("A2", &[m, n], rows_of(network.a2(), m * n))?;
            archive.add("c1", &[n], network.bias1().to_vec())?;
            archive.add("c2", &[m], network.bias2().to_vec())?;
            archive.add("x0", &[d], self.start.clone())?;
            archive.add("b", &[count, m], self.targets[..count * m].to_vec())?;
            archive.finish()
        };
        match written() {
            Ok(()) => Ok(path),
            Err(source) => Err(Error::Write { path, source }),
        }
    }
}

/// The inputs of the detector at its texts.
fn real_inputs(length: usize) -> Result<Vec<Vec<f64>>, Error> {
    let path = root().join("data/cld3_inputs.npy");
    let read = || -> io::Result<Vec<f64>> {
        let file = NpyFile::new(BufReader::new(File::open(&path)?))?;
        match file.try_data::<f64>() {
            Ok(values) => values.collect(),
            Err(file) => {
                let values = file.data::<f32>().map_err(io::Error::other)?;
                values.map(|value| value.map(f64::from)).collect()
            }
        }
    };
    let values = read().map_err(|source| Error::Folder {
        path: path.clone(),
        source,
    })?;
    Ok(values.chunks(length).map(<[f64]>::to_vec).collect())
}
