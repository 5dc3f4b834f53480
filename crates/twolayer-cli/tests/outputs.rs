//! Where outputs go: through links, to devices, to standard output, and never in the place of what
//! is no file.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{Desk, Problem, ResultFile, Storage, assert_code, stderr, stdout};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::process::{Command, Output, Stdio};

fn desk() -> Desk {
    Desk::new(&Problem::new(Storage::PLAIN))
}

fn invert_to(desk: &Desk, out: &str, options: &[&str]) -> Output {
    desk.run(&[&["invert", "problem.npz", "--out", out], options].concat())
}

fn link(desk: &Desk, name: &str, to: &str) {
    symlink(to, desk.path(name)).unwrap();
}

/// Asserts that the command is refused in one line with all of `words`, and changed nothing.
#[track_caller]
fn assert_refused(desk: &Desk, arguments: &[&str], words: &[&str]) {
    let entries = || {
        let kind = |name: &String| fs::symlink_metadata(desk.path(name)).unwrap().file_type();
        let names = desk.files();
        names
            .iter()
            .map(kind)
            .zip(names.clone())
            .collect::<Vec<_>>()
    };
    let before = entries();
    let output = desk.run(arguments);
    assert_code(&output, 2);
    let message = stderr(&output);
    assert_eq!(message.lines().count(), 1, "{message}");
    for word in words {
        assert!(message.contains(word), "no {word:?} in: {message}");
    }
    assert!(output.stdout.is_empty());
    assert_eq!(entries(), before);
}

#[test]
fn a_link_is_written_through() {
    let desk = desk();
    fs::create_dir(desk.path("far")).unwrap();
    // Of two links the first is relative, the second leads to a file that is not there yet.
    link(&desk, "far/second.npz", "real.npz");
    link(&desk, "first.npz", "far/second.npz");
    for _ in 0..2 {
        assert_code(&invert_to(&desk, "first.npz", &[]), 0);
        for name in ["first.npz", "far/second.npz"] {
            let kind = fs::symlink_metadata(desk.path(name)).unwrap().file_type();
            assert!(kind.is_symlink(), "{name}");
        }
        let real = ResultFile::parse(&desk.read("far/real.npz"));
        assert_eq!(real.values::<u8>("converged"), [1, 1]);
    }
    // Nothing is left beside either.
    assert_eq!(desk.files(), ["far", "first.npz", "problem.npz"]);
    assert_eq!(fs::read_dir(desk.path("far")).unwrap().count(), 2);
}

#[test]
fn every_output_is_written_through_its_link() {
    let desk = desk();
    let options = ["--trace", "t", "--plot", "p.svg", "--checkpoint", "c"];
    for name in ["t", "p.svg", "c"] {
        link(&desk, name, &format!("real-{name}"));
    }
    assert_code(&invert_to(&desk, "result.npz", &options), 0);
    for name in ["t", "p.svg", "c"] {
        let kind = fs::symlink_metadata(desk.path(name)).unwrap().file_type();
        assert!(kind.is_symlink(), "{name}");
    }
    assert!(desk.read("real-t").starts_with(b"target,iteration"));
    assert!(desk.read("real-p.svg").starts_with(b"<svg"));
    assert!(desk.read("real-c").starts_with(b"twolayer checkpoint"));
    let again = [&options[..], &["--resume"]].concat();
    let output = invert_to(&desk, "result.npz", &again);
    assert_code(&output, 0);
    assert!(stderr(&output).contains("2 finished targets"));
}

#[test]
fn links_that_lead_nowhere_are_refused() {
    let desk = desk();
    link(&desk, "a", "b");
    link(&desk, "b", "a");
    link(&desk, "lost", "no/folder/x.npz");
    let invert = |out| ["invert", "problem.npz", "--out", out];
    assert_refused(&desk, &invert("a"), &["a: cannot be written", "links"]);
    let words = ["lost: cannot be written", "no folder", "no/folder"];
    assert_refused(&desk, &invert("lost"), &words);
}

#[test]
fn folders_are_refused_by_their_names_too() {
    let desk = desk();
    fs::create_dir(desk.path("folder")).unwrap();
    for out in ["folder", "folder/", "folder/.", "new/", "new/.", "..", "/"] {
        assert_refused(&desk, &["invert", "problem.npz", "--out", out], &["folder"]);
    }
}

