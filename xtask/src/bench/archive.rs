//! Arrays as files that every program reads.

use npyz::{AutoSerialize, WriteOptions, WriterBuilder};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

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
