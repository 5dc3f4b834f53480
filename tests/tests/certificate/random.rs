//! Random small problems at random points, near stationary points and far from them.
//!
//! `CERTIFICATE_PROBLEMS=10000 cargo test --release -p twolayer-tests --test certificate` runs as
//! many as it says.

use crate::reference::{Big, Reference, Stationary, big, dot, norm, small, solve};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::collections::BTreeMap;
use twolayer::Solver;
use twolayer::{
    Inversion, KullbackLeibler, LinearBackend, Loss, Objective, Regularizer, SquaredError, Target,
    TwoLayer, reduce,
};
use twolayer_certificate::{Certificate, Certifier, Refusal, Verdict};
use twolayer_faer::Faer;
use twolayer_tests::problems::Planted;

/// A problem on a backend, and the same numbers in 240 bits.
pub(crate) struct Problem {
    network: TwoLayer<Faer<f64>>,
    target: Target<f64>,
    regularizer: Option<Regularizer<f64>>,
    kl: bool,
    pub(crate) reference: Reference,
}

fn normal(random: &mut impl Rng, count: usize, scale: f64) -> Vec<f64> {
    (0..count)
        .map(|_| scale * random.sample::<f64, _>(StandardNormal))
        .collect()
}

impl Problem {
    fn random(random: &mut ChaCha8Rng) -> Self {
        let d = random.random_range(1..=3);
        let n = random.random_range(2..=9);
        let least = if random.random_bool(0.1) { 1 } else { d + 1 };
        let m = random.random_range(least..=7);
        let scale = [0.5, 2.0, 6.0][random.random_range(0..3)];
        let mut a1 = normal(random, n * d, 1.0);
        let mut a2 = normal(random, m * n, scale / (n as f64).sqrt());
        let biased = random.random_bool(0.7);
        let mut c1 = normal(random, n, if biased { 0.5 } else { 0.0 });
        let c2 = normal(random, m, if biased { 0.5 } else { 0.0 });
        match random.random_range(0..8) {
            // An f32 network.
            0 => [&mut a1, &mut a2]
                .into_iter()
                .flatten()
                .for_each(|v| *v = f64::from(*v as f32)),
            // Two units with nearly the same kink.
            1 if n > 1 => {
                for j in 0..d {
                    a1[d + j] = a1[j] * (1.0 + 1e-9);
                }
                c1[1] = c1[0];
            }
            // A unit that is cut off, one that has no input.
            2 => {
                a2.iter_mut().step_by(n).for_each(|v| *v = 0.0);
                a1[(n - 1) * d..].fill(0.0);
            }
            _ => {}
        }
        let b = match random.random_range(0..3) {
            0 => {
                let mut b = vec![0.0; m];
                b[random.random_range(0..m)] = 1.0;
                b
            }
            _ => {
                let weights: Vec<f64> = normal(random, m, 1.5).iter().map(|v| v.exp()).collect();
                let total: f64 = weights.iter().sum();
                weights.iter().map(|v| v / total).collect()
            }
        };
        let w = match random.random_range(0..3) {
            0 => Vec::new(),
            1 => normal(random, m, 0.05),
            _ => normal(random, m, 1.0),
        };
        Self::new([a1, c1, a2, c2, b, w], random.random_bool(0.5))
    }

