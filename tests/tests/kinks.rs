//! Minima on kinks: planted ones known in closed form, and random piecewise quadratic problems
//! against a search over all cells.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use twolayer::{
    Evaluation, Inversion, LinearBackend, LogRatio, Loss, Objective, Scalar, SquaredError, Target,
    TwoLayer,
};
use twolayer::{LimitPoint, Solution, Solver, Status};
use twolayer_faer::Faer;
use twolayer_tests::for_each_backend;
use twolayer_tests::problems::rounded;

/// K kinks u = 0, u = Q x + s with Q orthogonal, that the minimiser lies on all of, and one unit
/// more that is on there: h = (u, Σu + 5K), z = p h_K + Σ qⱼ φ(uⱼ) over three outcomes.
struct PlantedKinks {
    kinks: usize,
    a1: Vec<f64>,
    bias1: Vec<f64>,
    a2: Vec<f64>,
    /// The logits at the minimiser.
    logits: [f64; 3],
    /// −Qᵀs.
    minimiser: Vec<f64>,
}

/// Orthonormal, and orthogonal to (1, 1, 1).
const E1: [f64; 3] = [
    std::f64::consts::FRAC_1_SQRT_2,
    -std::f64::consts::FRAC_1_SQRT_2,
    0.0,
];
const E2: [f64; 3] = [
    0.408_248_290_463_863,
    0.408_248_290_463_863,
    -0.816_496_580_927_726,
];

impl PlantedKinks {
    /// `gradient` (entries summing to 0) is that of the loss in the logits at the minimiser; there
    /// the loss rises by a[j] per unit of uⱼ to the negative side and by c[j] to the positive one.
    fn new(q: &[Vec<f64>], s: &[f64], a: f64, c: &[f64], bend: f64, gradient: [f64; 3]) -> Self {
        let kinks = s.len();
        let square: f64 = gradient.iter().map(|g| g * g).sum();
        // Orthogonal to the gradient and to (1, 1, 1): it bends the loss and does not tilt it.
        let across: Vec<f64> = {
            let along = |e: &[f64; 3]| e.iter().zip(&gradient).map(|(e, g)| e * g).sum::<f64>();
            let (g1, g2) = (along(&E1), along(&E2));
            (0..3)
                .map(|i| (g1 * E2[i] - g2 * E1[i]) / square.sqrt())
                .collect()
        };
        let vector = |slope: f64, bend: f64| -> Vec<f64> {
            (0..3)
                .map(|i| slope * gradient[i] / square + bend * across[i])
                .collect()
        };
        let p = vector(-a, bend);
        let columns: Vec<Vec<f64>> = c
            .iter()
            .enumerate()
            .map(|(j, &c)| vector(a + c, 0.3 * bend * (j as f64 - 1.0)))
            .collect();
        let mut a1: Vec<f64> = q.iter().flatten().copied().collect();
        let total: Vec<f64> = (0..kinks)
            .map(|i| q.iter().map(|row| row[i]).sum())
            .collect();
        a1.extend(&total);
        let on = 5.0 * kinks as f64;
        let mut bias1 = s.to_vec();
        bias1.push(s.iter().sum::<f64>() + on);
        let mut a2 = Vec::new();
        for (i, &p) in p.iter().enumerate() {
            a2.extend(columns.iter().map(|column| column[i]));
            a2.push(p);
        }
        Self {
            kinks,
            a1,
            bias1,
            a2,
            logits: [p[0] * on, p[1] * on, p[2] * on],
            minimiser: (0..kinks)
                .map(|i| -(0..kinks).map(|j| q[j][i] * s[j]).sum::<f64>())
                .collect(),
        }
    }

    fn network<B: LinearBackend>(&self, backend: &B) -> TwoLayer<B> {
        let (n, d) = (self.kinks + 1, self.kinks);
        let (mut a1, mut a2) = (backend.zeros(n, d), backend.zeros(3, n));
        backend.copy_from_row_major(&rounded(&self.a1), &mut a1);
        backend.copy_from_row_major(&rounded(&self.a2), &mut a2);
        let network = TwoLayer::new(backend.clone(), a1, a2).unwrap();
        let zeros = vec![B::Scalar::of(0.0); 3];
        network.with_biases(rounded(&self.bias1), zeros).unwrap()
    }