#[test]
fn a_pipe_is_refused_by_name() {
    let desk = desk();
    let made = Command::new("mkfifo").arg(desk.path("pipe")).status();
    assert!(made.unwrap().success());
    link(&desk, "link", "pipe");
    for name in ["pipe", "link"] {
        let words = [name, "a pipe", "- for standard output"];
        assert_refused(&desk, &["invert", "problem.npz", "--out", name], &words);
    }
    let kind = fs::symlink_metadata(desk.path("pipe")).unwrap().file_type();
    assert!(kind.is_fifo());
}

/// A disk without space, played by the limit on a file's size: one line says so, and nothing is left.
#[test]
fn a_full_disk_is_told_in_one_line() {
    let desk = desk();
    let script = format!(
        "trap '' XFSZ; ulimit -f 0; exec {} invert problem.npz --out r.npz --quiet",
        env!("CARGO_BIN_EXE_twolayer")
    );
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", &script]).current_dir(desk.path("."));
    let output = output.output().unwrap();
    assert_code(&output, 2);
    let message = stderr(&output);
    let is_one_line = message.trim_end().lines().count() == 1;
    assert!(
        is_one_line && message.starts_with("error: r.npz: cannot be written"),
        "{message}"
    );
    assert_eq!(desk.files(), ["problem.npz"]);
}

/// By a link, so that a command that put a file in its place would not take the system's own.
#[test]
fn a_device_is_written_to() {
    let desk = desk();
    for (name, device) in [("null", "/dev/null"), ("full", "/dev/full")] {
        link(&desk, name, device);
    }
    // All that is not wanted can go there.
    let output = invert_to(&desk, "null", &["--trace", "null", "--plot", "null"]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("2 of 2 converged"));
    // A device that takes nothing is an error, and no other output is left.
    assert_refused(
        &desk,
        &["invert", "problem.npz", "--out", "r.npz", "--trace", "full"],
        &["full: cannot be written", "space"],
    );
    let kind = fs::symlink_metadata(desk.path("null")).unwrap().file_type();
    assert!(kind.is_symlink());
    assert!(
        fs::metadata("/dev/null")
            .unwrap()
            .file_type()
            .is_char_device()
    );
    // What is read again must be a file.
    assert_refused(
        &desk,
        &[
            "invert",
            "problem.npz",
            "--out",
            "r",
            "--checkpoint",
            "null",
        ],
        &["null", "read again"],
    );
}

#[test]
fn standard_output_takes_a_result_and_not_the_report() {
    let desk = desk();
    assert_code(&desk.invert(&[]), 0);
    let result = desk.read("result.npz");
    let output = invert_to(&desk, "-", &[]);
    assert_code(&output, 0);
    assert!(output.stdout == result);
    assert!(stderr(&output).contains("2 of 2 converged"));
    assert_eq!(desk.files(), ["problem.npz", "result.npz"]);
    // A file of this name has another way to be named.
    let output = invert_to(&desk, "./-", &[]);
    assert_code(&output, 0);
    assert!(desk.read("-") == result);
    // Another output leaves the report out of it too.
    let output = invert_to(&desk, "r.npz", &["--trace", "-", "--report", "json"]);
    assert_code(&output, 0);
    assert!(output.stdout.starts_with(b"target,iteration"));
    let report: serde_json::Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(report["totals"]["converged"], 2);
    let twice = ["invert", "problem.npz", "--out", "-", "--trace", "-"];
    assert_refused(&desk, &twice, &["the result", "the trace"]);
}

/// A file in its place would lose what is printed to the file that the shell has opened.
#[test]
fn the_file_of_standard_output_is_not_replaced() {
    let desk = desk();
    let run = |out: &str| {
        let file = File::create(desk.path("o.npz")).unwrap();
        let mut command = desk.command(&["invert", "problem.npz", "--out", out]);
        command.stdout(file).output().unwrap()
    };
    for out in ["o.npz", "/dev/stdout"] {
        let output = run(out);
        assert_code(&output, 2);
        assert!(stderr(&output).contains("- for standard output"), "{out}");
        assert!(desk.read("o.npz").is_empty());
    }
    assert_code(&run("-"), 0);
    let result = ResultFile::parse(&desk.read("o.npz"));
    assert_eq!(result.values::<u8>("converged"), [1, 1]);
}

