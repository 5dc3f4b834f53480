//! The problems of the matrix, as files that every program reads.

use crate::command::root;
use crate::error::Error;
use clap::ValueEnum;
use npyz::{AutoSerialize, WriteOptions, WriterBuilder};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use twolayer::LinearBackend;
use twolayer_faer::Faer;
use twolayer_tests::detector::Detector;
use twolayer_tests::problems::Planted;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

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
}

impl Named {
    pub(crate) const ALL: [Self; 6] =
        [Self::S, Self::M, Self::L, Self::Xl, Self::T, Self::Detector];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::M => "M",
            Self::L => "L",
            Self::Xl => "XL",
            Self::T => "T",
            Self::Detector => "detector",
        }
    }

    /// Writes the files of this problem to a folder; noise is for those that are planted.
    pub(crate) fn write(self, noise: Option<f64>, folder: &Path) -> Result<Problem, Error> {
        match self.shape() {
            Some(shape) => Problem::planted(self.name(), shape, SEED, noise, folder),
            None => detector(folder),
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
            Self::Detector => None,
        }
    }
}

const SEED: u64 = 4;

/// A problem file and its starts.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) name: &'static str,
    /// (d, n, m).
    pub(crate) shape: (usize, usize, usize),
    pub(crate) targets: usize,
    pub(crate) file: PathBuf,
    pub(crate) starts: [Start; 2],
}

/// A start that overrides the file's own.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) name: &'static str,
    pub(crate) file: PathBuf,
}

impl Problem {
    /// A1 ~ N(0, 1/d), A2 ~ N(0, 18/n), x* ~ N(0, I), b = softmax at x*. Starts at
    /// x* + 0.1 N(0, I), and cold at 0.1 N(0, I): zero itself is stationary where there are no
    /// biases, with every unit off. With noise σ, b is softmax(z + σ N(0, I)), z the logits at x*.
    pub(crate) fn planted(
        name: &'static str,
        shape: (usize, usize, usize),
        seed: u64,
        noise: Option<f64>,
        folder: &Path,
    ) -> Result<Self, Error> {
        let (d, n, m) = shape;
        let planted = Planted::new(shape, false, seed);
        let backend = Faer::<f64>::default();
        let network = planted.network(&backend)?;
        let mut b = network.probabilities(&planted.solution)?;
        if let Some(sigma) = noise {
            // What is unrelated is softmax(N(0, I)).
            let noisy = b.iter().zip(&planted.unrelated);
            b = noisy.map(|(b, e)| b * e.powf(sigma)).collect();
            let total: f64 = b.iter().sum();
            b.iter_mut().for_each(|b| *b /= total);
        }
        let (solution, near) = (planted.solution.len(), planted.start.clone());
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
            archive.add("b", &[m], b)?;
            archive.finish()
        };
        written().map_err(|source| Error::Write {
            path: file.clone(),
            source,
        })?;
        let mut random = ChaCha8Rng::seed_from_u64(seed + 1);
        let mut normal = || random.sample::<f64, _>(StandardNormal);
        let cold = (0..solution).map(|_| 0.1 * normal()).collect();
        Ok(Self {
            name,
            shape,
            targets: 1,
            file,
            starts: [
                Start::write("10% off", near, folder)?,
                Start::write("cold", cold, folder)?,
            ],
        })
    }

    /// Bytes of the network, the targets and the starts, in numbers of so many bytes.
    pub(crate) fn input_bytes(&self, number: usize) -> usize {
        let (d, n, m) = self.shape;
        number * (n * d + m * n + n + m + self.targets * (m + d))
    }
}

fn detector(folder: &Path) -> Result<Problem, Error> {
    let detector = Detector::read("cld3.npz").map_err(Error::Detector)?;
    let zero = vec![0.0; detector.start.len()];
    Ok(Problem {
        name: Named::Detector.name(),
        shape: (80, 208, 109),
        targets: detector.targets().count(),
        file: root().join("data/cld3.npz"),
        starts: [
            Start::write("mean", detector.start, folder)?,
            Start::write("zero", zero, folder)?,
        ],
    })
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

/// An uncompressed `.npz` file.
pub(crate) struct Archive {
    zip: zip::ZipWriter<BufWriter<File>>,
}

impl Archive {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        Ok(Self {
            zip: zip::ZipWriter::new(file),
        })
    }

    pub(crate) fn add(&mut self, name: &str, shape: &[usize], values: Vec<f64>) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .large_file(true)
            .compression_method(CompressionMethod::Stored);
        self.zip
            .start_file(npyz::npz::file_name_from_array_name(name), options)?;
        let mut buffered = BufWriter::with_capacity(1 << 20, &mut self.zip);
        write_array(&mut buffered, shape, values)?;
        buffered.flush()
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        self.zip.finish()?.flush()
    }
}

/// Writes an `.npy` array, given row by row.
pub(crate) fn write_array<T: AutoSerialize>(
    out: &mut impl Write,
    shape: &[usize],
    values: Vec<T>,
) -> io::Result<()> {
    let shape: Vec<u64> = shape.iter().map(|&length| length as u64).collect();
    let options = WriteOptions::new()
        .default_dtype()
        .shape(&shape)
        .writer(&mut *out);
    let mut array = options.begin_nd()?;
    array.extend(values)?;
    array.finish()?;
    out.flush()
}
