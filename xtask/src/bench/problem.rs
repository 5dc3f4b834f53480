//! The problems of the matrix, as files that every program reads.

use super::archive::{Archive, write_array};
use crate::command::{print_of, root, script};
use crate::error::Error;
use crate::python::{DIGITS, has};
use clap::ValueEnum;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Gamma, StandardNormal};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use twolayer::LinearBackend;
use twolayer_faer::Faer;
use twolayer_tests::detector::Detector;
use twolayer_tests::problems::Planted;

/// A problem of the matrix, by the name in its tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum Named {
    /// d = 32, n = 128, m = 256.
    S,
    /// d = 128, n = 512, m = 2048.
    M,
    /// d = 256, n = 1024, m = 16384.
    L,
    /// d = 384, n = 1536, m = 30522: as large as a language model's head.
    Xl,
    /// d = 64, n = 256, m = 200000.
    T,
    /// The language detector of `data/`: d = 80, n = 208, m = 109, 45 targets.
    Detector,
    /// d = 784, n = 128, m = 10, from zero: as a classifier of handwritten digits.
    W,
    /// d = 512, n = 32, m = 54, from zero: fewer units and outcomes than inputs.
    W2,
    /// scikit-learn's classifier of its digits: d = 64, n = 64, m = 10, from zero. Needs a Python
    /// with scikit-learn.
    Digits,
}

impl Named {
    pub(crate) const ALL: [Self; 9] = [
        Self::S,
        Self::M,
        Self::L,
        Self::Xl,
        Self::T,
        Self::Detector,
        Self::W,
        Self::W2,
        Self::Digits,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::M => "M",
            Self::L => "L",
            Self::Xl => "XL",
            Self::T => "T",
            Self::Detector => "detector",
            Self::W => "W",
            Self::W2 => "W2",
            Self::Digits => "digits",
        }
    }

    /// Writes the files of an instance of this problem to a folder. What is wanted is for those that
    /// are planted; the others have outputs of their networks as targets.
    pub(crate) fn write(
        self,
        wanted: Wanted,
        instance: u64,
        python: &str,
        folder: &Path,
    ) -> Result<Problem, Error> {
        let seed = SEED + 2 * instance;
        match (self.shape(), self) {
            (Some(shape), _) if self.is_wide() => {
                Problem::wide(self.name(), shape, seed, wanted, folder)
            }
            (Some(shape), _) => Problem::planted(self.name(), shape, seed, wanted, folder),
            (None, Self::Digits) => digits(python, seed, folder),
            (None, _) => detector(folder),
        }
    }

    /// (d, n, m) of a planted problem.
    pub(crate) fn shape(self) -> Option<(usize, usize, usize)> {
        match self {
            Self::S => Some((32, 128, 256)),
            Self::M => Some((128, 512, 2048)),
            Self::L => Some((256, 1024, 16384)),
            Self::Xl => Some((384, 1536, 30522)),
            Self::T => Some((64, 256, 200_000)),
            Self::W => Some((784, 128, 10)),
            Self::W2 => Some((512, 32, 54)),
            Self::Detector | Self::Digits => None,
        }
    }

    /// Whether it has fewer outcomes than inputs, biases, and the start zero.
    pub(crate) fn is_wide(self) -> bool {
        matches!(self, Self::W | Self::W2 | Self::Digits)
    }

    /// Whether it differs from seed to seed.
    pub(crate) fn is_drawn(self) -> bool {
        self != Self::Detector
    }

    /// Whether a Python has what this problem needs; what it has not is said and added to `missing`.
    pub(crate) fn can_be_made(
        self,
        python: &str,
        missing: &mut BTreeSet<String>,
    ) -> Result<bool, Error> {
        if self != Self::Digits {
            return Ok(true);
        }
        match has(python, "digits", DIGITS, missing) {
            // The other problems need no Python.
            Err(error @ Error::Start { .. }) => {
                missing.insert(format!("digits: {error}"));
                Ok(false)
            }
            found => found,
        }
    }
}

