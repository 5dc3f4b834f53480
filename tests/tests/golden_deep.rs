//! Networks of any depth against 80-digit arithmetic, on every backend and precision.
//!
//! Tolerances: a unit carries an error of a few roundoffs of the sum of its terms' sizes, and layers multiply what the
//! one before carries by their norms; a first derivative is a sum of products of one more factor of each layer, a second of
//! two. With the product S of the layers' largest row sums, 8·(depth + 2)·u·S bounds them all, times 1, S and S².
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use serde::Deserialize;
use std::path::Path;
use twolayer::{
    ActivationName, DeepInversion, DeepNetwork, DenseHessian, Evaluation, HessianApprox,
    KullbackLeibler, LinearBackend, Loss, Objective, RowWeights, Scalar, SquaredError, Target,
};
use twolayer_tests::for_each_backend;
use twolayer_tests::golden::Expected;
use twolayer_tests::problems::rounded;

/// One network. Field names are those of the files.
#[derive(Debug, Deserialize)]
struct Golden {
    name: String,
    activations: Vec<String>,
    weights: Vec<Vec<Vec<f64>>>,
    biases: Vec<Vec<f64>>,
    b: Vec<f64>,
    x: Vec<f64>,
    logits: Vec<f64>,
    squared: Expected,
    kl: Expected,
}

fn all() -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden_deep");
    let files = std::fs::read_dir(folder).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let json = paths.filter(|path| path.extension().is_some_and(|end| end == "json"));
    json.map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
        .collect()
}

impl Golden {
    fn network<B: LinearBackend>(&self, backend: &B) -> DeepNetwork<B> {
        let matrix = |rows: &Vec<Vec<f64>>| {
            let mut matrix = backend.zeros(rows.len(), rows[0].len());
            backend.copy_from_row_major(&rounded(&rows.concat()), &mut matrix);
            matrix
        };
        let names = self.activations.iter().map(|name| name.parse().unwrap());
        let names: Vec<ActivationName> = names.collect();
        let weights = self.weights.iter().map(matrix).collect();
        let network = DeepNetwork::named(backend.clone(), weights, &names).unwrap();
        let biases = self.biases.iter().map(|bias| rounded(bias)).collect();
        network.with_biases(biases).unwrap()
    }

    /// S.
    fn steepness(&self) -> f64 {
        let largest = |rows: &Vec<Vec<f64>>| {
            let sums = rows
                .iter()
                .map(|row| row.iter().map(|w| w.abs()).sum::<f64>());
            sums.fold(1.0, f64::max)
        };
        self.weights.iter().map(largest).product()
    }
}

fn value_gradient_and_hessian_are_those_of_the_definition<B: LinearBackend>(backend: &B) {
    let problems = all();
    assert_eq!(problems.len(), 15);
    for golden in problems {
        let network = golden.network(backend);
        let target = Target::new(rounded::<B::Scalar>(&golden.b)).unwrap();
        let (d, size) = (golden.x.len(), golden.steepness());
        let depth = (golden.weights.len() + 2) as f64;
        let error = 8.0 * depth * B::Scalar::UNIT_ROUNDOFF.to_f64() * size;
        let losses: [(&dyn Loss<B::Scalar>, &Expected); 2] = [
            (&SquaredError, &golden.squared),
            (&KullbackLeibler, &golden.kl),
        ];
        for (loss, expected) in losses {
            let problem = DeepInversion::new(&network, &target)
                .unwrap()
                .with_loss(loss);
            let mut at = problem.new_evaluation();
            problem.evaluate(&rounded(&golden.x), &[], &mut at);
            problem.differentiate(&mut at);
            let close = |told: B::Scalar, known: f64, factor: f64, what: &str| {
                let apart = (told.to_f64() - known).abs();
                let name = format!("{} {} {what}", golden.name, loss.name());
                assert!(
                    apart <= error * factor,
                    "{name}: {told:e} {known:e}, {:e} allowed",
                    error * factor
                );
            };
            for (&z, &known) in at.logits().iter().zip(&golden.logits) {
                close(z, known, 1.0, "logits");
            }
            close(at.value(), expected.value, 1.0, "value");
            for (&g, &known) in at.gradient().iter().zip(&expected.gradient) {
                close(g, known, size, "gradient");
            }
            let mut hessian = DenseHessian::new(&problem, RowWeights::Exact);
            hessian.build(&problem, &at);
            for (row, known) in hessian.matrix().chunks_exact(d).zip(&expected.hessian) {
                for (&h, &known) in row.iter().zip(known) {
                    close(h, known, size * size, "Hessian");
                }
            }
        }
    }
}

for_each_backend!(value_gradient_and_hessian_are_those_of_the_definition);
