//! What the tests across backends share.

pub mod cells;
pub mod deep;
pub mod detector;
pub mod generators;
pub mod golden;
pub mod mutation;
pub mod problems;

use twolayer::{
    Curvature, Inversion, InversionPoint, LinearBackend, ProductScratch, RowStructured, RowWeights,
};

/// Makes six tests of a function `fn check<B: LinearBackend>(backend: &B)`: three backends in two
/// precisions.
#[macro_export]
macro_rules! for_each_backend {
    ($check:ident) => {
        #[test]
        fn faer_f64() {
            $check(&twolayer_faer::Faer::<f64>::default());
        }
        #[test]
        fn faer_f32() {
            $check(&twolayer_faer::Faer::<f32>::default());
        }
        #[test]
        fn nalgebra_f64() {
            $check(&twolayer_nalgebra::Nalgebra::<f64>::default());
        }
        #[test]
        fn nalgebra_f32() {
            $check(&twolayer_nalgebra::Nalgebra::<f32>::default());
        }
        #[test]
        fn ndarray_f64() {
            $check(&twolayer_ndarray::Ndarray::<f64>::default());
        }
        #[test]
        fn ndarray_f32() {
            $check(&twolayer_ndarray::Ndarray::<f32>::default());
        }
    };
}

/// The README's examples, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// Those of the page on the library.
#[cfg(doctest)]
#[doc = include_str!("../../docs/library.md")]
pub struct Library;

/// product = H v for the Hessian with the given row weights.
pub fn hessian_vec<B: LinearBackend>(
    problem: &Inversion<'_, B>,
    at: &InversionPoint<B::Scalar>,
    kind: RowWeights,
    v: &[B::Scalar],
    product: &mut [B::Scalar],
) {
    let mut curvature = Curvature::new(problem.rows());
    problem.curvature(at, kind, &mut curvature);
    problem.hessian_vec(at, &curvature, v, &mut ProductScratch::default(), product);
}
