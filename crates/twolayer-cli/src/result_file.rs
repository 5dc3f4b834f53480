//! RESULT.npz.

use crate::args::Precision;
use crate::invert::Outcome;
use npyz::{AutoSerialize, WriteOptions, WriterBuilder};
use std::io::{self, Cursor, Write};
use zip::write::SimpleFileOptions;

/// The file's bytes: floating point arrays in the precision of the solve.
pub(crate) fn encode(outcomes: &[Outcome], precision: Precision) -> io::Result<Vec<u8>> {
    match precision {
        Precision::F32 => archive(outcomes, |value| value as f32),
        Precision::F64 => archive(outcomes, |value| value),
    }
}

fn archive<T: AutoSerialize>(
    outcomes: &[Outcome],
    narrow: impl Fn(f64) -> T + Copy,
) -> io::Result<Vec<u8>> {
    let targets = outcomes.len();
    let (inputs, classes) = outcomes
        .first()
        .map_or((0, 0), |o| (o.x.len(), o.probabilities.len()));
    let mut file = Archive {
        zip: zip::ZipWriter::new(Cursor::new(Vec::new())),
    };

    let x = outcomes.iter().flat_map(|o| &o.x).copied();
    file.add("x", &[targets, inputs], x.map(narrow))?;
    let probabilities = outcomes.iter().flat_map(|o| &o.probabilities).copied();
    file.add(
        "probabilities",
        &[targets, classes],
        probabilities.map(narrow),
    )?;
    file.add("loss", &[targets], outcomes.iter().map(|o| narrow(o.loss)))?;
    file.add(
        "gradient_norm",
        &[targets],
        outcomes.iter().map(|o| narrow(o.gradient_norm)),
    )?;
    file.add(
        "iterations",
        &[targets],
        outcomes.iter().map(|o| o.iterations as i64),
    )?;
    let converged = outcomes.iter().map(|o| u8::from(o.status.is_converged()));
    file.add("converged", &[targets], converged)?;
    // All or none: certificates are asked for all targets of a call.
    let verdicts: Vec<_> = outcomes.iter().filter_map(|o| o.verdict.as_ref()).collect();
    if !verdicts.is_empty() {
        let certificates = || verdicts.iter().map(|verdict| verdict.certificate());
        let certified = certificates().map(|c| u8::from(c.is_some()));
        file.add("certified", &[targets], certified)?;
        // In double precision whatever that of the solve: rounded, it would not be a bound.
        let radii = certificates().map(|c| c.map_or(f64::NAN, |c| c.radius));
        file.add("certificate_radius", &[targets], radii)?;
    }
    Ok(file.zip.finish()?.into_inner())
}

struct Archive {
    zip: zip::ZipWriter<Cursor<Vec<u8>>>,
}

impl Archive {
    /// Adds an array, deflated, in row-major order.
    fn add<T: AutoSerialize>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: impl Iterator<Item = T>,
    ) -> io::Result<()> {
        // Sizes beyond 4 GiB must be announced before the data.
        let options = SimpleFileOptions::default().large_file(true);
        self.zip
            .start_file(npyz::npz::file_name_from_array_name(name), options)?;
        let shape: Vec<u64> = shape.iter().map(|&length| length as u64).collect();
        // The archive is fed in large pieces; the array's writer makes small ones.
        let mut buffered = io::BufWriter::with_capacity(1 << 16, &mut self.zip);
        let options = WriteOptions::new()
            .default_dtype()
            .shape(&shape)
            .writer(&mut buffered);
        let mut array = options.begin_nd()?;
        array.extend(values)?;
        array.finish()?;
        buffered.flush()
    }
}
