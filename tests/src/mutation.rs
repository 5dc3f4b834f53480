//! Valid and damaged problem files, and what a reader must keep to whatever is in a file.
//!
//! A mutant is made from a file of the corpus by a few changes that a seed determines: bits and
//! bytes, cut and repeated pieces, numbers of the zip and npy formats put to extremes, headers
//! rewritten and the archive built anew around them, so that its checksums hold.

use peak_alloc::PeakAlloc;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::io::{Cursor, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

/// The memory that the reader is allowed for arrays.
pub const ARRAYS: u64 = 17 << 20;

/// What it may allocate in all: the arrays' limit (of which 16 MiB count for the program and are
/// not allocated), a table of members and a decompressor's window. A file is a few kilobytes.
pub const MOST_ALLOCATED: usize = 3 << 20;

/// A file that takes longer than this is taken to hang.
pub const LONGEST: Duration = Duration::from_secs(20);

/// What became of a number of mutants.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    /// How many were read.
    pub files: u64,
    /// How many were a sound problem all the same.
    pub accepted: u64,
    /// The most bytes allocated for one.
    pub most_allocated: usize,
    /// The longest time taken by one.
    pub longest: Duration,
}

/// Reads `count` mutants from number `first` on, on a thread of their own. `memory` is the
/// allocator of this process, in which nothing else may run.
///
/// # Errors
/// The number of the mutant that panicked, hung or took too much memory.
pub fn try_mutants(memory: &'static PeakAlloc, first: u64, count: u64) -> Result<Summary, String> {
    let corpus = [corpus(), foreign()].concat();
    let (report, reports) = mpsc::channel();
    let reader = thread::spawn(move || {
        for number in first..first + count {
            let file = mutant(&corpus, number);
            let before = memory.current_usage();
            memory.reset_peak_usage();
            let clock = Instant::now();
            let guesses_names = number.is_multiple_of(2);
            let verdict = twolayer_cli::check_problem(Cursor::new(file), guesses_names, ARRAYS);
            let allocated = memory.peak_usage().saturating_sub(before);
            let sent = report.send((verdict, allocated, clock.elapsed()));
            if sent.is_err() {
                return;
            }
        }
    });
    let mut summary = Summary::default();
    for number in first..first + count {
        let (verdict, allocated, elapsed) = match reports.recv_timeout(LONGEST) {
            Ok(report) => report,
            Err(mpsc::RecvTimeoutError::Timeout) => return Err(format!("mutant {number} hangs")),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(format!("mutant {number} panics"));
            }
        };
        if allocated > MOST_ALLOCATED {
            return Err(format!("mutant {number} takes {allocated} bytes"));
        }
        if verdict
            .as_ref()
            .is_err_and(|message| message.is_empty() || message.contains('\n'))
        {
            return Err(format!(
                "mutant {number} is refused without a line: {verdict:?}"
            ));
        }
        summary.files += 1;
        summary.accepted += u64::from(verdict.is_ok());
        summary.most_allocated = summary.most_allocated.max(allocated);
        summary.longest = summary.longest.max(elapsed);
    }
    drop(reports);
    reader
        .join()
        .map_err(|_| "the last mutant panics".to_owned())?;
    Ok(summary)
}

/// An archive, taken apart.
#[derive(Debug, Clone)]
pub struct Archive {
    members: Vec<(String, Vec<u8>)>,
    compression: CompressionMethod,
}

impl Archive {
    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(self.compression);
        for (name, content) in &self.members {
            // A name twice is refused by the writer and made by `repeat_name`.
            if zip.start_file(name.as_str(), options).is_ok() {
                zip.write_all(content).expect("memory takes all");
            }
        }
        zip.finish().expect("memory takes all").into_inner()
    }
}

/// An array's bytes, with any header.
fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn numbers(values: &[f64], wide: bool, big: bool) -> Vec<u8> {
    let bytes = |v: &f64| match (wide, big) {
        (true, false) => v.to_le_bytes().to_vec(),
        (true, true) => v.to_be_bytes().to_vec(),
        (false, false) => (*v as f32).to_le_bytes().to_vec(),
        (false, true) => (*v as f32).to_be_bytes().to_vec(),
    };
    values.iter().flat_map(bytes).collect()
}