    /// Starts at u = offset, and expects the minimiser on all kinks. False where the solve found a
    /// lower point, where the last unit is off: the planted minimum is a local one.
    fn check<B: LinearBackend>(
        &self,
        network: &TwoLayer<B>,
        loss: &dyn Loss<B::Scalar>,
        b: [f64; 3],
        least: f64,
        offset: &[f64],
    ) -> bool {
        let target = Target::new(rounded(&b)).unwrap();
        let problem = Inversion::new(network, &target).unwrap().with_loss(loss);
        let start: Vec<f64> = (0..self.kinks)
            .map(|i| {
                let turned: f64 = (0..self.kinks)
                    .map(|j| self.a1[j * self.kinks + i] * offset[j])
                    .sum();
                self.minimiser[i] + turned
            })
            .collect();
        let solution = Solver::new()
            .with_warm_start(false)
            .solve(&problem, &rounded(&start))
            .unwrap();
        let Solution {
            x,
            status,
            pinned,
            limit,
            ..
        } = solution;
        let what = format!(
            "{} {status} {limit:?} pinned {pinned:?} loss {:e}, expected {least:e}",
            loss.name(),
            solution.loss
        );
        if status == Status::Stalled && B::Scalar::NAME == "f32" {
            // Between two kinks that are closer than single precision can tell steps apart; the
            // status says that it is no minimum.
            return false;
        }
        assert!(status.is_converged(), "{what}");
        let roundoff = B::Scalar::UNIT_ROUNDOFF.to_f64();
        let error = 1e3 * roundoff * (1.0 + least);
        if solution.loss.to_f64() < least - error {
            return false;
        }
        let mut pinned = pinned;
        pinned.sort_unstable();
        assert_eq!(pinned, (0..self.kinks).collect::<Vec<_>>(), "{what}");
        assert_eq!(limit, LimitPoint::AtKinks, "{what}");
        // A unit's h is a sum of a few terms of size ‖x‖ + 5K, and Q is orthogonal.
        let size = 1.0 + self.minimiser.iter().fold(0.0, |a: f64, x| a.max(x.abs()));
        for (x, expected) in x.iter().zip(&self.minimiser) {
            assert!(
                (x.to_f64() - expected).abs() <= 64.0 * roundoff * size,
                "{what}"
            );
        }
        assert!(solution.loss.to_f64() <= least + error, "{what}");
        true
    }
}

fn softmax(z: [f64; 3]) -> [f64; 3] {
    let e = z.map(f64::exp);
    let total: f64 = e.iter().sum();
    e.map(|e| e / total)
}

/// A product of plane rotations.
fn orthogonal(k: usize, angles: &[f64]) -> Vec<Vec<f64>> {
    let mut q: Vec<Vec<f64>> = (0..k)
        .map(|i| (0..k).map(|j| f64::from(u8::from(i == j))).collect())
        .collect();
    let mut angles = angles.iter();
    for i in 0..k {
        for j in i + 1..k {
            let (sine, cosine) = angles.next().unwrap_or(&0.7).sin_cos();
            for row in &mut q {
                let (u, w) = (row[i], row[j]);
                (row[i], row[j]) = (cosine * u + sine * w, cosine * w - sine * u);
            }
        }
    }
    q
}