/// Of the first instance. A seed's successor is that of what is not the network, so that instances
/// are two apart.
pub(crate) const SEED: u64 = 4;

/// Which b a planted problem has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wanted {
    /// The network's output at x*.
    Attained,
    /// softmax(z + σ N(0, I)), z the logits at x*.
    Noisy(f64),
    /// Dirichlet(0.1): it has nothing to do with the network, and a tenth of the outcomes or so have
    /// most of it.
    Unrelated,
}

/// A problem file and its starts.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) name: &'static str,
    /// (d, n, m).
    pub(crate) shape: (usize, usize, usize),
    pub(crate) targets: usize,
    pub(crate) file: PathBuf,
    pub(crate) starts: Vec<Start>,
}

/// A start that overrides the file's own.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) name: &'static str,
    pub(crate) file: PathBuf,
}

impl Problem {
    /// A1 ~ N(0, 1/d), A2 ~ N(0, 18/n), x* ~ N(0, I). Starts at x* + 0.1 N(0, I), and cold at
    /// 0.1 N(0, I): zero itself is stationary where there are no biases, with every unit off.
    pub(crate) fn planted(
        name: &'static str,
        shape: (usize, usize, usize),
        seed: u64,
        wanted: Wanted,
        folder: &Path,
    ) -> Result<Self, Error> {
        let planted = Planted::new(shape, false, seed);
        let mut random = ChaCha8Rng::seed_from_u64(seed + 1);
        let mut normal = || random.sample::<f64, _>(StandardNormal);
        let cold = (0..shape.0).map(|_| 0.1 * normal()).collect();
        let starts = vec![
            Start::write("10% off", planted.start.clone(), folder)?,
            Start::write("cold", cold, folder)?,
        ];
        Self::write(name, planted, starts, wanted, &mut random, folder)
    }

    /// As [`planted`](Self::planted), with biases from N(0, 1/4), from zero.
    fn wide(
        name: &'static str,
        shape: (usize, usize, usize),
        seed: u64,
        wanted: Wanted,
        folder: &Path,
    ) -> Result<Self, Error> {
        let planted = Planted::new(shape, true, seed);
        let mut random = ChaCha8Rng::seed_from_u64(seed + 1);
        let starts = vec![Start::write("zero", vec![0.0; shape.0], folder)?];
        Self::write(name, planted, starts, wanted, &mut random, folder)
    }

    fn write(
        name: &'static str,
        planted: Planted,
        starts: Vec<Start>,
        wanted: Wanted,
        random: &mut impl Rng,
        folder: &Path,
    ) -> Result<Self, Error> {
        let shape @ (d, n, m) = planted.shape;
        let backend = Faer::<f64>::default();
        let network = planted.network(&backend)?;
        let b = match wanted {
            Wanted::Attained => network.probabilities(&planted.solution)?,
            Wanted::Noisy(sigma) => {
                let b = network.probabilities(&planted.solution)?;
                // What is unrelated is softmax(N(0, I)).
                let noisy = b.iter().zip(&planted.unrelated);
                normalized(noisy.map(|(b, e)| b * e.powf(sigma)).collect())
            }
            Wanted::Unrelated => dirichlet(m, random)?,
        };
        let is_biased = network.bias1().iter().any(|&c| c != 0.0);
        drop(planted);
        let rows_of = |matrix, length| {
            let mut values = vec![0.0; length];
            backend.copy_to_row_major(matrix, &mut values);
            values
        };
        let file = folder.join(format!("{name}.npz"));
        let written = || -> io::Result<()> {
            let mut archive = Archive::create(&file)?;
            archive.add("A1", &[n, d], rows_of(network.a1(), n * d))?;
            archive.add("A2", &[m, n], rows_of(network.a2(), m * n))?;
            if is_biased {
                archive.add("c1", &[n], network.bias1().to_vec())?;
                archive.add("c2", &[m], network.bias2().to_vec())?;
            }
            archive.add("b", &[m], b)?;
            archive.finish()
        };
        written().map_err(|source| Error::Write {
            path: file.clone(),
            source,
        })?;
        Ok(Self {
            name,
            shape,
            targets: 1,
            file,
            starts,
        })
    }

