//! Everything about C on a network of small integers, where no product rounds.

use super::*;
use crate::{KullbackLeibler, Loss, Nearness, Regularizer, SquaredError, Target, TwoLayer};
use twolayer_core::{Evaluation, Objective};
use twolayer_faer::Faer;

const A1: [f64; 8] = [1.0, 2.0, -1.0, 1.0, 3.0, -1.0, -2.0, -2.0];
const A2: [f64; 12] = [
    2.0, -1.0, 1.0, 5.0, 0.0, 1.0, -2.0, 4.0, -1.0, 3.0, 1.0, 7.0,
];
/// h = (5, 1, 1, −6): the last unit is off.
const X: [f64; 2] = [1.0, 2.0];
const ACTIVE: [usize; 3] = [0, 1, 2];

type Problem<'a> = Inversion<'a, Faer<f64>>;

fn matrix(values: &[f64], rows: usize) -> <Faer<f64> as LinearBackend>::Matrix {
    let backend = Faer::<f64>::sequential();
    let mut matrix = backend.zeros(rows, values.len() / rows);
    backend.copy_from_row_major(values, &mut matrix);
    matrix
}

fn entries(matrix: &<Faer<f64> as LinearBackend>::Matrix) -> Vec<f64> {
    let backend = Faer::<f64>::sequential();
    let mut values = vec![0.0; backend.nrows(matrix) * backend.ncols(matrix)];
    backend.copy_to_row_major(matrix, &mut values);
    values
}

/// C (3×2), unit by unit.
fn c(active: &[usize]) -> Vec<f64> {
    let entry = |at: usize| {
        let (i, j) = (at / 2, at % 2);
        active.iter().map(|&l| A2[4 * i + l] * A1[2 * l + j]).sum()
    };
    (0..6).map(entry).collect()
}

fn product(c: &[f64], v: &[f64]) -> Vec<f64> {
    c.chunks(2)
        .map(|row| row[0] * v[0] + row[1] * v[1])
        .collect()
}

fn transposed(c: &[f64], y: &[f64]) -> Vec<f64> {
    (0..2)
        .map(|j| (0..3).map(|i| c[2 * i + j] * y[i]).sum())
        .collect()
}

