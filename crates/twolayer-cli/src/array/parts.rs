//! Archives that are parts of one, array by array.

use super::header::{read_header, show_shape};
use super::{Defect, open, unreadable};
use crate::error::Error;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use zip::ZipArchive;
use zip::write::SimpleFileOptions;

/// The arrays that say which part it is, and are in no whole.
pub(crate) const PLACE: &str = "shard";
pub(crate) const RUN: &str = "run";

/// A result of some of a run's targets.
pub(crate) struct Part {
    pub(crate) path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    /// Names and headers of the arrays of the whole, in their order.
    arrays: Vec<Member>,
    /// The first target, how many there should be, are, and are in all parts.
    pub(crate) first: usize,
    pub(crate) count: usize,
    pub(crate) solved: usize,
    pub(crate) total: usize,
    /// A digest of the run.
    pub(crate) run: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    name: String,
    /// The header as it is stored, but for the number of rows.
    dtype: String,
    /// Entries in a row, by dimension.
    row: Vec<u64>,
}

impl Part {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = BufReader::new(open(path)?);
        let zip = ZipArchive::new(file).map_err(|error| {
            Error::content(
                path,
                format!("no archive of arrays ({error})"),
                "RESULT.npz",
            )
        })?;
        let mut part = Self {
            path: path.into(),
            zip,
            arrays: Vec::new(),
            first: 0,
            count: 0,
            solved: 0,
            total: 0,
            run: Vec::new(),
        };
        part.look()?;
        Ok(part)
    }

    fn look(&mut self) -> Result<(), Error> {
        let (mut place, mut solved) = (None, None);
        for index in 0..self.zip.len() {
            let path = self.path.clone();
            let in_file = |defect: Defect| defect.in_file(&path);
            let mut member = self.zip.by_index(index).map_err(|error| {
                let found = format!("member {index} cannot be extracted ({error})");
                Error::content(&path, found, "a sound archive")
            })?;
            let name = member
                .name()
                .map_or_else(|_| String::new(), |name| name.to_string());
            let name = npyz::npz::array_name_from_file_name(&name)
                .unwrap_or(&name)
                .to_owned();
            let (header, _) = read_header(&mut member, &name).map_err(in_file)?;
            let shape = header.shape().to_vec();
            if name == PLACE || name == RUN {
                let mut data = Vec::new();
                // Three numbers, or a digest.
                let read = (&mut member).take(64).read_to_end(&mut data);
                read.map_err(unreadable(&path))?;
                match name == RUN {
                    true => self.run = data,
                    false => place = numbers(&data),
                }
                continue;
            }
            let [rows, row @ ..] = &shape[..] else {
                let found = format!("{name} has shape {}", show_shape(&shape));
                return Err(Error::content(&path, found, "a row for each target"));
            };
            if *solved.get_or_insert(*rows) != *rows {
                let found = format!("{name} has {rows} rows, and others another number");
                return Err(Error::content(&path, found, "a row for each target"));
            }
            self.arrays.push(Member {
                name,
                dtype: header.dtype().descr(),
                row: row.to_vec(),
            });
        }
        let Some([first, count, total]) = place else {
            let expected = "a result of `twolayer invert --shard I/P`";
            return Err(Error::content(
                &self.path,
                format!("no array {PLACE}"),
                expected,
            ));
        };
        let whole = |number: i64| usize::try_from(number).ok();
        let told = whole(first).zip(whole(count)).zip(whole(total));
        let told = told.filter(|((first, count), total)| {
            first.checked_add(*count).is_some_and(|end| end <= *total)
        });
        let Some(((first, count), total)) = told else {
            let found = format!("{PLACE} is {first}, {count}, {total}");
            return Err(Error::content(&self.path, found, "a part of all targets"));
        };
        (self.first, self.count, self.total) = (first, count, total);
        self.solved = solved.unwrap_or(0) as usize;
        Ok(())
    }

    /// Copies the data of an array.
    fn copy(&mut self, name: &str, to: &mut impl Write) -> io::Result<()> {
        let file = npyz::npz::file_name_from_array_name(name);
        let mut member = self.zip.by_name(&file).map_err(io::Error::other)?;
        let header = read_header(&mut member, name);
        header.map_err(|defect| io::Error::other(format!("{defect:?}")))?;
        io::copy(&mut member, to).map(drop)
    }
}

fn numbers(data: &[u8]) -> Option<[i64; 3]> {
    let number = |bytes: &[u8]| Some(i64::from_le_bytes(bytes.try_into().ok()?));
    let numbers: Option<Vec<_>> = data.chunks(8).map(number).collect();
    numbers?.try_into().ok()
}

/// All parts, in the order of their targets.
pub(crate) struct Merged {
    parts: Vec<Part>,
}

impl Merged {
    /// Of parts that are checked to be those of one run, in order.
    pub(crate) fn of(parts: Vec<Part>) -> Result<Self, Error> {
        if let Some((one, others)) = parts.split_first() {
            for part in others {
                if part.arrays != one.arrays {
                    let found = format!("other arrays than {}", one.path.display());
                    return Err(Error::content(
                        &part.path,
                        found,
                        "results of the same options",
                    ));
                }
            }
        }
        Ok(Self { parts })
    }

    /// K.
    pub(crate) fn targets(&self) -> usize {
        self.parts.iter().map(|part| part.count).sum()
    }

    /// Writes the archive, the arrays of all parts one behind the other. Where a part cannot be read, that is left
    /// in `failed`.
    pub(crate) fn write(mut self, file: &mut File, failed: &mut Option<Error>) -> io::Result<()> {
        let total = self.targets() as u64;
        let arrays = self.parts.first().map(|part| part.arrays.clone());
        let mut zip = zip::ZipWriter::new(BufWriter::new(file));
        for Member { name, dtype, row } in arrays.unwrap_or_default() {
            let options = SimpleFileOptions::default().large_file(true);
            zip.start_file(npyz::npz::file_name_from_array_name(&name), options)?;
            let mut buffered = BufWriter::with_capacity(1 << 16, &mut zip);
            let shape: Vec<u64> = std::iter::once(total).chain(row).collect();
            buffered.write_all(&header(&dtype, &shape))?;
            for part in &mut self.parts {
                if let Err(source) = part.copy(&name, &mut buffered) {
                    let path = part.path.clone();
                    *failed = Some(Error::Read { path, source });
                    return Err(io::Error::other("a part cannot be read"));
                }
            }
            buffered.flush()?;
        }
        zip.finish()?.flush()
    }
}

/// The header of an array in row-major order, as npyz writes it.
fn header(dtype: &str, shape: &[u64]) -> Vec<u8> {
    let lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    let text = format!("{{'descr': {dtype}, 'fortran_order': False, 'shape': ({lengths}), }}");
    // Magic, version, length and text fill up multiples of 64 bytes; the last is a line's end.
    let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(format!("{text:<width$}\n", width = length - 1).as_bytes());
    bytes
}
