//! What is refused: each with exit code 2, one line that names the culprit and what was expected,
//! and no file.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{Desk, INPUTS, OUTCOMES, Problem, Storage, UNITS, assert_code, npy, spread, stderr};
use npyz::Order;

const M: u64 = OUTCOMES as u64;
const N: u64 = UNITS as u64;
const D: u64 = INPUTS as u64;

fn problem() -> Problem {
    Problem::new(Storage::PLAIN)
}

/// Asserts that the command is refused in one line with all of `words`, and that it wrote nothing.
#[track_caller]
fn assert_refused(desk: &Desk, options: &[&str], words: &[&str]) {
    let before = desk.files();
    let output = desk.invert(options);
    assert_code(&output, 2);
    let message = stderr(&output);
    assert_eq!(message.lines().count(), 1, "{message}");
    for word in words {
        assert!(message.contains(word), "no {word:?} in: {message}");
    }
    assert!(output.stdout.is_empty());
    assert_eq!(desk.files(), before);
}

#[track_caller]
fn assert_problem_refused(problem: &Problem, words: &[&str]) {
    assert_refused(&Desk::new(problem), &[], words);
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let second = problem().with("A2", &[M, N - 1], &spread(42, 0, 1.0));
    assert_problem_refused(&second, &["A2", "(6, 7)", "(m, 8)"]);
    let bias = problem().with("c1", &[N + 1], &spread(9, 0, 1.0));
    assert_problem_refused(&bias, &["c1", "9", "8"]);
    let bias = problem().with("c2", &[1], &[0.0]);
    assert_problem_refused(&bias, &["c2", "1", "6"]);
    let weights = problem().with("w", &[N], &[1.0; UNITS]);
    assert_problem_refused(&weights, &["w", "8", "6"]);
    let target = problem().with("b", &[2], &[0.5, 0.5]);
    assert_problem_refused(&target, &["b", "(2,)", "(6,)"]);
    let flat = problem().with("A1", &[N * D], &spread(24, 0, 1.0));
    assert_problem_refused(&flat, &["A1", "(24,)", "(n, d)"]);
}

#[test]
fn what_mixed_precision_cannot_do_is_refused() {
    let desk = Desk::new(&problem());
    let options = ["--hessian", "mixed-precision"];
    let single = [&options[..], &["--precision", "f32"]].concat();
    let words = ["--hessian mixed-precision", "--precision f32", "f64"];
    assert_refused(&desk, &single, &words);
    // A number of double precision that single precision has not.
    let mut a2 = spread(OUTCOMES * UNITS, 0, 1.0);
    a2[9] = 1e39;
    let desk = Desk::new(&problem().with("A2", &[M, N], &a2));
    let words = ["problem.npz", "single precision", "A2[1, 1] is inf"];
    assert_refused(&desk, &options, &words);
    let desk = Desk::new(&problem().with("w", &[M], &[1e20; OUTCOMES]));
    let words = ["problem.npz", "single precision", "square of w"];
    assert_refused(&desk, &options, &words);
}

#[test]
fn numbers_of_targets_and_starts_must_agree() {
    let starts = problem().with("x0", &[3, D], &[0.0; 9]);
    assert_problem_refused(&starts, &["x0", "(3, 3)", "(2, 3)"]);
}

