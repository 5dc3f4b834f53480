//! RESULT.npz.

use crate::args::{InvertArgs, Precision};
use crate::array::{PLACE, RUN};
use crate::outcome::{Outcome, Outcomes};
use crate::output::Steadfast;
use crate::shard::PartOf;
use npyz::{AutoSerialize, NpyWriter, WriteOptions, WriterBuilder};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use twolayer_certificate::Verdict;
use zip::write::SimpleFileOptions;

/// Writes the whole file: floating point arrays in the precision of the solve, x of so many `inputs`, and which
/// part of a run it is, where it is one. No array is in memory for it.
pub(crate) fn write(
    all: &Outcomes,
    (inputs, part): (usize, Option<&PartOf>),
    args: &InvertArgs,
    file: &mut File,
) -> io::Result<()> {
    let (place, certified) = ((inputs, part), args.certify);
    Archive::write(file, |file| match args.problem.precision {
        Precision::F32 => add_all(all, place, certified, |value| value as f32, file),
        Precision::F64 => add_all(all, place, certified, |value| value, file),
    })
}

fn add_all<T: AutoSerialize>(
    all: &Outcomes,
    (inputs, part): (usize, Option<&PartOf>),
    has_certificates: bool,
    narrow: impl Fn(f64) -> T + Copy,
    file: &mut Archive<'_>,
) -> io::Result<()> {
    let outcomes = &all.solved;
    let targets = outcomes.len();
    let classes = all.probabilities.length();

    let x = outcomes.iter().flat_map(|o| &o.x).copied();
    file.add("x", &[targets, inputs], x.map(narrow))?;
    file.add_pieces("probabilities", &[targets, classes], |array| {
        let all = &all.probabilities;
        all.read(targets, |row| array.extend(row.iter().copied().map(narrow)))
    })?;
    let numbers = |number: fn(&Outcome) -> f64| outcomes.iter().map(move |o| narrow(number(o)));
    file.add("loss", &[targets], numbers(|o| o.loss))?;
    file.add("gradient_norm", &[targets], numbers(|o| o.gradient_norm))?;
    file.add(
        "iterations",
        &[targets],
        outcomes.iter().map(|o| o.iterations as i64),
    )?;
    let converged = outcomes.iter().map(|o| u8::from(o.status.is_converged()));
    file.add("converged", &[targets], converged)?;
    if has_certificates {
        let verdicts = || outcomes.iter().map(|o| o.verdict.as_ref());
        let certificates = || verdicts().map(|verdict| verdict.and_then(Verdict::certificate));
        let certified = certificates().map(|c| u8::from(c.is_some()));
        file.add("certified", &[targets], certified)?;
        // In double precision whatever that of the solve: rounded, it would not be a bound.
        let radii = certificates().map(|c| c.map_or(f64::NAN, |c| c.radius));
        file.add("certificate_radius", &[targets], radii)?;
    }
    if let Some(part) = part {
        let place = part.place.map(|number| number as i64);
        file.add(PLACE, &[place.len()], place.into_iter())?;
        file.add(RUN, &[part.run.len()], part.run.iter().copied())?;
    }
    Ok(())
}

/// An archive of arrays that is being written.
pub(crate) struct Archive<'f> {
    zip: zip::ZipWriter<BufWriter<Steadfast<'f>>>,
}

/// What an array is written through: the archive is fed in large pieces.
type Pieces<'p, 'f> = BufWriter<&'p mut zip::ZipWriter<BufWriter<Steadfast<'f>>>>;

impl Archive<'_> {
    /// Has the whole of it written to a file.
    pub(crate) fn write(
        file: &mut File,
        arrays: impl FnOnce(&mut Archive<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let failure = RefCell::new(None);
        let file = BufWriter::new(Steadfast::new(file, &failure));
        let mut archive = Archive {
            zip: zip::ZipWriter::new(file),
        };
        let written = arrays(&mut archive).and_then(|()| archive.zip.finish()?.flush());
        failure.take().map_or(written, Err)
    }
}

impl<'f> Archive<'f> {
    /// Adds an array, deflated, in row-major order.
    pub(crate) fn add<T: AutoSerialize>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: impl Iterator<Item = T>,
    ) -> io::Result<()> {
        self.add_pieces(name, shape, |array| array.extend(values))
    }

    /// The same for an array that is handed to its writer piece by piece.
    fn add_pieces<T: AutoSerialize>(
        &mut self,
        name: &str,
        shape: &[usize],
        write: impl FnOnce(&mut NpyWriter<T, &mut Pieces<'_, 'f>>) -> io::Result<()>,
    ) -> io::Result<()> {
        // Sizes beyond 4 GiB must be announced before the data.
        let options = SimpleFileOptions::default().large_file(true);
        self.zip
            .start_file(npyz::npz::file_name_from_array_name(name), options)?;
        let shape: Vec<u64> = shape.iter().map(|&length| length as u64).collect();
        let mut buffered = BufWriter::with_capacity(1 << 16, &mut self.zip);
        let options = WriteOptions::new()
            .default_dtype()
            .shape(&shape)
            .writer(&mut buffered);
        let mut array = options.begin_nd()?;
        write(&mut array)?;
        array.finish()?;
        buffered.flush()
    }
}