fn planted<B: LinearBackend>(backend: &B) {
    let config = ProptestConfig {
        cases: 40,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0),
        ..ProptestConfig::default()
    };
    let slopes = proptest::collection::vec(0.2..1.0, 3);
    let vectors = proptest::collection::vec(-1.0..1.0, 9);
    let strategy = (1_usize..=3, 0.2..1.0, slopes, vectors, 0.1..0.9);
    proptest!(config, |((kinks, a, c, random, size) in strategy)| {
        let q = orthogonal(kinks, &random[..3]);
        let (s, offset) = (&random[3..3 + kinks], &random[6..6 + kinks]);

        // The log-ratios' gradient in the logits is the residual itself.
        let (r1, r2) = (size, 0.5 * random[0]);
        let r: [f64; 3] = [0, 1, 2].map(|i| r1 * E1[i] + r2 * E2[i]);
        let problem = PlantedKinks::new(&q, s, a, &c[..kinks], 1.0, r);
        let z = problem.logits;
        let b = softmax([z[0] - r[0], z[1] - r[1], z[2] - r[2]]);
        let least = 0.5 * r.iter().map(|r| r * r).sum::<f64>();
        // Smaller ones have no logarithm in f32.
        prop_assume!(b.iter().all(|&b| b > 1e-30));
        let network = problem.network(backend);
        prop_assume!(problem.check(&network, &LogRatio, b, least, offset));

        // The logits at the minimiser depend on the gradient, and that on them. Planted with one
        // gradient, p and so the logits are known; b is then found for it: with u = 2 f∘(r − fᵀr)
        // given, r = u/(2f) + σ, where Σr = 0 says what σ is.
        let g = [0, 1, 2].map(|i| 0.05 * (r1 * E1[i] + r2 * E2[i]));
        let problem = PlantedKinks::new(&q, s, 0.02 * a, &c[..kinks], 0.1, g);
        let f = softmax(problem.logits);
        let free = [0, 1, 2].map(|i| g[i] / (2.0 * f[i]));
        let mean = free.iter().sum::<f64>() / 3.0;
        let r = free.map(|r| r - mean);
        let b = [0, 1, 2].map(|i| f[i] - r[i]);
        // fᵀr must be the σ that was left out: it is, because Σu = 0 and Σf = 1.
        prop_assume!(b.iter().all(|&b| b > 1e-3));
        let least = r.iter().map(|r| r * r).sum::<f64>();
        let near: Vec<f64> = offset.iter().map(|u| 1e-2 * u).collect();
        let network = problem.network(backend);
        prop_assume!(problem.check(&network, &SquaredError, b, least, &near));
    });
}

for_each_backend!(planted);

/// A random problem ½‖P(A2 φ(A1 x + c1) − t)‖² over d = 2, n ≤ 10.
struct PiecewiseQuadratic {
    n: usize,
    m: usize,
    a1: Vec<f64>,
    bias1: Vec<f64>,
    a2: Vec<f64>,
    log_b: Vec<f64>,
}

impl PiecewiseQuadratic {
    fn centered(&self, mut z: Vec<f64>) -> Vec<f64> {
        let mean = z.iter().sum::<f64>() / self.m as f64;
        z.iter_mut().for_each(|z| *z -= mean);
        z
    }

    fn hidden(&self, x: [f64; 2]) -> Vec<f64> {
        (0..self.n)
            .map(|i| self.a1[2 * i] * x[0] + self.a1[2 * i + 1] * x[1] + self.bias1[i])
            .collect()
    }

    fn value(&self, x: [f64; 2]) -> f64 {
        let h = self.hidden(x);
        let z = (0..self.m)
            .map(|j| {
                (0..self.n)
                    .map(|i| self.a2[j * self.n + i] * h[i].max(0.0))
                    .sum::<f64>()
            })
            .zip(&self.log_b)
            .map(|(z, b)| z - b)
            .collect();
        0.5 * self.centered(z).iter().map(|r| r * r).sum::<f64>()
    }