#[test]
fn numbers_that_are_none_are_refused() {
    let mut a1 = spread(24, 1, 2.0);
    a1[4] = f64::NAN;
    assert_problem_refused(
        &problem().with("A1", &[N, D], &a1),
        &["A1[1, 1]", "NaN", "finite"],
    );
    let infinite = [f64::INFINITY, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_problem_refused(
        &problem().with("b", &[M], &infinite),
        &["b[0]", "inf", "finite"],
    );
}

#[test]
fn a_number_beyond_the_precision_is_refused() {
    let mut c1 = [0.0; UNITS];
    c1[3] = 1e200;
    let desk = Desk::new(&problem().with("c1", &[N], &c1));
    assert_refused(&desk, &["--precision", "f32"], &["c1[3]", "1e200", "f32"]);
}

#[test]
fn targets_off_the_simplex_are_refused() {
    let mut b = [1.0 / 6.0; OUTCOMES];
    b[0] += 0.25;
    assert_problem_refused(&problem().with("b", &[M], &b), &["b", "1.25", "1"]);
    let negative = [-0.25, 1.25, 0.0, 0.0, 0.0, 0.0];
    assert_problem_refused(&problem().with("b", &[M], &negative), &["b[0]", "-0.25"]);
    // Which of several it is must be said.
    let both = [[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], negative].concat();
    assert_problem_refused(&problem().with("b", &[2, M], &both), &["target 1", "b[0]"]);
}

#[test]
fn damaged_files_are_refused() {
    let desk = Desk::new(&problem());
    let whole = desk.read("problem.npz");
    for kept in [0, 1, 50, whole.len() / 2, whole.len() - 1] {
        desk.write("problem.npz", &whole[..kept]);
        assert_refused(&desk, &[], &["problem.npz", "expected"]);
    }
    // A wrong byte among the numbers is found by the checksum.
    let mut flipped = whole.clone();
    flipped[200] ^= 1;
    desk.write("problem.npz", &flipped);
    assert_refused(&desk, &[], &["problem.npz", "A1"]);
}

#[test]
fn files_that_are_not_there_are_refused() {
    let desk = Desk::new(&problem());
    std::fs::remove_file(desk.path("problem.npz")).unwrap();
    assert_refused(&desk, &[], &["problem.npz", "cannot be read"]);
}

#[test]
fn other_types_of_entries_are_refused() {
    let mut integers = problem();
    integers.set("A1", npy::<i64>(&[N, D], vec![1; 24], Order::C));
    assert_problem_refused(&integers, &["A1", "int64", "f32 or f64"]);
    let mut bytes = problem();
    bytes.set("b", npy::<u8>(&[M], vec![1; 6], Order::C));
    assert_problem_refused(&bytes, &["b", "uint8", "f32 or f64"]);
    let mut text = problem();
    text.set("A2", b"these are no numbers".to_vec());
    assert_problem_refused(&text, &["A2", ".npy"]);
}

#[test]
fn unknown_and_missing_arrays_are_refused() {
    let unknown = problem().with("bias", &[N], &[0.0; UNITS]);
    assert_problem_refused(&unknown, &["\"bias\"", "A1, A2, b"]);
    let mut missing = problem();
    missing.remove("b");
    assert_problem_refused(&missing, &["b is missing", "(K, m)"]);
}

#[test]
fn empty_arrays_are_refused() {
    assert_problem_refused(&problem().with("A1", &[0, D], &[]), &["A1", "(0, 3)"]);
    // No targets are none; targets of no outcomes are a mistake.
    assert_problem_refused(&problem().with("b", &[2, 0], &[]), &["b", "(2, 0)"]);
    assert_problem_refused(&problem().with("b", &[0], &[]), &["b", "(0,)"]);
    assert_problem_refused(
        &problem().with("b", &[0, 5], &[]),
        &["b", "(0, 5)", "(K, 6)"],
    );
    let starts = problem().with("x0", &[0, D], &[]);
    assert_problem_refused(&starts, &["x0", "(0, 3)", "(2, 3)"]);
}

#[test]
fn arrays_that_look_transposed_are_told() {
    let (a1, a2) = (spread(24, 1, 2.0), spread(48, 60, 3.0));
    let first = problem().with("A1", &[D, N], &a1);
    assert_problem_refused(
        &first,
        &["A1 looks transposed", "(3, 8)", "(8, 3)", "--names auto"],
    );
    let second = problem().with("A2", &[N, M], &a2);
    assert_problem_refused(&second, &["A2 looks transposed", "(8, 6)", "(6, 8)"]);
    let both = first.with("A2", &[N, M], &a2);
    assert_problem_refused(&both, &["A1 and A2 look transposed", "(3, 8)", "(8, 6)"]);
    let b = problem().with("b", &[M, 2], &[1.0 / 6.0; 12]);
    assert_problem_refused(&b, &["b has shape (6, 2) and looks transposed", "(K, 6)"]);
    let starts = problem().with("x0", &[D, 2], &[0.0; 6]);
    assert_problem_refused(
        &starts,
        &["x0 has shape (3, 2) and looks transposed", "(2, 3)"],
    );
}

#[test]
fn what_is_no_file_is_told_by_its_kind() {
    let desk = Desk::new(&problem());
    std::fs::create_dir(desk.path("folder")).unwrap();
    let invert = |problem| ["invert", problem, "--out", "r.npz"];
    let refused = |arguments: &[&str], words: &[&str]| {
        let output = desk.run(arguments);
        assert_code(&output, 2);
        let message = stderr(&output);
        assert_eq!(message.lines().count(), 1, "{message}");
        for word in words {
            assert!(message.contains(word), "no {word:?} in: {message}");
        }
    };
    let words = ["folder: cannot be read: it is a folder; expected a file"];
    refused(&invert("folder"), &words);
    for option in ["--targets", "--start"] {
        refused(
            &[&invert("problem.npz")[..], &[option, "folder"]].concat(),
            &words,
        );
    }
    refused(&["evaluate", "problem.npz", "--at", "folder"], &words);
    refused(&["certify", "problem.npz", "folder"], &words);
    let labels = ["evaluate", "problem.npz", "--at", "x", "--labels", "folder"];
    refused(&labels, &words);
    #[cfg(unix)]
    {
        let made = std::process::Command::new("mkfifo")
            .arg(desk.path("pipe"))
            .status();
        assert!(made.unwrap().success());
        refused(&invert("pipe"), &["it is a pipe; expected a file"]);
        refused(&invert("/dev/null"), &["it is a device; expected a file"]);
    }
}

#[test]
fn one_format_in_the_place_of_the_other_is_told() {
    let desk = Desk::new(&problem());
    desk.write("one.npy", &Storage::PLAIN.array(&[D], &[0.0; 3]));
    desk.write("nothing", b"");
    desk.write("words", b"hello");
    let problem_is = |name: &str| {
        std::fs::copy(desk.path(name), desk.path("problem.npz")).unwrap();
    };
    let archive = desk.read("problem.npz");
    assert_refused(
        &desk,
        &["--targets", "problem.npz"],
        &["archive of arrays", ".npy"],
    );
    assert_refused(&desk, &["--targets", "nothing"], &["it is empty", ".npy"]);
    assert_refused(
        &desk,
        &["--start", "nothing"],
        &["it is empty", "RESULT.npz"],
    );
    assert_refused(&desk, &["--start", "words"], &["no array", "RESULT.npz"]);
    // An archive, and no result.
    desk.write("start.npz", &archive);
    assert_refused(
        &desk,
        &["--start", "start.npz"],
        &["start.npz", "array x is missing"],
    );
    problem_is("one.npy");
    assert_refused(&desk, &[], &["one array (.npy)", "an .npz file"]);
    problem_is("nothing");
    assert_refused(&desk, &[], &["it is empty", "an .npz file"]);
}

#[test]
fn members_of_archives_are_told_apart() {
    let stored = zip::CompressionMethod::Stored;
    let members = |rename: &dyn Fn(&str) -> String| -> Vec<(String, Vec<u8>)> {
        let members = problem().members.into_iter();
        members
            .map(|member| (rename(&member.name), member.bytes))
            .collect()
    };
    let desk = Desk::new(&problem());
    let in_folder = members(&|name| format!("net/{name}.npy"));
    desk.write("problem.npz", &common::archive(&in_folder, stored));
    assert_code(&desk.invert(&[]), 0);
    let mut two = in_folder;
    two.push(("other/A1.npy".into(), two[0].1.clone()));
    desk.write("problem.npz", &common::archive(&two, stored));
    let words = ["\"net/A1\" and \"other/A1\" can both be read as A1"];
    assert_refused(&desk, &[], &words);
    std::fs::remove_file(desk.path("result.npz")).unwrap();
    let mut twice = members(&|name| format!("{name}.npy"));
    twice.push(("A1".into(), twice[0].1.clone()));
    desk.write("problem.npz", &common::archive(&twice, stored));
    assert_refused(&desk, &[], &["two arrays are called A1"]);
}

#[test]
fn other_types_are_told_by_their_names() {
    for (descr, size, name) in [
        ("'|b1'", 1, "bool"),
        ("'<c16'", 16, "complex128"),
        ("'|S4'", 4, "string"),
        ("'<U1'", 4, "string"),
        ("'|O'", 8, "object"),
        ("[('a', '<f8')]", 8, "record"),
        ("'<f16'", 16, "float128"),
        ("'|V1'", 1, "|V1"),
    ] {
        let mut problem = problem();
        problem.set(
            "A1",
            common::raw_npy(descr, false, "(8, 3)", &vec![0; 24 * size]),
        );
        let desk = Desk::new(&problem);
        assert_refused(&desk, &[], &["A1 has dtype", name, "f32 or f64"]);
        // With no hint at an option that would not read it either.
        assert!(!stderr(&desk.invert(&[])).contains("--names"));
        assert_refused(
            &desk,
            &["--names", "auto"],
            &["A1 has dtype", name, "integers"],
        );
    }
    let mut scalar = problem();
    scalar.set("b", common::raw_npy("'<f8'", false, "()", &[0; 8]));
    assert_problem_refused(&scalar, &["b has shape ()", "(K, m)"]);
}

#[test]
fn starts_that_do_not_fit_are_refused() {
    let desk = Desk::new(&problem());
    desk.write("start.npy", &Storage::PLAIN.array(&[4], &[0.0; 4]));
    let start = ["--start", "start.npy"];
    assert_refused(&desk, &start, &["start.npy", "(4,)", "(3,)"]);
    desk.write("start.npy", &Storage::PLAIN.array(&[D], &[3.0, 0.0, 4.0]));
    let outside = ["--start", "start.npy", "--radius", "4.5"];
    assert_refused(&desk, &outside, &["x0", "5", "4.5"]);
    assert_refused(&desk, &["--start", "none.npy"], &["none.npy", "read"]);
}

#[test]
fn a_radius_that_single_precision_does_not_have_is_refused() {
    let desk = Desk::new(&problem());
    desk.write("x.npy", &Storage::PLAIN.array(&[D], &[0.0; 3]));
    let single = ["--precision", "f32", "--radius"];
    for (radius, words) in [
        ("1e-300", "--radius 1e-300 is zero in single precision"),
        ("1e39", "--radius 1e39 is infinite in single precision"),
    ] {
        assert_refused(&desk, &[&single[..], &[radius]].concat(), &[words, "f64"]);
        let certify = ["certify", "problem.npz", "x.npy"];
        let output = desk.run(&[&certify[..], &single, &[radius]].concat());
        assert_code(&output, 2);
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    assert_code(&desk.invert(&["--radius", "1e39"]), 0);
}

#[test]
fn places_that_cannot_be_written_are_refused_before_the_work() {
    let desk = Desk::new(&problem());
    let nowhere = ["--trace", "no/folder/trace.csv"];
    assert_refused(&desk, &nowhere, &["no/folder/trace.csv", "written"]);
    assert_refused(&desk, &["--plot", "."], &["folder"]);
    let twice = ["--trace", "result.npz"];
    assert_refused(&desk, &twice, &["result.npz", "the result", "the trace"]);
    let over_the_problem = ["--trace", "problem.npz"];
    assert_refused(&desk, &over_the_problem, &["the problem", "the trace"]);
}

#[test]
fn options_out_of_range_are_refused() {
    let desk = Desk::new(&problem());
    for option in [
        ["--radius", "0"],
        ["--radius", "-1"],
        ["--radius", "nan"],
        ["--radius", "inf"],
        ["--max-iterations", "0"],
        ["--regularizer", "-1"],
        ["--regularizer", "automatic"],
        ["--seed", "x"],
        ["--backend", "blas"],
    ] {
        let output = desk.invert(&option);
        assert_code(&output, 2);
        // clap's own message, which goes on with how the command is used.
        let message = stderr(&output);
        assert!(message.contains(option[0]), "{message}");
        assert_eq!(desk.files(), ["problem.npz"]);
    }
}
