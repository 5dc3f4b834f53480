//! Targets over several machines: parts, and what they come to together.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{
    Desk, INPUTS, OUTCOMES, Problem, ResultFile, Storage, assert_code, forward, spread, stderr,
    weights,
};

/// So many targets of the small network, and a start for each.
fn desk(count: usize) -> Desk {
    let desk = Desk::new(&Problem::new(Storage::PLAIN));
    let [a1, c1, a2, c2] = weights();
    let points = spread(count * INPUTS, 77, 2.0);
    let b: Vec<f64> = points
        .chunks(INPUTS)
        .flat_map(|x| forward(&a1, &c1, &a2, &c2, x))
        .collect();
    desk.write(
        "b.npy",
        &Storage::PLAIN.array(&[count as u64, OUTCOMES as u64], &b),
    );
    let starts = spread(count * INPUTS, 999, 1.0);
    desk.write(
        "x0.npy",
        &Storage::PLAIN.array(&[count as u64, INPUTS as u64], &starts),
    );
    desk
}

const COMMON: [&str; 6] = [
    "--targets",
    "b.npy",
    "--start",
    "x0.npy",
    "-q",
    "--max-iterations",
];

fn solve(desk: &Desk, out: &str, options: &[&str]) {
    let command = ["invert", "problem.npz", "--out", out];
    let output = desk.run(&[&command[..], &COMMON, &["200"], options].concat());
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{}",
        stderr(&output)
    );
}

fn contents(desk: &Desk, name: &str) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(desk.read(name))).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut member = archive.by_index(index).unwrap();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut member, &mut bytes).unwrap();
            (member.name().unwrap().to_string(), bytes)
        })
        .collect()
}

#[test]
fn parts_come_to_the_bits_of_one_run() {
    let desk = desk(13);
    for precision in ["f64", "f32"] {
        let options = ["--precision", precision];
        solve(&desk, "one.npz", &options);
        for parts in [1, 3, 7] {
            let mut names = Vec::new();
            // In any order.
            for number in (1..=parts).rev() {
                let (shard, name) = (format!("{number}/{parts}"), format!("s{number}.npz"));
                solve(&desk, &name, &[&options[..], &["--shard", &shard]].concat());
                names.push(name);
            }
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let output = desk.run(&[&["merge", "--out", "all.npz"], &names[..]].concat());
            assert_code(&output, 0);
            assert_eq!(
                contents(&desk, "all.npz"),
                contents(&desk, "one.npz"),
                "{parts}"
            );
        }
    }
}

#[test]
fn more_parts_than_targets_are_no_harm() {
    let desk = desk(2);
    solve(&desk, "one.npz", &[]);
    let names = ["a.npz", "b.npz", "c.npz"];
    for (number, name) in (1..).zip(names) {
        solve(&desk, name, &["--shard", &format!("{number}/3")]);
    }
    assert_code(
        &desk.run(&[&["merge", "--out", "all.npz"], &names[..]].concat()),
        0,
    );
    assert_eq!(contents(&desk, "all.npz"), contents(&desk, "one.npz"));
}

/// A part that was ended goes on from its checkpoint.
#[test]
fn a_part_is_resumed() {
    let desk = desk(9);
    solve(&desk, "one.npz", &[]);
    solve(&desk, "s1.npz", &["--shard", "1/2"]);
    let second = ["--shard", "2/2", "--checkpoint", "state"];
    solve(
        &desk,
        "s2.npz",
        &[&second[..], &["--time-limit", "1e-9"]].concat(),
    );
    let output = desk.run(&["merge", "s1.npz", "s2.npz", "--out", "all.npz"]);
    assert_code(&output, 2);
    assert!(
        stderr(&output).contains("s2.npz: 0 of the part's 5 targets"),
        "{}",
        stderr(&output)
    );
    assert!(!desk.files().contains(&"all.npz".to_owned()));
    solve(&desk, "s2.npz", &[&second[..], &["--resume"]].concat());
    assert_code(
        &desk.run(&["merge", "s1.npz", "s2.npz", "--out", "all.npz"]),
        0,
    );
    assert_eq!(contents(&desk, "all.npz"), contents(&desk, "one.npz"));
}

#[test]
fn parts_that_do_not_fit_are_refused_and_named() {
    let desk = desk(10);
    solve(&desk, "plain.npz", &[]);
    for (name, shard) in [
        ("1.npz", "1/3"),
        ("2.npz", "2/3"),
        ("3.npz", "3/3"),
        ("half.npz", "2/2"),
    ] {
        solve(&desk, name, &["--shard", shard]);
    }
    solve(&desk, "other.npz", &["--shard", "2/3", "--loss", "kl"]);
    desk.write("broken.npz", b"nothing of the kind");
    let refused = |parts: &[&str], words: &str| {
        let output = desk.run(&[&["merge", "--out", "all.npz"], parts].concat());
        assert_code(&output, 2);
        assert!(
            stderr(&output).contains(words),
            "{parts:?}: {}",
            stderr(&output)
        );
        assert!(!desk.files().contains(&"all.npz".to_owned()));
    };
    refused(&["1.npz", "3.npz"], "targets 3 to 5 are in no part");
    refused(&["2.npz", "3.npz"], "targets 0 to 2 are in no part");
    refused(&["1.npz", "2.npz"], "targets 6 to 9 are in no part");
    refused(
        &["1.npz", "2.npz", "2.npz", "3.npz"],
        "target 3 is in another part too",
    );
    refused(
        &["1.npz", "2.npz", "half.npz"],
        "target 5 is in another part too",
    );
    refused(
        &["1.npz", "other.npz", "3.npz"],
        "a part of another run than",
    );
    refused(
        &["plain.npz"],
        "no array shard; expected a result of `twolayer invert --shard I/P`",
    );
    refused(&["1.npz", "broken.npz"], "broken.npz: no archive of arrays");
    refused(&["1.npz", "missing.npz"], "missing.npz: cannot be read");
    let output = desk.invert(&["--shard", "1/2", "--starts", "2"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("--starts and --shard do not go together"));
    for bad in ["0/2", "3/2", "x"] {
        let output = desk.invert(&["--shard", bad]);
        assert_code(&output, 2);
        assert!(
            stderr(&output).contains("expected I/P"),
            "{}",
            stderr(&output)
        );
    }
    // Nothing was left behind by any of them.
    assert!(desk.files().iter().all(|name| !name.starts_with(".tmp")));
    let _ = ResultFile::parse(&desk.read("1.npz"));
}