    /// Bytes of the network, the targets and the starts, in numbers of so many bytes.
    pub(crate) fn input_bytes(&self, number: usize) -> usize {
        let (d, n, m) = self.shape;
        number * (n * d + m * n + n + m + self.targets * (m + d))
    }
}

fn normalized(mut weights: Vec<f64>) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= total);
    weights
}

/// Dirichlet(0.1, …, 0.1), as m independent Gamma(0.1, 1) over their sum.
fn dirichlet(outcomes: usize, random: &mut impl Rng) -> Result<Vec<f64>, Error> {
    let gamma = Gamma::new(0.1, 1.0)?;
    Ok(normalized(
        (0..outcomes).map(|_| gamma.sample(random)).collect(),
    ))
}

fn detector(folder: &Path) -> Result<Problem, Error> {
    let detector = Detector::read("cld3.npz").map_err(Error::Detector)?;
    let zero = vec![0.0; detector.start.len()];
    Ok(Problem {
        name: Named::Detector.name(),
        shape: (80, 208, 109),
        targets: detector.targets().count(),
        file: root().join("data/cld3.npz"),
        starts: vec![
            Start::write("mean", detector.start, folder)?,
            Start::write("zero", zero, folder)?,
        ],
    })
}

fn digits(python: &str, seed: u64, folder: &Path) -> Result<Problem, Error> {
    let file = write_digits(python, seed, 1, folder)?;
    let shape = (64, 64, 10);
    Ok(Problem {
        name: Named::Digits.name(),
        shape,
        targets: 1,
        file,
        starts: vec![Start::write("zero", vec![0.0; shape.0], folder)?],
    })
}

/// What `peers/digits_problem.py` prints.
#[derive(Debug, Deserialize)]
struct Trained {
    /// On the digits that it has not seen.
    accuracy: f64,
}

/// Trains the classifier of digits, and writes it with so many targets.
pub(crate) fn write_digits(
    python: &str,
    seed: u64,
    targets: usize,
    folder: &Path,
) -> Result<PathBuf, Error> {
    let file = folder.join("digits.npz");
    let mut command = script(python, "digits_problem.py");
    command.arg(&file);
    command.args(["--targets", &targets.to_string()]);
    command.args(["--seed", &seed.to_string()]);
    let Trained { accuracy } = print_of(command)?;
    eprintln!(
        "digits: trained, right on {:.1}% of the others",
        100.0 * accuracy
    );
    Ok(file)
}

impl Start {
    fn write(name: &'static str, x0: Vec<f64>, folder: &Path) -> Result<Self, Error> {
        let file = folder.join(format!("{}.npy", name.replace([' ', '%'], "")));
        let written = File::create(&file)
            .and_then(|out| write_array(&mut BufWriter::new(out), &[x0.len()], x0));
        match written {
            Ok(()) => Ok(Self { name, file }),
            Err(source) => Err(Error::Write { path: file, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E Σb² = 1.1/(0.1m + 1): 0.0109 for m = 1000, where equal parts would have 0.001.
    #[test]
    fn an_unrelated_target_is_a_dirichlet_distribution() -> Result<(), Error> {
        let outcomes = 1000;
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let draws = 200;
        let mut squares = 0.0;
        for _ in 0..draws {
            let b = dirichlet(outcomes, &mut random)?;
            assert!((b.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            squares += b.iter().map(|b| b * b).sum::<f64>() / f64::from(draws);
        }
        let expected = 1.1 / (0.1 * outcomes as f64 + 1.0);
        assert!(
            (squares / expected - 1.0).abs() < 0.05,
            "{squares} {expected}"
        );
        Ok(())
    }
}