/// Sound files in every form, then ones with a fault each.
pub fn corpus() -> Vec<Archive> {
    let mut files = Vec::new();
    for compression in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        for (descr, wide, big) in [
            ("'<f8'", true, false),
            ("'>f8'", true, true),
            ("'<f4'", false, false),
            ("'>f4'", false, true),
        ] {
            for fortran in [false, true] {
                files.push(sound(descr, wide, big, fortran, compression));
            }
        }
    }
    let plain = files[0].clone();
    let data = numbers(&[0.25; 12], true, false);
    let with = |index: usize, content: Vec<u8>| {
        let mut file = plain.clone();
        file.members[index].1 = content;
        file
    };
    // Shapes far beyond the data, and such that their product overflows.
    for shape in [
        "(4, 3000000000)",
        "(4294967296, 4294967296)",
        "(18446744073709551615, 2)",
        "(4, 3, 0)",
        "()",
        "(-4, -3)",
        "(4, 3L)",
    ] {
        files.push(with(0, npy("'<f8'", false, shape, &data)));
    }
    // Other types, objects among them, and records.
    for descr in [
        "'|O'",
        "'<i8'",
        "'<c16'",
        "'<f2'",
        "'|S8'",
        "[('a', '<f8')]",
        "'<M8[ns]'",
    ] {
        files.push(with(0, npy(descr, false, "(4, 3)", &data)));
    }
    // A bomb: three million zeros in a few kilobytes.
    let mut bomb = with(0, npy("'<f8'", false, "(4, 100000)", &vec![0; 3_200_000]));
    bomb.compression = CompressionMethod::Deflated;
    files.push(bomb);
    let mut unknown = plain.clone();
    unknown
        .members
        .push(("evil/../A1.npy".into(), data.clone()));
    files.push(unknown);
    let mut missing = plain.clone();
    missing.members.remove(2);
    files.push(missing);
    files
}

/// Sound files for `--names auto` alone: of other names, types and orientations.
pub fn foreign() -> Vec<Archive> {
    // 0.25, −0.5, 1 and 2⁻²⁴ in half precision; the same digits are other numbers as bfloat16.
    let halves = [0x3400_u16, 0xb800, 0x3c00, 0x0001];
    let half = |count: usize| -> Vec<u8> {
        let bits = (0..count).map(|index| halves[index * index % 4]);
        bits.flat_map(u16::to_le_bytes).collect()
    };
    let small =
        |count: usize| -> Vec<u8> { (0..count).map(|index| (index * index % 7) as u8).collect() };
    let b = || npy("'<f8'", false, "(2, 5)", &numbers(&[0.2; 10], true, false));
    let file = |members: [(&str, Vec<u8>); 5]| Archive {
        members: members
            .into_iter()
            .map(|(name, content)| (name.to_owned(), content))
            .collect(),
        compression: CompressionMethod::Deflated,
    };
    let mut files = Vec::new();
    for descr in ["'<f2'", "'<V2'", "'bfloat16'"] {
        files.push(file([
            ("0.weight.npy", npy(descr, false, "(4, 3)", &half(12))),
            ("2.weight.npy", npy(descr, true, "(5, 4)", &half(20))),
            ("0.bias.npy", npy(descr, false, "(1, 4)", &half(4))),
            ("2.bias.npy", npy(descr, false, "(5, 1)", &half(5))),
            ("b.npy", b()),
        ]));
    }
    for descr in ["'|i1'", "'|u1'"] {
        files.push(file([
            ("W1", npy(descr, false, "(3, 4)", &small(12))),
            ("W2", npy(descr, false, "(4, 5)", &small(20))),
            ("b1", npy(descr, false, "(4,)", &small(4))),
            ("b2", npy(descr, false, "(5,)", &small(5))),
            ("b", b()),
        ]));
    }
    files
}

/// A file of a kilobyte whose table says that A1 takes 3.2 GB of it, as its header does too.
pub fn liar() -> Vec<u8> {
    let mut archive = corpus().swap_remove(0);
    let data = numbers(&[0.25; 12], true, false);
    archive.members[0].1 = npy("'<f8'", false, "(4, 100000000)", &data);
    let header = archive.members[0].1.len() - data.len();
    let claimed = (header as u32 + 3_200_000_000).to_le_bytes();
    let mut bytes = archive.bytes();
    let table = bytes
        .windows(4)
        .position(|signature| signature == b"PK\x01\x02")
        .expect("an archive has a table");
    // Compressed and uncompressed size of the first member.
    bytes[table + 20..table + 24].copy_from_slice(&claimed);
    bytes[table + 24..table + 28].copy_from_slice(&claimed);
    bytes
}