    /// The least value over all faces of all cells, and where: each face's minimiser, if it lies on
    /// the face.
    fn least_over_all_cells(&self) -> (f64, [f64; 2]) {
        let mut least = (f64::INFINITY, [0.0; 2]);
        for pattern in 0_u32..1 << self.n {
            let on = |i: usize| pattern >> i & 1 == 1;
            // z = C x + e in the cell.
            let column = |of: &dyn Fn(usize) -> f64| -> Vec<f64> {
                let entries = (0..self.m).map(|j| {
                    let units = (0..self.n).filter(|&i| on(i));
                    units.map(|i| self.a2[j * self.n + i] * of(i)).sum::<f64>()
                });
                self.centered(entries.collect())
            };
            let c = [column(&|i| self.a1[2 * i]), column(&|i| self.a1[2 * i + 1])];
            let bias = column(&|i| self.bias1[i]);
            let log_b = self.centered(self.log_b.clone());
            let e: Vec<f64> = bias.iter().zip(&log_b).map(|(z, b)| z - b).collect();
            let mut offer = |x: Option<[f64; 2]>, held: &[usize]| {
                let Some(x) = x else { return };
                let h = self.hidden(x);
                let fits = (0..self.n)
                    .filter(|i| !held.contains(i))
                    .all(|i| (h[i] > 0.0) == on(i) || h[i].abs() < 1e-12);
                let value = self.value(x);
                if fits && value < least.0 {
                    least = (value, x);
                }
            };
            offer(least_squares(&c, &e), &[]);
            if pattern == 0 {
                // Constant here: any point will do.
                for k in 0..64 * 16 {
                    let (sine, cosine) = (f64::from(k % 64) * 0.098_174_770_424_681).sin_cos();
                    let radius = 0.05 * 2.0_f64.powi(k / 64);
                    offer(Some([radius * cosine, radius * sine]), &[]);
                }
            }
            for i in 0..self.n {
                let (u, v) = (self.a1[2 * i], self.a1[2 * i + 1]);
                let square = u * u + v * v;
                let foot = [-self.bias1[i] * u / square, -self.bias1[i] * v / square];
                offer(least_squares_on_line(&c, &e, foot, [-v, u]), &[i]);
                for j in 0..i {
                    let (p, q) = (self.a1[2 * j], self.a1[2 * j + 1]);
                    let determinant = u * q - v * p;
                    let x = [
                        (-self.bias1[i] * q + self.bias1[j] * v) / determinant,
                        (-self.bias1[j] * u + self.bias1[i] * p) / determinant,
                    ];
                    offer((determinant.abs() > 1e-9).then_some(x), &[i, j]);
                }
            }
        }
        least
    }
}

fn dot(u: &[f64], v: &[f64]) -> f64 {
    u.iter().zip(v).map(|(u, v)| u * v).sum()
}

/// argmin ‖C x + e‖², if it is unique.
fn least_squares(c: &[Vec<f64>; 2], e: &[f64]) -> Option<[f64; 2]> {
    let (p, q, r) = (dot(&c[0], &c[0]), dot(&c[0], &c[1]), dot(&c[1], &c[1]));
    let (u, v) = (-dot(&c[0], e), -dot(&c[1], e));
    let determinant = p * r - q * q;
    let unique = determinant > 1e-12 * (p * r).max(1e-300);
    unique.then(|| [(r * u - q * v) / determinant, (p * v - q * u) / determinant])
}

