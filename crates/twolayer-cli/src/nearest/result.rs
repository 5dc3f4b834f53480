//! RESULT.npz of the nearest x.

use super::{Answers, Found};
use crate::args::{InvertArgs, Precision};
use crate::result_file::Archive;
use npyz::AutoSerialize;
use std::fs::File;
use std::io;

/// A number of each answer, and what it is called.
type Named<T> = (&'static str, fn(&Found) -> T);

/// Writes the whole file, floating point arrays in the precision of the solve.
pub(super) fn write(answers: &Answers, args: &InvertArgs, file: &mut File) -> io::Result<()> {
    Archive::write(file, |file| match args.problem.precision {
        Precision::F32 => add_all(answers, |value| value as f32, file),
        Precision::F64 => add_all(answers, |value| value, file),
    })
}

fn add_all<T: AutoSerialize>(
    answers: &Answers,
    narrow: impl Fn(f64) -> T + Copy,
    file: &mut Archive<'_>,
) -> io::Result<()> {
    let found = &answers.found;
    let count = found.len();
    let x = found.iter().flat_map(|f| &f.x).copied();
    file.add("x", &[count, answers.inputs], x.map(narrow))?;
    let probabilities = found.iter().flat_map(|f| &f.probabilities).copied();
    let shape = [count, answers.outcomes];
    file.add("probabilities", &shape, probabilities.map(narrow))?;
    let numbers: [Named<f64>; 3] = [
        ("distance", |f| f.distance),
        ("violation", |f| f.violation),
        ("residual", |f| f.residual),
    ];
    for (name, number) in numbers {
        file.add(name, &[count], found.iter().map(|f| narrow(number(f))))?;
    }
    let counts: [Named<usize>; 2] = [
        ("iterations", |f| f.iterations),
        ("distinct", |f| f.distinct),
    ];
    for (name, number) in counts {
        file.add(name, &[count], found.iter().map(|f| number(f) as i64))?;
    }
    let converged = found.iter().map(|f| u8::from(f.status.is_converged()));
    file.add("converged", &[count], converged)
}
