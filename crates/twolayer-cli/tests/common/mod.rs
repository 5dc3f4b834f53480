//! Problem files to run the command on, and the command.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's way to fail")]
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(unreachable_pub, reason = "a module of three test programs")]

pub mod schema;

use npyz::{
    AutoSerialize, DType, Deserialize, NpyFile, Order, TypeStr, WriteOptions, WriterBuilder,
};
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

pub const INPUTS: usize = 3;
pub const UNITS: usize = 8;
pub const OUTCOMES: usize = 6;

/// Weights that look random and are the same everywhere: the fractional parts of squares times the
/// golden ratio, between −½ and ½, times `scale`. (Without the squares the rows of a matrix would
/// nearly depend on each other.)
pub fn spread(count: usize, offset: usize, scale: f64) -> Vec<f64> {
    let part =
        |index: usize| ((index + offset).pow(2) as f64 * 0.618_033_988_749_895).fract() - 0.5;
    (0..count).map(|index| scale * part(index)).collect()
}

/// softmax(A2 relu(A1 x + c1) + c2), for weights in row-major order.
pub fn forward(a1: &[f64], c1: &[f64], a2: &[f64], c2: &[f64], x: &[f64]) -> Vec<f64> {
    let dot = |row: &[f64], v: &[f64]| row.iter().zip(v).map(|(a, b)| a * b).sum::<f64>();
    let hidden: Vec<f64> = a1
        .chunks(x.len())
        .zip(c1)
        .map(|(row, c)| (dot(row, x) + c).max(0.0))
        .collect();
    let logits: Vec<f64> = a2
        .chunks(hidden.len())
        .zip(c2)
        .map(|(row, c)| dot(row, &hidden) + c)
        .collect();
    let largest = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let powers: Vec<f64> = logits.iter().map(|z| (z - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|p| p / sum).collect()
}

/// One array of a file: its bytes as NumPy would write them.
#[derive(Clone)]
pub struct Member {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// An array in NumPy's format.
pub fn npy<T: AutoSerialize>(shape: &[u64], values: Vec<T>, order: Order) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .order(order)
        .writer(&mut bytes)
        .begin_nd()
        .unwrap();
    writer.extend(values).unwrap();
    writer.finish().unwrap();
    bytes
}

/// An archive with these members.
pub fn archive(members: &[(String, Vec<u8>)], compression: CompressionMethod) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(compression);
    for (name, bytes) in members {
        zip.start_file(name.as_str(), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// An array in NumPy's format whose header says anything.
pub fn raw_npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}");
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// A problem that can be solved, and parts of which a test exchanges.
pub struct Problem {
    pub members: Vec<Member>,
    pub compression: CompressionMethod,
}

/// How a file stores its numbers.
#[derive(Clone, Copy)]
pub struct Storage {
    pub single: bool,
    pub order: Order,
    pub compression: CompressionMethod,
}

impl Storage {
    pub const PLAIN: Self = Self {
        single: false,
        order: Order::C,
        compression: CompressionMethod::Stored,
    };

    /// A matrix, given row by row, or a vector.
    pub fn array(self, shape: &[u64], values: &[f64]) -> Vec<u8> {
        let values: Vec<f64> = match (self.order, shape) {
            (Order::Fortran, &[rows, columns]) => {
                let (rows, columns) = (rows as usize, columns as usize);
                let at = |index: usize| values[index % rows * columns + index / rows];
                (0..values.len()).map(at).collect()
            }
            _ => values.to_vec(),
        };
        if self.single {
            let single = values.iter().map(|&v| v as f32).collect();
            npy::<f32>(shape, single, self.order)
        } else {
            npy(shape, values, self.order)
        }
    }
}

pub fn weights() -> [Vec<f64>; 4] {
    [
        spread(UNITS * INPUTS, 1, 2.0),
        spread(UNITS, 40, 1.0),
        spread(OUTCOMES * UNITS, 60, 3.0),
        spread(OUTCOMES, 150, 1.0),
    ]
}

/// Two planted inputs.
pub const PLANTED: [[f64; INPUTS]; 2] = [[0.4, -0.3, 0.5], [-0.2, 0.6, 0.1]];

impl Problem {
    /// Two targets that the network reaches at [`PLANTED`]; the start is zero.
    pub fn new(storage: Storage) -> Self {
        // Through f32, so that both precisions hold the same problem.
        let [a1, c1, a2, c2] = weights().map(|v| {
            v.into_iter()
                .map(|x| f64::from(x as f32))
                .collect::<Vec<_>>()
        });
        let b: Vec<f64> = PLANTED
            .iter()
            .flat_map(|x| forward(&a1, &c1, &a2, &c2, x))
            .collect();
        let (n, m, d) = (UNITS as u64, OUTCOMES as u64, INPUTS as u64);
        let mut problem = Self {
            members: Vec::new(),
            compression: storage.compression,
        };
        problem.set("A1", storage.array(&[n, d], &a1));
        problem.set("c1", storage.array(&[n], &c1));
        problem.set("A2", storage.array(&[m, n], &a2));
        problem.set("c2", storage.array(&[m], &c2));
        problem.set("b", storage.array(&[2, m], &b));
        problem
    }

    /// Adds or replaces an array.
    pub fn set(&mut self, name: &str, bytes: Vec<u8>) {
        self.remove(name);
        let name = name.into();
        self.members.push(Member { name, bytes });
    }

    pub fn with(mut self, name: &str, shape: &[u64], values: &[f64]) -> Self {
        self.set(name, Storage::PLAIN.array(shape, values));
        self
    }

    pub fn remove(&mut self, name: &str) {
        self.members.retain(|member| member.name != name);
    }

    pub fn bytes(&self) -> Vec<u8> {
        let named = |member: &Member| (format!("{}.npy", member.name), member.bytes.clone());
        let members: Vec<_> = self.members.iter().map(named).collect();
        archive(&members, self.compression)
    }
}

/// A folder with a problem in it, removed at the end of the test.
pub struct Desk {
    folder: TempDir,
}

impl Desk {
    pub fn new(problem: &Problem) -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        desk.write("problem.npz", &problem.bytes());
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// What is in the folder, in alphabetical order.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The command in this folder, not run yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_twolayer"));
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    /// Runs the command in this folder.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Inverts the problem into `result.npz`.
    pub fn invert(&self, options: &[&str]) -> Output {
        let command = ["invert", "problem.npz", "--out", "result.npz"];
        self.run(&[&command[..], options].concat())
    }

    pub fn result(&self) -> ResultFile {
        ResultFile::open(&self.path("result.npz"))
    }
}

/// RESULT.npz by the names of its arrays.
pub struct ResultFile {
    members: Vec<Member>,
}

impl ResultFile {
    fn open(path: &Path) -> Self {
        Self::parse(&std::fs::read(path).unwrap())
    }

    pub fn parse(bytes: &[u8]) -> Self {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut members = Vec::new();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).unwrap();
            let name = entry.name().unwrap().trim_end_matches(".npy").to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            members.push(Member { name, bytes });
        }
        Self { members }
    }

    /// Name, dtype and shape of every array, in the file's order.
    pub fn contents(&self) -> Vec<(String, TypeStr, Vec<u64>)> {
        let describe = |member: &Member| {
            let file = NpyFile::new(&member.bytes[..]).unwrap();
            let DType::Plain(dtype) = file.dtype() else {
                panic!("a record")
            };
            (member.name.clone(), dtype, file.shape().to_vec())
        };
        self.members.iter().map(describe).collect()
    }

    pub fn values<T: Deserialize>(&self, name: &str) -> Vec<T> {
        let member = self.members.iter().find(|m| m.name == name).unwrap();
        NpyFile::new(&member.bytes[..]).unwrap().into_vec().unwrap()
    }
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Fails with the command's own words unless it ended with `code`.
#[track_caller]
pub fn assert_code(output: &Output, code: i32) {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
}
