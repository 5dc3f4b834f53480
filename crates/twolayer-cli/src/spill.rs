//! Rows that are kept for the end, in memory while they are small and on disk where they are not.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tempfile::SpooledTempFile;

/// So many bytes stay in memory.
const IN_MEMORY: u64 = 16 << 20;

/// A matrix whose rows are written in any order and read in theirs. On disk it has no name, and
/// vanishes with the process.
#[derive(Debug)]
pub(crate) struct Spill {
    file: Mutex<SpooledTempFile>,
    length: usize,
}

impl Spill {
    /// For rows of `length` numbers, in the folder of the file that they will be part of.
    pub(crate) fn new(folder: &Path, length: usize) -> Self {
        let file = tempfile::spooled_tempfile_in(IN_MEMORY as usize, folder);
        Self {
            file: Mutex::new(file),
            length,
        }
    }

    /// Bytes in memory of so many rows: what is not on disk. A vector that grows may be twice as long
    /// as what it holds.
    pub(crate) fn bytes(rows: u64, length: u64) -> u64 {
        let numbers = rows.saturating_mul(length);
        2 * numbers
            .saturating_mul(size_of::<f64>() as u64)
            .min(IN_MEMORY)
    }

    /// Writes, or overwrites, a row.
    pub(crate) fn write(&self, row: usize, values: impl Iterator<Item = f64>) -> io::Result<()> {
        let bytes: Vec<u8> = values.flat_map(f64::to_le_bytes).collect();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(row as u64 * bytes.len() as u64))?;
        file.write_all(&bytes)
    }

    /// Shows the first rows, one after the other.
    pub(crate) fn read(
        &self,
        rows: usize,
        mut show: impl FnMut(&[f64]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(0))?;
        let mut bytes = vec![0; self.length * size_of::<f64>()];
        let mut values = vec![0.0; self.length];
        for _ in 0..rows {
            file.read_exact(&mut bytes)?;
            let (numbers, _) = bytes.as_chunks();
            for (value, &number) in values.iter_mut().zip(numbers) {
                *value = f64::from_le_bytes(number);
            }
            show(&values)?;
        }
        Ok(())
    }

    /// m.
    pub(crate) fn length(&self) -> usize {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_their_order_whatever_that_of_writing() {
        // In memory, and beyond what stays there.
        for length in [3, 1 << 20] {
            let folder = tempfile::tempdir().unwrap();
            let spill = Spill::new(folder.path(), length);
            assert_eq!(spill.length(), length);
            let row = |row: usize| (0..length).map(move |i| (10 * row + i) as f64);
            spill.write(2, row(2)).unwrap();
            spill.write(0, row(7)).unwrap();
            spill.write(1, row(1)).unwrap();
            spill.write(0, row(0)).unwrap();
            let mut seen = 0;
            spill
                .read(3, |values| {
                    assert!(row(seen).eq(values.iter().copied()), "{seen}");
                    seen += 1;
                    Ok(())
                })
                .unwrap();
            assert_eq!(seen, 3);
            // A row that was never written, and one that is not wanted.
            assert!(spill.read(4, |_| Ok(())).is_err());
            assert!(spill.read(2, |_| Err(io::Error::other("enough"))).is_err());
        }
    }

    /// docs/reliability.md counts 32 MiB for the two arrays.
    #[test]
    fn what_stays_in_memory_is_bounded() {
        assert_eq!(Spill::bytes(3, 5), 2 * 3 * 5 * 8);
        assert_eq!(Spill::bytes(1 << 20, 2), 2 * IN_MEMORY);
        assert_eq!(Spill::bytes(u64::MAX, 2), 2 * IN_MEMORY);
        assert_eq!(IN_MEMORY, 16 * 1024 * 1024);
    }
}