    /// A squared loss with a target out of reach, made so that x is stationary: ∇L = 2C̄ᵀ(f∘r) = 0
    /// for a residual r = f∘ξ with Σr = 0, ξ found by projection. It is as long as b ≥ 0 allows, and
    /// turned so that some bᵢ ≫ fᵢ: there β < 0, and many Hessians are indefinite.
    fn stationary_at(random: &mut ChaCha8Rng) -> Option<(Self, Vec<f64>)> {
        let d = random.random_range(1..=3);
        let (n, m) = (random.random_range(4..=9), random.random_range(d + 2..=8));
        let parts = [
            normal(random, n * d, 1.0),
            normal(random, n, 0.7),
            normal(random, m * n, 2.0 / (n as f64).sqrt()),
            normal(random, m, 0.5),
        ];
        let with = |b: Vec<f64>| {
            let [a1, c1, a2, c2] = parts.clone();
            Self::new([a1, c1, a2, c2, b, Vec::new()], false)
        };
        let x = normal(random, d, 1.0);
        let any = with(vec![1.0 / m as f64; m]);
        let problem = any.inversion();
        let mut at = problem.new_evaluation();
        problem.evaluate(&x, &[], &mut at);
        let f = at.probabilities().to_vec();
        // The rows that ξ is to be orthogonal to: f∘f∘C̄ and f.
        let mut rows = vec![f.clone()];
        for j in 0..d {
            let (mut unit, mut column) = (vec![0.0; d], vec![0.0; m]);
            unit[j] = 1.0;
            let active = &at.forward_pass().active;
            any.network
                .jacobian_vec(active, &unit, &mut Default::default(), &mut column);
            let mean = reduce::dot(&f, &column);
            rows.push(
                f.iter()
                    .zip(&column)
                    .map(|(f, c)| f * f * (c - mean))
                    .collect(),
            );
        }
        let bigs = |v: &[f64]| -> Vec<Big> { v.iter().map(|&v| big(v)).collect() };
        let rows: Vec<Vec<Big>> = rows.iter().map(|row| bigs(row)).collect();
        let r = bigs(&normal(random, m, 1.0));
        let gram = rows
            .iter()
            .map(|a| rows.iter().map(|b| dot(a, b)).collect())
            .collect();
        let along = solve(gram, rows.iter().map(|row| dot(row, &r)).collect())?;
        let part = |i: usize| {
            let inside = rows
                .iter()
                .zip(&along)
                .fold(big(0.0), |sum, (row, a)| sum + &row[i] * a);
            small(&(&r[i] - inside))
        };
        let mut xi: Vec<f64> = (0..m).map(part).collect();
        let largest = |xi: &[f64]| xi.iter().copied().fold(0.0, f64::max);
        let turned: Vec<f64> = xi.iter().map(|v| -v).collect();
        if largest(&xi) > largest(&turned) {
            xi = turned;
        }
        let length = 0.99 / largest(&xi);
        let b = f
            .iter()
            .zip(&xi)
            .map(|(f, xi)| (f - length * f * xi).max(0.0));
        let b = b.collect();
        Some((with(b), x))
    }

    /// From A1, c1, A2, c2, b and w.
    pub(crate) fn new([a1, c1, a2, c2, b, w]: [Vec<f64>; 6], kl: bool) -> Self {
        let (n, m) = (c1.len(), c2.len());
        let d = a1.len() / n;
        let bigs = |v: &[f64]| -> Vec<Big> { v.iter().map(|&v| big(v)).collect() };
        let reference = Reference {
            a1: a1.chunks(d).map(bigs).collect(),
            c1: bigs(&c1),
            a2: a2.chunks(n).map(bigs).collect(),
            c2: bigs(&c2),
            b: bigs(&b),
            omega: w.iter().map(|&w| big(w) * big(w)).collect(),
            kl,
        };
        let backend = Faer::<f64>::default();
        let load = |values: &[f64], rows, columns| {
            let mut matrix = backend.zeros(rows, columns);
            backend.copy_from_row_major(values, &mut matrix);
            matrix
        };
        let network = TwoLayer::new(backend.clone(), load(&a1, n, d), load(&a2, m, n))
            .and_then(|network| network.with_biases(c1, c2))
            .unwrap();
        Self {
            network,
            target: Target::new(b).unwrap(),
            regularizer: (!w.is_empty()).then(|| Regularizer::new(w).unwrap()),
            kl,
            reference,
        }
    }

    /// The numbers of a planted problem, with a target and weights of its own.
    pub(crate) fn planted(planted: &Planted, b: &[f64], w: &[f64], kl: bool) -> Self {
        let [a1, c1, a2, c2] = planted.weights().map(<[f64]>::to_vec);
        Self::new([a1, c1, a2, c2, b.to_vec(), w.to_vec()], kl)
    }

