//! What `twolayer evaluate` prints.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{
    Desk, INPUTS, OUTCOMES, PLANTED, Problem, Storage, assert_code, forward, stderr, stdout,
    weights,
};
use serde_json::Value;

const LABELS: &[u8] = br#"["a", "b", "c", "d", "e", "f"]"#;

fn desk() -> Desk {
    let desk = Desk::new(&Problem::new(Storage::PLAIN));
    let shape = [2, INPUTS as u64];
    let points = Storage::PLAIN.array(&shape, PLANTED.as_flattened());
    desk.write("x.npy", &points);
    desk.write("labels.json", LABELS);
    desk
}

fn evaluate(desk: &Desk, options: &[&str]) -> std::process::Output {
    desk.run(&[&["evaluate", "problem.npz", "--at", "x.npy"], options].concat())
}

#[test]
fn the_outcomes_are_those_of_a_plain_forward_pass() {
    let desk = desk();
    let output = evaluate(
        &desk,
        &["--report", "json", "--top", "2", "--labels", "labels.json"],
    );
    assert_code(&output, 0);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let [a1, c1, a2, c2] = weights().map(|v| {
        v.into_iter()
            .map(|x| f64::from(x as f32))
            .collect::<Vec<_>>()
    });
    for (k, x) in PLANTED.iter().enumerate() {
        let f = forward(&a1, &c1, &a2, &c2, x);
        let mut order: Vec<usize> = (0..OUTCOMES).collect();
        order.sort_by(|&i, &j| f[j].total_cmp(&f[i]));
        let target = &report["targets"][k];
        // Both are the target to rounding.
        assert!(target["loss"].as_f64().unwrap() < 1e-30);
        assert!(target["gradient_norm"].as_f64().unwrap() < 1e-15);
        let outcomes = target["outcomes"].as_array().unwrap();
        assert_eq!(outcomes.len(), 2);
        for (outcome, &index) in outcomes.iter().zip(&order) {
            assert_eq!(outcome["index"], index);
            assert_eq!(outcome["label"], ["a", "b", "c", "d", "e", "f"][index]);
            let probability = outcome["probability"].as_f64().unwrap();
            assert!((probability - f[index]).abs() < 1e-14);
        }
    }
}

#[test]
fn the_table_names_the_outcomes() {
    let desk = desk();
    let output = evaluate(&desk, &["--labels", "labels.json", "--top", "6"]);
    assert_code(&output, 0);
    let text = stdout(&output);
    for index in 0..OUTCOMES {
        let name = char::from(b'a' + index as u8);
        assert!(text.contains(&format!("{name} ({index})")), "{text}");
    }
    assert!(stderr(&output).is_empty());
}

#[test]
fn one_point_serves_all_targets() {
    let desk = desk();
    desk.write(
        "x.npy",
        &Storage::PLAIN.array(&[INPUTS as u64], &PLANTED[1]),
    );
    let output = evaluate(&desk, &["--report", "json"]);
    assert_code(&output, 0);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let loss = |k: usize| report["targets"][k]["loss"].as_f64().unwrap();
    assert!(loss(0) > 1e-6 && loss(1) < 1e-30);
}

#[test]
fn labels_that_do_not_fit_are_refused() {
    let desk = desk();
    for (labels, word) in [(&br#"["a"]"#[..], "1 labels"), (&b"{"[..], "no labels")] {
        desk.write("labels.json", labels);
        let output = evaluate(&desk, &["--labels", "labels.json"]);
        assert_code(&output, 2);
        let message = stderr(&output);
        assert!(
            message.lines().count() == 1 && message.contains(word),
            "{message}"
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn without_a_target_there_are_outputs_alone() {
    let desk = desk();
    let with_target = evaluate(&desk, &["--report", "json"]);
    let mut problem = Problem::new(Storage::PLAIN);
    problem.remove("b");
    desk.write("problem.npz", &problem.bytes());
    let output = evaluate(&desk, &["--report", "json"]);
    assert_code(&output, 0);
    let parse = |output| -> Value { serde_json::from_str(&stdout(output)).unwrap() };
    let (with, without) = (parse(&with_target), parse(&output));
    assert_eq!(without["targets"].as_array().unwrap().len(), 2);
    for k in 0..2 {
        assert!(without["targets"][k].get("loss").is_none());
        for place in 0..5 {
            let [a, b] = [&with, &without].map(|report| &report["targets"][k]["outcomes"][place]);
            assert_eq!(
                (&a["index"], &a["probability"]),
                (&b["index"], &b["probability"])
            );
            assert!(b.get("target_probability").is_none());
        }
    }
    let table = evaluate(&desk, &[]);
    assert_code(&table, 0);
    let text = stdout(&table);
    assert!(
        text.contains("probability") && !text.contains("loss"),
        "{text}"
    );
    // The targets of a file serve as well.
    let b = Problem::new(Storage::PLAIN);
    let b = b.members.iter().find(|member| member.name == "b").unwrap();
    desk.write("b.npy", &b.bytes);
    let output = evaluate(&desk, &["--report", "json", "--targets", "b.npy"]);
    assert_eq!(parse(&output), with);
    // To invert and to certify is another matter.
    assert_code(&desk.invert(&[]), 2);
}

#[test]
fn points_are_read_from_a_result_too() {
    let desk = desk();
    assert_code(&desk.invert(&[]), 0);
    let losses = desk.result().values::<f64>("loss");
    let arguments = [
        "evaluate",
        "problem.npz",
        "--at",
        "result.npz",
        "--report",
        "json",
    ];
    let output = desk.run(&arguments);
    assert_code(&output, 0);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    for (k, &loss) in losses.iter().enumerate() {
        assert_eq!(report["targets"][k]["loss"].as_f64(), Some(loss));
    }
    // What was found is where a solve is over at once.
    let again = [
        "invert",
        "problem.npz",
        "--start",
        "result.npz",
        "--out",
        "again.npz",
    ];
    assert_code(&desk.run(&again), 0);
    let again = common::ResultFile::parse(&desk.read("again.npz"));
    assert_eq!(again.values::<i64>("iterations"), [0, 0]);
    assert_eq!(again.values::<f64>("x"), desk.result().values::<f64>("x"));
}