fn sound(
    descr: &str,
    wide: bool,
    big: bool,
    fortran: bool,
    compression: CompressionMethod,
) -> Archive {
    let values = |count: usize| -> Vec<f64> {
        let value = |index: usize| ((index * index) as f64 * 0.618_033_988_749_895).fract() - 0.5;
        (0..count).map(value).collect()
    };
    let array = |name: &str, shape: &str, values: &[f64]| {
        let content = npy(descr, fortran, shape, &numbers(values, wide, big));
        (format!("{name}.npy"), content)
    };
    Archive {
        members: vec![
            array("A1", "(4, 3)", &values(12)),
            array("A2", "(5, 4)", &values(20)),
            array("b", "(2, 5)", &[0.2; 10]),
            array("c1", "(4,)", &values(4)),
            array("c2", "(5,)", &values(5)),
            array("w", "(5,)", &[0.1; 5]),
            array("x0", "(2, 3)", &values(6)),
        ],
        compression,
    }
}

/// The mutant of a number.
pub fn mutant(corpus: &[Archive], number: u64) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(number);
    let mut archive = corpus[random.random_range(0..corpus.len())].clone();
    if random.random_bool(0.4) {
        // Inside a member, before its checksum is made.
        let index = random.random_range(0..archive.members.len());
        let (name, content) = &mut archive.members[index];
        // Most of what can go wrong is in the header.
        let end = content
            .len()
            .min(if random.random_bool(0.8) { 128 } else { 4096 });
        mutate(&mut content[..end].to_vec(), &mut random, |changed| {
            content.splice(..end, changed);
        });
        if random.random_bool(0.1) {
            let mut bytes = name.clone().into_bytes();
            mutate(&mut bytes, &mut random, |changed| {
                *name = String::from_utf8_lossy(&changed).into_owned();
            });
        }
    }
    let mut bytes = archive.bytes();
    if random.random_bool(0.1) {
        repeat_name(&mut bytes);
    }
    if random.random_bool(0.7) {
        for _ in 0..random.random_range(1..4) {
            mutate(&mut bytes.clone(), &mut random, |changed| bytes = changed);
        }
    }
    bytes
}

/// Makes two members have one name, which a writer would refuse: c2 becomes c1.
fn repeat_name(bytes: &mut [u8]) {
    for start in 0..bytes.len().saturating_sub(6) {
        if &bytes[start..start + 6] == b"c2.npy" {
            bytes[start + 1] = b'1';
        }
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng, put: impl FnOnce(Vec<u8>)) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    // The ends of an archive hold its tables: half of the changes go there.
    let position = if random.random_bool(0.5) {
        length - 1 - random.random_range(0..length.min(700))
    } else {
        random.random_range(0..length)
    };
    match random.random_range(0..8) {
        0 => bytes[position] ^= 1 << random.random_range(0..8),
        1 => bytes[position] = random.random(),
        2 => bytes.truncate(position),
        3 => {
            let end = (position + random.random_range(1..64)).min(length);
            bytes.drain(position..end);
        }
        4 => {
            let end = (position + random.random_range(1..64)).min(length);
            let piece = bytes[position..end].to_vec();
            bytes.splice(position..position, piece);
        }
        5 => {
            // A field of the format at an extreme.
            let extremes: [u64; 6] = [0, 1, 0x7fff_ffff, 0xffff_ffff, u64::MAX, 1 << 40];
            let value = extremes[random.random_range(0..extremes.len())].to_le_bytes();
            let width = [2, 4, 8][random.random_range(0..3)];
            let end = (position + width).min(length);
            bytes[position..end].copy_from_slice(&value[..end - position]);
        }
        6 => {
            // Another digit makes another shape, type or version.
            let digits: Vec<usize> = (0..length).filter(|&i| bytes[i].is_ascii_digit()).collect();
            if !digits.is_empty() {
                let digit = digits[random.random_range(0..digits.len())];
                bytes[digit] = random.random_range(b'0'..=b'9');
            }
        }
        _ => {
            let extra: Vec<u8> = (0..random.random_range(1..32))
                .map(|_| random.random())
                .collect();
            bytes.splice(position..position, extra);
        }
    }
    put(std::mem::take(bytes));
}