    pub(crate) fn inversion(&self) -> Inversion<'_, Faer<f64>> {
        let loss: &dyn Loss<f64> = if self.kl {
            &KullbackLeibler
        } else {
            &SquaredError
        };
        let problem = Inversion::new(&self.network, &self.target)
            .unwrap()
            .with_loss(loss);
        match &self.regularizer {
            Some(regularizer) => problem.with_regularizer(regularizer).unwrap(),
            None => problem,
        }
    }

    pub(crate) fn certify(&self, x: &[f64], polish: bool) -> Verdict {
        Certifier::new()
            .with_polish(polish)
            .certify(&self.inversion(), x)
            .unwrap()
    }

    fn inputs(&self) -> usize {
        self.network.inputs()
    }

    /// A point to be judged.
    fn point(&self, random: &mut ChaCha8Rng) -> Option<Vec<f64>> {
        let d = self.inputs();
        let scale = [0.3, 1.0, 3.0][random.random_range(0..3)];
        let start = normal(random, d, scale);
        let x = if random.random_bool(0.1) {
            start
        } else {
            Solver::new().solve(&self.inversion(), &start).ok()?.x
        };
        Some(shifted(random, x))
    }

    /// Everything that a certificate says. Returns the true stationary point.
    pub(crate) fn check(
        &self,
        x: &[f64],
        certificate: &Certificate,
        random: &mut ChaCha8Rng,
    ) -> Stationary {
        let found = self
            .reference
            .refine(&certificate.point, &certificate.kinks);
        let truth = found.unwrap_or_else(|| panic!("no stationary point: {certificate:?}"));
        let gap = |other: &[f64]| {
            let gap: Vec<Big> = truth
                .x
                .iter()
                .zip(other)
                .map(|(a, &b)| a - big(b))
                .collect();
            norm(&gap)
        };
        // The reference's own norms are rounded.
        let slack = 1.0 + 1e-14;
        assert!(
            gap(x) <= certificate.radius * slack,
            "radius: {certificate:?}"
        );
        assert!(
            gap(&certificate.point) <= certificate.point_radius * slack,
            "{certificate:?}"
        );
        assert_eq!(
            truth.negative, certificate.negative_directions,
            "{certificate:?}"
        );
        if certificate.kinks.is_empty() {
            let d = x.len() as f64;
            assert!(
                certificate.least_eigenvalue <= truth.least * d.sqrt() * (1.0 + 1e-3),
                "{certificate:?}"
            );
        }
        for (mu, v) in truth.multipliers.iter().zip(&truth.jumps) {
            assert!(*mu > big(0.0) && mu < v, "multiplier: {certificate:?}");
        }
        let value = self.reference.value(&truth.x);
        let [least, most] = certificate.loss.map(big);
        // Half of the digits of the reference are lost in a loss of 1e-40.
        let noise = big(1e-50);
        assert!(
            value >= &least - &noise && value <= &most + &noise,
            "loss: {certificate:?}"
        );
        if certificate.kinks.is_empty() && x.len() == 1 {
            // In one dimension T = |L″|^(−½) but for δ, and ω bounds |L‴| T³.
            let (second, third) = self.reference.second_and_third(certificate.point[0]);
            let bound = certificate.hessian_lipschitz * (1.0 + 3.0 * certificate.defect + 1e-9);
            assert!(
                third.abs() * second.abs().powf(-1.5) <= bound,
                "{certificate:?}"
            );
        }
        if certificate.is_minimum() {
            self.check_minimum(&truth, &value, certificate, random);
        }
        self.check_uniqueness(x, &truth, certificate, random);
        truth
    }

    /// The loss itself is higher all around, across the kinks that hold the point too.
    fn check_minimum(
        &self,
        truth: &Stationary,
        value: &Big,
        certificate: &Certificate,
        random: &mut ChaCha8Rng,
    ) {
        let reach = certificate.kink_distance.min(1.0);
        for _ in 0..4 {
            let direction = normal(random, truth.x.len(), 1e-9 * reach);
            let near: Vec<Big> = truth
                .x
                .iter()
                .zip(&direction)
                .map(|(x, &p)| x + big(p))
                .collect();
            assert!(
                self.reference.value(&near) > *value,
                "no minimum: {certificate:?}"
            );
        }
    }

    /// Newton's method from elsewhere in the ball ends at the same point or outside of it.
    fn check_uniqueness(
        &self,
        x: &[f64],
        truth: &Stationary,
        certificate: &Certificate,
        random: &mut ChaCha8Rng,
    ) {
        if !certificate.is_unique() {
            return;
        }
        for _ in 0..2 {
            let reach = certificate.unique_within / (x.len() as f64).sqrt();
            let shift = normal(random, x.len(), reach);
            let start: Vec<f64> = x.iter().zip(&shift).map(|(x, p)| x + p).collect();
            let Some(other) = self.reference.refine(&start, &certificate.kinks) else {
                continue;
            };
            let apart: Vec<Big> = other.x.iter().zip(&truth.x).map(|(a, b)| a - b).collect();
            let away: Vec<Big> = other.x.iter().zip(x).map(|(a, &b)| a - big(b)).collect();
            assert!(
                norm(&apart) < 1e-40 || norm(&away) > certificate.unique_within,
                "a second one: {certificate:?}"
            );
        }
    }
}