fn with(
    loss: &dyn Loss<f64>,
    weights: Option<Vec<f64>>,
    test: impl FnOnce(&Problem<'_>, InversionPoint<f64>),
) {
    let backend = Faer::<f64>::sequential();
    let network = TwoLayer::new(backend, matrix(&A1, 4), matrix(&A2, 3)).unwrap();
    let target = Target::new(vec![0.5, 0.25, 0.25]).unwrap();
    let mut problem = Inversion::new(&network, &target).unwrap().with_loss(loss);
    let regularizer = weights.map(|w| Regularizer::new(w).unwrap());
    if let Some(regularizer) = &regularizer {
        problem = problem.with_regularizer(regularizer).unwrap();
    }
    let mut at = problem.new_evaluation();
    problem.evaluate(&X, &[], &mut at);
    problem.differentiate(&mut at);
    test(&problem, at);
}

#[test]
fn products_with_c_and_its_rows_are_those_of_its_entries() {
    with(&SquaredError, None, |problem, mut at| {
        let c = c(&ACTIVE);
        let (backend, mut workspace) = (problem.backend(), Default::default());
        let mut scratch = ProductScratch::default();
        let mut whole = backend.zeros(3, 2);
        problem.jacobian(&at, &mut whole, &mut workspace);
        assert_eq!((problem.rows(), entries(&whole)), (3, c.clone()));
        let mut rows = backend.zeros(2, 2);
        problem.jacobian_rows(&at, &[2, 0], &mut rows, &mut workspace);
        assert_eq!(entries(&rows), [c[4], c[5], c[0], c[1]]);
        let (v, y) = ([3.0, -1.0], [1.0, -2.0, 4.0]);
        let mut image = [7.0; 3];
        problem.jacobian_vec(&at, &v, &mut scratch, &mut image);
        assert_eq!(image.to_vec(), product(&c, &v));
        let mut back = [7.0; 2];
        problem.jacobian_transposed_vec(&at, &y, &mut scratch, &mut back);
        assert_eq!(back.to_vec(), transposed(&c, &y));
        let gradient = at.gradient().to_vec();
        back = [7.0; 2];
        at.gradient.fill(7.0);
        at.row_gradient.fill(7.0);
        problem.differentiate_with(&mut at, &y, &mut scratch, &mut back);
        assert_eq!(back.to_vec(), transposed(&c, &y));
        // Two vectors at a time may round otherwise than one.
        let near = |a: &[f64], b: &[f64]| {
            a.iter()
                .zip(b)
                .all(|(a, b)| (a - b).abs() <= 1e-15 * b.abs())
        };
        assert!(near(at.gradient(), &gradient));
        assert!(near(&transposed(&c, problem.row_gradient(&at)), &gradient));
        assert_eq!(problem.cell(&at), Some(&[true, true, true, false][..]));
    });
}

#[test]
fn the_hessian_is_that_of_its_centre_and_weights() {
    for weights in [None, Some(vec![2.0, 1.0, 0.5])] {
        with(&KullbackLeibler, weights.clone(), |problem, at| {
            let c = c(&ACTIVE);
            let mut curvature = Curvature::new(3);
            // Those of another problem are gone.
            curvature.uncentered_weights = vec![9.0; 5];
            problem.curvature(&at, RowWeights::Exact, &mut curvature);
            let squares = weights.map_or(vec![], |w| w.iter().map(|w| w * w).collect());
            assert_eq!(curvature.uncentered_weights, squares);
            assert_eq!(curvature.center, at.probabilities());
            let v = [3.0, -1.0];
            let (image, mut slope) = (product(&c, &v), vec![0.0; 3]);
            curvature.row_product(&image, &mut slope);
            let mut found = [7.0; 2];
            problem.hessian_vec(
                &at,
                &curvature,
                &v,
                &mut ProductScratch::default(),
                &mut found,
            );
            // A slope is not a small integer: each of three terms is rounded.
            for (found, expected) in found.iter().zip(transposed(&c, &slope)) {
                let size: f64 = slope.iter().map(|s| 20.0 * s.abs()).sum();
                assert!((found - expected).abs() <= 4.0 * f64::EPSILON * size);
            }
        });
    }
}

/// The regulariser's part of the slope in u is w² u.
#[test]
fn the_gradient_has_the_regularisers_part() {
    let slopes = |weights: Option<Vec<f64>>| {
        let mut slopes = Vec::new();
        with(&SquaredError, weights, |problem, at| {
            slopes = problem.row_gradient(&at).to_vec();
            slopes.extend(&at.pass.products);
        });
        slopes
    };
    let (plain, heavy) = (slopes(None), slopes(Some(vec![2.0, 1.0, 0.5])));
    for (i, square) in [4.0, 1.0, 0.25].into_iter().enumerate() {
        let expected = plain[i] + square * plain[3 + i];
        assert!((heavy[i] - expected).abs() <= 1e-15 * expected.abs());
    }
}

#[test]
fn c_gains_a_column_by_its_row_where_a_kink_is_crossed() {
    with(&SquaredError, None, |problem, at| {
        let (backend, mut workspace) = (problem.backend(), Default::default());
        let mut whole = backend.zeros(3, 2);
        problem.jacobian(&at, &mut whole, &mut workspace);
        problem.cross_kinks(&[1, 3], &[-1.0, 1.0], &mut whole, &mut workspace);
        assert_eq!(entries(&whole), c(&[0, 2, 3]));
    });
}

/// S A2 is made where S is new, or of another shape, and kept where it is not.
#[test]
fn combined_rows_are_those_of_s_times_c() {
    with(&SquaredError, None, |problem, at| {
        let c = c(&ACTIVE);
        let (backend, mut workspace) = (problem.backend(), Default::default());
        let mut kept = None;
        let mut combined = |buckets: [usize; 3], factors: [f64; 3], rows: usize, is_new: bool| {
            let combination = RowCombination {
                buckets: &buckets,
                factors: &factors,
                is_new,
            };
            let mut result = backend.zeros(rows, 2);
            problem.combined_jacobian(&at, &combination, &mut kept, &mut result, &mut workspace);
            entries(&result)
        };
        let sum = |p: f64, i: usize, q: f64, l: usize| {
            [
                p * c[2 * i] + q * c[2 * l],
                p * c[2 * i + 1] + q * c[2 * l + 1],
            ]
        };
        let first = [sum(1.0, 0, 2.0, 2), sum(-1.0, 1, 0.0, 0)].concat();
        // Missing, and so made though S is said to be old.
        assert_eq!(combined([0, 1, 0], [1.0, -1.0, 2.0], 2, false), first);
        assert_eq!(combined([1, 1, 1], [5.0, 5.0, 5.0], 2, false), first);
        let second = [sum(3.0, 1, 0.0, 0), sum(1.0, 0, 1.0, 2)].concat();
        assert_eq!(combined([1, 0, 1], [1.0, 3.0, 1.0], 2, true), second);
        let third = [
            sum(1.0, 0, 0.0, 0),
            sum(1.0, 1, 0.0, 0),
            sum(1.0, 2, 0.0, 0),
        ]
        .concat();
        assert_eq!(combined([0, 1, 2], [1.0, 1.0, 1.0], 3, true), third);
    });
}

#[test]
fn a_product_with_a_matrix_is_one_with_each_column() {
    with(&SquaredError, None, |problem, at| {
        let c = c(&ACTIVE);
        let (backend, mut workspace) = (problem.backend(), Default::default());
        let mut hidden = None;
        for columns in [vec![vec![3.0, -1.0]], vec![vec![1.0, 0.0], vec![2.0, 5.0]]] {
            let q = columns.len();
            let values: Vec<f64> = (0..2)
                .flat_map(|j| columns.iter().map(move |v| v[j]))
                .collect();
            let mut result = backend.zeros(3, q);
            let v = matrix(&values, 2);
            problem.jacobian_matrix_product(&at, &v, &mut hidden, &mut result, &mut workspace);
            for (l, v) in columns.iter().enumerate() {
                let column: Vec<f64> = entries(&result)
                    .iter()
                    .skip(l)
                    .step_by(q)
                    .copied()
                    .collect();
                assert_eq!(column, product(&c, v));
            }
        }
    });
}

#[test]
fn a_matrix_is_kept_where_its_shape_fits() {
    let backend = Faer::<f64>::sequential();
    let mut place = Some(matrix(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2));
    assert_eq!(
        entries(of_shape(&backend, 2, 3, &mut place)),
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    );
    for (rows, columns) in [(3, 3), (2, 2), (1, 1)] {
        let anew = of_shape(&backend, rows, columns, &mut place);
        assert_eq!((backend.nrows(anew), backend.ncols(anew)), (rows, columns));
    }
    assert_eq!(entries(of_shape(&backend, 1, 2, &mut None)), [0.0, 0.0]);
}

/// With a distance C has the identity below it, in all forms.
#[test]
fn a_distance_adds_the_rows_of_the_identity() {
    with(&SquaredError, None, |problem, _| {
        let nearness = Nearness::with_scales(vec![0.0, 1.0], 0.5, vec![2.0, 1.0]).unwrap();
        let problem = problem.clone().with_nearness(&nearness).unwrap();
        let mut at = problem.new_evaluation();
        problem.evaluate(&X, &[], &mut at);
        problem.differentiate(&mut at);
        let c = [c(&ACTIVE), vec![1.0, 0.0, 0.0, 1.0]].concat();
        let row = |i: usize| [c[2 * i], c[2 * i + 1]];
        let backend = problem.backend();
        let (mut workspace, mut scratch) = (Default::default(), ProductScratch::default());
        let mut whole = backend.zeros(5, 2);
        problem.jacobian(&at, &mut whole, &mut workspace);
        assert_eq!((problem.rows(), entries(&whole)), (5, c.clone()));
        let mut rows = backend.zeros(3, 2);
        problem.jacobian_rows(&at, &[4, 1, 3], &mut rows, &mut workspace);
        assert_eq!(entries(&rows), [row(4), row(1), row(3)].concat());
        let (v, y) = ([3.0, -1.0], [1.0, -2.0, 4.0, 5.0, 6.0]);
        let mut image = [7.0; 5];
        problem.jacobian_vec(&at, &v, &mut scratch, &mut image);
        assert_eq!(image.to_vec(), product(&c, &v));
        let expected: Vec<f64> = (0..2)
            .map(|j| (0..5).map(|i| c[2 * i + j] * y[i]).sum())
            .collect();
        let mut back = [7.0; 2];
        problem.jacobian_transposed_vec(&at, &y, &mut scratch, &mut back);
        assert_eq!(back.to_vec(), expected);
        let gradient = at.gradient().to_vec();
        problem.differentiate_with(&mut at, &y, &mut scratch, &mut back);
        assert_eq!(
            (back.to_vec(), at.gradient().to_vec()),
            (expected, gradient)
        );
        // μ D²(x − x_ref) = (2, ½)∘(1, 1).
        assert_eq!(problem.row_gradient(&at)[3..], [2.0, 0.5]);
        let mut curvature = Curvature::new(5);
        problem.curvature(&at, RowWeights::Exact, &mut curvature);
        assert_eq!(curvature.uncentered_weights, [0.0, 0.0, 0.0, 2.0, 0.5]);
        assert_eq!(curvature.row_weights[3..], [0.0, 0.0]);
        assert_eq!(problem.cell(&at), None);
        let combination = RowCombination {
            buckets: &[0, 1, 0, 1, 0],
            factors: &[1.0, -1.0, 2.0, 3.0, -5.0],
            is_new: true,
        };
        let mut combined = backend.zeros(2, 2);
        problem.combined_jacobian(&at, &combination, &mut None, &mut combined, &mut workspace);
        let terms = |bucket: usize, j: usize| -> f64 {
            let all = (0..5).filter(|&i| combination.buckets[i] == bucket);
            all.map(|i| combination.factors[i] * c[2 * i + j]).sum()
        };
        let expected = [terms(0, 0), terms(0, 1), terms(1, 0), terms(1, 1)];
        assert_eq!(entries(&combined), expected);
        let (v, mut result) = (matrix(&[3.0, -1.0], 2), backend.zeros(5, 1));
        problem.jacobian_matrix_product(&at, &v, &mut None, &mut result, &mut workspace);
        assert_eq!(entries(&result), product(&c, &[3.0, -1.0]));
    });
}
