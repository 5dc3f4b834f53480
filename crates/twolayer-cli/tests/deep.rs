//! Networks of more layers and other activations.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{
    Desk, Problem, Storage, archive, assert_code, raw_npy, schema, spread, stderr, stdout,
};
use serde_json::Value;
use zip::CompressionMethod;

/// d, n_1, n_2, m.
const WIDTHS: [usize; 4] = [4, 9, 7, 8];

/// A1, c1, A2, c2, A3, c3.
fn layers() -> Vec<(Vec<f64>, Vec<f64>)> {
    let pairs = WIDTHS.windows(2).zip(1..);
    let layer = |(pair, number): (&[usize], usize)| {
        let weights = spread(
            pair[0] * pair[1],
            1000 * number,
            4.0 / (pair[0] as f64).sqrt(),
        );
        (weights, spread(pair[1], 1000 * number + 500, 0.5))
    };
    pairs.map(layer).collect()
}

/// softmax(A3 tanh(A2 relu(A1 x + c1) + c2) + c3), by its definition.
fn forward(x: &[f64]) -> Vec<f64> {
    let mut a = x.to_vec();
    for (number, (weights, bias)) in layers().iter().enumerate() {
        let rows = weights.chunks(a.len()).zip(bias);
        let h = rows.map(|(row, c)| row.iter().zip(&a).map(|(w, a)| w * a).sum::<f64>() + c);
        a = match number {
            0 => h.map(|h| h.max(0.0)).collect(),
            1 => h.map(f64::tanh).collect(),
            _ => h.collect(),
        };
    }
    let powers: Vec<f64> = a.iter().map(|z| z.exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|p| p / sum).collect()
}

const PLANTED: [[f64; 4]; 3] = [
    [0.4, -0.3, 0.6, 0.1],
    [-0.2, 0.5, 0.3, -0.6],
    [0.7, 0.2, -0.4, 0.3],
];

fn words(names: &[&str]) -> Vec<u8> {
    let letters = names.iter().flat_map(|name| {
        let padded = name.chars().chain(std::iter::repeat('\0')).take(12);
        padded.flat_map(|letter| u32::from(letter).to_le_bytes())
    });
    let shape = format!("({},)", names.len());
    raw_npy("'<U12'", false, &shape, &letters.collect::<Vec<_>>())
}

/// The members of a problem, matrices transposed where that is asked for.
fn members(names: [&str; 2], first: usize, transposed: bool) -> Vec<(String, Vec<u8>)> {
    let mut members = Vec::new();
    for (number, (weights, bias)) in layers().iter().enumerate() {
        let (rows, columns) = (WIDTHS[number + 1], WIDTHS[number]);
        let (shape, values) = match transposed {
            false => ([rows as u64, columns as u64], weights.clone()),
            true => {
                let turned = (0..columns).flat_map(|j| (0..rows).map(move |i| i * columns + j));
                let values = turned.map(|place| weights[place]).collect();
                ([columns as u64, rows as u64], values)
            }
        };
        let name = |word: &str| format!("{word}{}", number + first);
        members.push((name(names[0]), Storage::PLAIN.array(&shape, &values)));
        members.push((name(names[1]), Storage::PLAIN.array(&[rows as u64], bias)));
    }
    let b: Vec<f64> = PLANTED.iter().flat_map(|x| forward(x)).collect();
    members.push(("b".into(), Storage::PLAIN.array(&[3, 8], &b)));
    members
}

fn desk(members: &[(String, Vec<u8>)]) -> Desk {
    let desk = Desk::new(&Problem::new(Storage::PLAIN));
    desk.write("problem.npz", &archive(members, CompressionMethod::Stored));
    desk
}

fn with_activations(mut members: Vec<(String, Vec<u8>)>, names: &[&str]) -> Vec<(String, Vec<u8>)> {
    members.push(("activation".into(), words(names)));
    members
}

/// Whether the targets are met, by the network's definition.
fn meets(desk: &Desk, options: &[&str]) -> Vec<f64> {
    let output = desk.invert(&[options, &["--report", "json"]].concat());
    assert_code(&output, 0);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(schema::check(&report, "invert"), Ok(()));
    assert_eq!(report["totals"]["statuses"]["perfect-fit"], 3, "{report}");
    let x = desk.result().values::<f64>("x");
    for (x, planted) in x.chunks(4).zip(&PLANTED) {
        for (f, b) in forward(x).iter().zip(forward(planted)) {
            assert!((f - b).abs() < 1e-12, "{f} {b}");
        }
    }
    x
}

