//! Reports for programs, against docs/report.schema.json.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{Desk, INPUTS, PLANTED, Problem, Storage, schema, stdout};
use serde_json::{Value, json};

fn desk() -> Desk {
    let desk = Desk::new(&Problem::new(Storage::PLAIN));
    let shape = [2, INPUTS as u64];
    desk.write(
        "x.npy",
        &Storage::PLAIN.array(&shape, PLANTED.as_flattened()),
    );
    desk.write("labels.json", br#"["a", "b", "c", "d", "e", "f"]"#);
    desk
}

fn report(desk: &Desk, arguments: &[&str]) -> Value {
    let output = desk.run(&[arguments, &["--report", "json"]].concat());
    assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}");
    serde_json::from_str(&stdout(&output)).unwrap()
}

const INVERT: [&str; 4] = ["invert", "problem.npz", "--out", "result.npz"];

#[test]
fn reports_are_as_the_schema_says() {
    let desk = desk();
    for options in [
        &[][..],
        &["--max-iterations", "1"],
        &["--certify", "--theory", "--hessian", "exact"],
        // Refusals, on the sphere; other starts.
        &["--radius", "0.1", "--certify", "--starts", "2"],
    ] {
        let report = report(&desk, &[&INVERT[..], options].concat());
        assert_eq!(schema::check(&report, "invert"), Ok(()), "{options:?}");
        assert_eq!(report["version"], 1);
    }
    assert_eq!(desk.run(&INVERT).status.code(), Some(0));
    for options in [&[][..], &["--radius", "0.1"]] {
        let certify = [&["certify", "problem.npz", "result.npz"], options].concat();
        assert_eq!(schema::check(&report(&desk, &certify), "certify"), Ok(()));
    }
    let evaluate = ["evaluate", "problem.npz", "--at", "x.npy"];
    for options in [
        &[][..],
        &["--labels", "labels.json", "--top", "0"],
        &["--labels", "labels.json"],
    ] {
        let evaluate = [&evaluate[..], options].concat();
        assert_eq!(schema::check(&report(&desk, &evaluate), "evaluate"), Ok(()));
    }
}

/// The whole schema takes each report for one of its three.
#[test]
fn the_kinds_of_reports_exclude_each_other() {
    let desk = desk();
    let invert = report(&desk, &INVERT);
    let certify = report(&desk, &["certify", "problem.npz", "result.npz"]);
    let evaluate = report(&desk, &["evaluate", "problem.npz", "--at", "x.npy"]);
    let kinds = ["invert", "certify", "evaluate"];
    for (report, own) in [invert, certify, evaluate].iter().zip(kinds) {
        for kind in kinds {
            assert_eq!(
                schema::check(report, kind).is_ok(),
                kind == own,
                "{own} as {kind}"
            );
        }
        let listed = schema::schema()["oneOf"].as_array().unwrap().clone();
        assert!(listed.contains(&json!({ "$ref": format!("#/$defs/{own}") })));
    }
}

/// The check would not pass anything.
#[test]
fn another_report_is_not_as_the_schema_says() {
    let sound = report(&desk(), &INVERT);
    let differs = |place: &str, value: Value| {
        let mut other = sound.clone();
        *other.pointer_mut(place).unwrap() = value;
        schema::check(&other, "invert").unwrap_err()
    };
    assert!(differs("/version", json!(2)).contains("version"));
    assert!(differs("/targets/1/loss", json!("small")).contains("targets[1].loss"));
    assert!(differs("/targets/0/limit", json!("sharp")).contains("limit"));
    assert!(differs("/totals/targets", json!(-1)).contains("totals.targets"));
    assert!(differs("/totals/statuses", json!({"x": 0.5})).contains("statuses.x"));
    assert!(differs("/totals", json!({})).contains("no"));
    let mut more = sound.clone();
    more["targets"][0]["extra"] = json!(1);
    let said = schema::check(&more, "invert").unwrap_err();
    assert!(
        said.contains("targets[0].extra is not in the schema"),
        "{said}"
    );
}