#[test]
fn descriptors_are_refused_by_name() {
    let desk = desk();
    link(&desk, "link", "/dev/stdout");
    for out in [
        "link",
        "/dev/stdout",
        "/dev/stderr",
        "/proc/self/fd/1",
        "/dev/fd/0",
        "/dev/fd/77",
    ] {
        let words = [out, "an open file of a process", "- for standard output"];
        assert_refused(&desk, &["invert", "problem.npz", "--out", out], &words);
    }
}

#[test]
fn links_do_not_hide_that_two_files_are_one() {
    let desk = desk();
    link(&desk, "to-problem", "problem.npz");
    link(&desk, "to-result", "result.npz");
    let invert = |out, trace| ["invert", "problem.npz", "--out", out, "--trace", trace];
    let words = ["to-problem", "the problem", "the result"];
    assert_refused(&desk, &invert("to-problem", "t.csv"), &words);
    let words = ["to-result", "the result", "the trace"];
    assert_refused(&desk, &invert("result.npz", "to-result"), &words);
    let by_link = ["invert", "to-problem", "--out", "problem.npz"];
    assert_refused(&desk, &by_link, &["the problem", "the result"]);
}

#[test]
fn permissions_of_what_is_replaced_are_kept() {
    let desk = desk();
    desk.write("result.npz", b"old");
    let mode = |mode| fs::set_permissions(desk.path("result.npz"), PermissionsExt::from_mode(mode));
    mode(0o640).unwrap();
    assert_code(&desk.invert(&[]), 0);
    let permissions = fs::metadata(desk.path("result.npz")).unwrap().permissions();
    assert_eq!(permissions.mode() & 0o777, 0o640);
}

#[test]
fn a_file_that_may_not_be_written_is_not_replaced() {
    let desk = desk();
    let result = desk.path("result.npz");
    desk.write("result.npz", b"old");
    fs::set_permissions(&result, PermissionsExt::from_mode(0o440)).unwrap();
    if File::options().write(true).open(&result).is_ok() {
        // Past the tests' capture of what is printed.
        let told = "skipped: a file that may not be written (who runs this may write all)\n";
        io::stderr().write_all(told.as_bytes()).unwrap();
        return;
    }
    let invert = ["invert", "problem.npz", "--out", "result.npz"];
    assert_refused(&desk, &invert, &["result.npz", "denied"]);
    assert_eq!(desk.read("result.npz"), b"old");
}

/// Nobody may write there, whoever runs this.
#[test]
fn a_path_below_a_file_is_refused() {
    let desk = desk();
    for (option, path) in [
        ("--trace", "problem.npz/trace.csv"),
        ("--plot", "problem.npz/plot.svg"),
        ("--checkpoint", "problem.npz/checkpoint"),
    ] {
        let invert = ["invert", "problem.npz", "--out", "result.npz", option, path];
        assert_refused(&desk, &invert, &[path, "cannot be written"]);
    }
    let invert = ["invert", "problem.npz", "--out", "problem.npz/result.npz"];
    assert_refused(&desk, &invert, &[invert[3], "cannot be written"]);
    assert!(!desk.path("result.npz").exists());
}

#[test]
fn a_full_standard_error_ends_nothing() {
    let desk = desk();
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let run = |arguments: &[&str]| desk.command(arguments).stderr(full()).output().unwrap();
    let limit = ["--max-iterations", "1"];
    let invert = ["invert", "problem.npz", "--out", "result.npz"];
    assert_code(&run(&[&invert[..], &limit].concat()), 1);
    assert_eq!(desk.result().values::<u8>("converged"), [0, 0]);
    assert_code(&run(&["invert", "none.npz", "--out", "r.npz"]), 2);
}

#[test]
fn a_plot_in_another_format_is_refused() {
    let desk = desk();
    let invert = |plot| ["invert", "problem.npz", "--out", "r.npz", "--plot", plot];
    for (plot, suffix) in [("x.png", ".png"), ("x.svg.PDF", ".PDF"), ("x.", "as .;")] {
        assert_refused(&desk, &invert(plot), &[plot, suffix, ".svg"]);
    }
    for plot in ["x.SVG", "x"] {
        assert_code(&desk.run(&invert(plot)), 0);
        assert!(desk.read(plot).starts_with(b"<svg"));
    }
}