#[test]
fn targets_of_three_layers_are_met() {
    let own = with_activations(members(["A", "c"], 1, false), &["relu", "tanh"]);
    let by_the_file = meets(&desk(&own), &[]);
    let plain = desk(&members(["A", "c"], 1, false));
    assert_eq!(meets(&plain, &["--activation", "relu,tanh"]), by_the_file);
    for backend in ["nalgebra", "ndarray"] {
        meets(&plain, &["--activation", "relu,Tanh", "--backend", backend]);
    }
    // Names of scikit-learn, whose matrices lie the other way.
    let others = members(["coefs_", "intercepts_"], 0, true);
    let auto = ["--names", "auto", "--activation", "relu,tanh"];
    assert_eq!(meets(&desk(&others), &auto), by_the_file);
    // One activation serves all layers; the option goes before the file.
    let wrong = with_activations(members(["A", "c"], 1, false), &["identity"]);
    assert_eq!(
        meets(&desk(&wrong), &["--activation", "relu,tanh"]),
        by_the_file
    );
    // With a checkpoint, and from it.
    let options = ["--activation", "relu,tanh", "--checkpoint", "state"];
    assert_eq!(meets(&plain, &options), by_the_file);
    let resumed = [&options[..], &["--resume"]].concat();
    assert_eq!(meets(&plain, &resumed), by_the_file);
    let other = [
        "--activation",
        "relu,gelu",
        "--checkpoint",
        "state",
        "--resume",
    ];
    let output = plain.invert(&other);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("the activation behind A2 was tanh, is gelu"));
    // What the network makes of the answers.
    let output = plain.run(&[
        "evaluate",
        "problem.npz",
        "--activation",
        "relu,tanh",
        "--at",
        "result.npz",
        "--report",
        "json",
    ]);
    assert_code(&output, 0);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let targets = report["targets"].as_array().unwrap();
    assert!(
        targets
            .iter()
            .all(|target| target["loss"].as_f64().unwrap() < 1e-24)
    );
}

/// Two layers with another activation than ReLU are such a network, too.
#[test]
fn two_layers_of_another_activation_are_taken() {
    let desk = Desk::new(&Problem::new(Storage::PLAIN));
    for activation in ["gelu", "leaky-relu:0.1", "sigmoid"] {
        let output = desk.run(&[
            "evaluate",
            "problem.npz",
            "--activation",
            activation,
            "--at",
            "zero.npy",
        ]);
        assert_code(&output, 2);
        let output = desk.invert(&["--activation", activation, "--report", "json"]);
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{}",
            stderr(&output)
        );
    }
    // A ReLU by name is the network that it was.
    let plain = desk.invert(&[]);
    assert_code(&plain, 0);
    let x = desk.result().values::<f64>("x");
    assert_code(&desk.invert(&["--activation", "relu"]), 0);
    assert_eq!(desk.result().values::<f64>("x"), x);
}

#[test]
fn what_does_not_fit_is_named() {
    let good = members(["A", "c"], 1, false);
    let refused = |members: &[(String, Vec<u8>)], options: &[&str]| {
        let output = desk(members).invert(options);
        assert_code(&output, 2);
        stderr(&output)
    };
    let without = |name: &str| -> Vec<_> {
        good.iter()
            .filter(|(other, _)| other != name)
            .cloned()
            .collect()
    };
    assert!(refused(&without("A2"), &[]).contains("array A2 is missing"));
    let mut misshapen = without("A2");
    misshapen.push((
        "A2".into(),
        Storage::PLAIN.array(&[7, 8], &spread(56, 1, 1.0)),
    ));
    let words = refused(&misshapen, &[]);
    assert!(
        words.contains("A2 has shape (7, 8)") && words.contains("(n, 9)"),
        "{words}"
    );
    let mut short = without("c2");
    short.push(("c2".into(), Storage::PLAIN.array(&[3], &[0.0; 3])));
    let words = refused(&short, &[]);
    assert!(words.contains("c2 has shape (3,)"), "{words}");
    let turned = members(["A", "c"], 1, true);
    assert!(refused(&turned, &[]).contains("all look transposed"));
    let words = refused(&with_activations(good.clone(), &["relu", "relu6"]), &[]);
    assert!(
        words.contains("`relu6`") && words.contains("gelu-tanh"),
        "{words}"
    );
    let words = refused(&with_activations(good.clone(), &["relu"; 3]), &[]);
    assert!(
        words.contains("3 activations") && words.contains("2"),
        "{words}"
    );
    let words = refused(&good, &["--activation", "softmax"]);
    assert!(words.contains("`softmax`"), "{words}");
    for (option, what) in [
        (&["--certify"][..], "a certificate"),
        (&["--theory"], "the theorem"),
        (&["--hessian", "mixed-precision"], "mixed precision"),
        (&["--regularizer", "0.1"], "a regulariser"),
    ] {
        let words = refused(&good, option);
        assert!(
            words.contains(what) && words.contains("two layers with ReLU"),
            "{words}"
        );
    }
}

/// Classifiers of handwritten digits, by other images' outputs from the mean image.
#[test]
fn real_classifiers_are_inverted() {
    let desk = Desk::new(&Problem::new(Storage::PLAIN));
    for name in ["digits.npz", "digits_tanh.npz"] {
        let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data");
        desk.write("problem.npz", &std::fs::read(data.join(name)).unwrap());
        let output = desk.invert(&["--report", "json"]);
        assert_code(&output, 0);
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let targets = report["targets"].as_array().unwrap();
        assert_eq!(targets.len(), 40);
        let loss = |target: &Value| target["loss"].as_f64().unwrap();
        assert!(targets.iter().all(|target| loss(target) <= 1e-20), "{name}");
    }
}
