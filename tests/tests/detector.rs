//! The main job on a trained network: 45 real outputs of the language detector and 45 others,
//! inverted from the mean of its inputs in f64 on every backend.

use twolayer::{Inversion, KullbackLeibler, LinearBackend, Loss, SquaredError, Target};
use twolayer::{Solution, Solver, Status};
use twolayer_faer::Faer;
use twolayer_nalgebra::Nalgebra;
use twolayer_ndarray::Ndarray;
use twolayer_tests::detector::Detector;

fn solve_all<B: LinearBackend<Scalar = f64>>(
    backend: &B,
    file: &str,
    loss: &dyn Loss<f64>,
) -> Vec<Solution<f64>> {
    let detector = Detector::read(file).unwrap();
    let network = detector.network(backend).unwrap();
    detector
        .targets()
        .map(|b| {
            let target = Target::new(b.to_vec()).unwrap();
            let problem = Inversion::new(&network, &target).unwrap().with_loss(loss);
            Solver::new().solve(&problem, &detector.start).unwrap()
        })
        .collect()
}

fn reached(solutions: &[Solution<f64>], bound: f64) -> usize {
    solutions.iter().filter(|s| s.loss <= bound).count()
}

/// The bounds are those that the project promises, not those that it happens to reach.
fn check<B: LinearBackend<Scalar = f64>>(backend: &B) {
    for file in ["cld3.npz", "cld3_other.npz"] {
        let squared = solve_all(backend, file, &SquaredError);
        assert_eq!(squared.len(), 45);
        assert_eq!(reached(&squared, 1e-12), 45, "{file}");
        assert!(reached(&squared, 1e-20) >= 40, "{file}");
        for (k, solution) in squared.iter().enumerate() {
            assert_eq!(solution.status, Status::PerfectFit, "{file}, target {k}");
        }
        let divergence = solve_all(backend, file, &KullbackLeibler);
        assert!(reached(&divergence, 1e-12) >= 30, "{file}");
        assert!(divergence.iter().all(|s| s.status.is_converged()), "{file}");
    }
}

#[test]
fn faer() {
    check(&Faer::default());
}

#[test]
fn nalgebra() {
    check(&Nalgebra::default());
}

#[test]
fn ndarray() {
    check(&Ndarray::default());
}