/// A point near x: itself, rounded to single precision, or some way off.
fn shifted(random: &mut ChaCha8Rng, mut x: Vec<f64>) -> Vec<f64> {
    match random.random_range(0..3) {
        0 => {}
        1 => x.iter_mut().for_each(|x| *x = f64::from(*x as f32)),
        _ => {
            let size = 10.0_f64.powf(random.random_range(-16.0..-0.5)) * reduce::norm(&x);
            let shift = normal(random, x.len(), size);
            reduce::axpy(1.0, &shift, &mut x);
        }
    }
    x
}

/// Counts what came out, by name.
#[derive(Debug, Default)]
struct Counts(BTreeMap<String, usize>);

impl Counts {
    fn add(&mut self, name: impl Into<String>) {
        *self.0.entry(name.into()).or_default() += 1;
    }

    fn get(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or(0)
    }
}

#[test]
fn no_certificate_is_false() {
    let problems = std::env::var("CERTIFICATE_PROBLEMS").ok();
    let problems: u64 = problems.and_then(|n| n.parse().ok()).unwrap_or(300);
    let mut counts = Counts::default();
    for seed in 0..problems {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (problem, x) = if random.random_bool(0.3) {
            let Some((problem, x)) = Problem::stationary_at(&mut random) else {
                counts.add("no point");
                continue;
            };
            (problem, shifted(&mut random, x))
        } else {
            let problem = Problem::random(&mut random);
            let Some(x) = problem.point(&mut random) else {
                counts.add("no point");
                continue;
            };
            (problem, x)
        };
        let polish = random.random_bool(0.6);
        match problem.certify(&x, polish) {
            Verdict::Certified(certificate) => {
                problem.check(&x, &certificate, &mut random);
                counts.add(certificate.kind());
                counts.add(if polish { "polished" } else { "as given" });
                if !certificate.kinks.is_empty() {
                    counts.add("at kinks");
                }
                if certificate.kappa > 1e-3 {
                    counts.add("kappa above 1e-3");
                }
            }
            Verdict::Refused(refusal) => {
                assert!(!matches!(refusal, Refusal::UnknownLoss { .. }));
                counts.add(format!("refused: {}", refusal.name()));
            }
        }
    }
    println!("{problems} problems: {:#?}", counts.0);
    // Each way is there in numbers, or the test says nothing.
    let share = |name| counts.get(name) as f64 / problems as f64;
    for (name, least) in [
        ("minimum", 0.1),
        ("saddle", 0.01),
        ("at kinks", 0.01),
        ("as given", 0.05),
        ("polished", 0.1),
        ("kappa above 1e-3", 0.005),
        ("refused: rough", 0.02),
        ("refused: singular", 0.02),
    ] {
        assert!(share(name) >= least, "only {} {name}", counts.get(name));
    }
}