/// The same over the line foot + t along.
fn least_squares_on_line(
    c: &[Vec<f64>; 2],
    e: &[f64],
    foot: [f64; 2],
    along: [f64; 2],
) -> Option<[f64; 2]> {
    let (mut slope, mut bend) = (0.0, 0.0);
    for (j, e) in e.iter().enumerate() {
        let at_foot = c[0][j] * foot[0] + c[1][j] * foot[1] + e;
        let rate = c[0][j] * along[0] + c[1][j] * along[1];
        slope += at_foot * rate;
        bend += rate * rate;
    }
    let t = -slope / bend;
    (bend > 1e-12).then_some([foot[0] + t * along[0], foot[1] + t * along[1]])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, rng_seed: RngSeed::Fixed(0), ..ProptestConfig::default() })]

    /// No solve ends below the least value over all cells, one that starts nearby finds it, and every
    /// end that is called a minimum is one among its neighbours.
    #[test]
    fn random_problems_agree_with_all_cells(
        n in 3_usize..=10,
        random in proptest::collection::vec(-1.0..1.0_f64, 10 * 9 + 6),
    ) {
        let m = 6;
        let problem = PiecewiseQuadratic {
            n,
            m,
            a1: random[..2 * n].to_vec(),
            bias1: random[20..20 + n].to_vec(),
            a2: random[30..30 + m * n].iter().map(|v| 3.0 * v).collect(),
            log_b: {
                let z = &random[90..96];
                let total = z.iter().map(|z| (2.0 * z).exp()).sum::<f64>().ln();
                z.iter().map(|z| 2.0 * z - total).collect()
            },
        };
        let backend = Faer::<f64>::sequential();
        let (mut a1, mut a2) = (backend.zeros(n, 2), backend.zeros(m, n));
        backend.copy_from_row_major(&problem.a1, &mut a1);
        backend.copy_from_row_major(&problem.a2, &mut a2);
        let network = TwoLayer::new(backend, a1, a2).unwrap();
        let network = network.with_biases(problem.bias1.clone(), vec![0.0; m]).unwrap();
        let target = Target::new(problem.log_b.iter().map(|l| l.exp()).collect()).unwrap();
        let inversion = Inversion::new(&network, &target).unwrap().with_loss(&LogRatio);
        let (least, minimiser) = problem.least_over_all_cells();
        let mut lowest = f64::INFINITY;
        for k in 0..40 {
            // Half of the starts are spread, half lie beside the minimiser over all cells, which
            // may be far away.
            let (around, reach) = if k % 2 == 0 { ([0.0; 2], 3.0) } else { (minimiser, 1e-2) };
            let (sine, cosine) = ((1.7 * f64::from(k)).sin(), (2.9 * f64::from(k)).cos());
            let start = [around[0] + reach * sine, around[1] + reach * cosine];
            let solution = Solver::new().solve(&inversion, &start).unwrap();
            let value = problem.value([solution.x[0], solution.x[1]]);
            prop_assert!((value - solution.loss).abs() <= 1e-12 * (1.0 + value));
            prop_assert!(value >= least - 1e-12 * (1.0 + least), "{value} < {least}");
            prop_assert!(
                solution.status.is_converged() || solution.status == Status::Flat,
                "{} at {:?}", solution.status, solution.x
            );
            lowest = lowest.min(value);
            if solution.limit != LimitPoint::Undetermined {
                for turn in 0..64 {
                    let (sine, cosine) = (f64::from(turn) * 0.098_174_770_424_681).sin_cos();
                    let beside = [solution.x[0] + 1e-5 * cosine, solution.x[1] + 1e-5 * sine];
                    prop_assert!(problem.value(beside) >= value - 1e-13 * (1.0 + value));
                }
            }
        }
        prop_assert!(lowest <= least + 1e-10 * (1.0 + least), "{lowest} > {least}");
    }
}

/// Two units with one kink between them: their normals are dependent, and one pin holds both.
#[test]
fn a_minimum_on_two_kinks_at_once_is_held_by_one() {
    let backend = Faer::<f64>::sequential();
    let (mut a1, mut a2) = (backend.zeros(2, 1), backend.zeros(3, 2));
    backend.copy_from_row_major(&[1.0, -1.0], &mut a1);
    backend.copy_from_row_major(&[1.0, 0.0, 0.0, 1.0, 0.0, 0.0], &mut a2);
    let network = TwoLayer::new(backend, a1, a2).unwrap();
    // b asks for a smaller z₀ and z₁ than zero: x = 0 is the minimum, on both kinks at once.
    let target = Target::new(vec![0.2, 0.2, 0.6]).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let solution = Solver::new().solve(&problem, &[0.5]).unwrap();
    let mut at = problem.new_evaluation();
    problem.evaluate(&[0.0], &[], &mut at);
    assert!(solution.x[0].abs() < 1e-14, "{:?}", solution.x);
    assert!((solution.loss - at.value()).abs() < 1e-15);
    assert_eq!(solution.limit, LimitPoint::AtKinks);
}
