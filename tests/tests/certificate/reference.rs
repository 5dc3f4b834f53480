//! Stationary points by Newton's method in 240-bit arithmetic, from other formulas than the
//! certificate's: the paper's diagonal plus rank two, nothing centred, no scaling.

#![allow(clippy::needless_range_loop, reason = "matrices by their indices")]

use dashu_float::{FBig, round::mode::HalfEven};

/// 240 bits.
pub(crate) type Big = FBig<HalfEven, 2>;
const BITS: usize = 240;

/// A number, exactly.
pub(crate) fn big(value: f64) -> Big {
    Big::try_from(value).unwrap().with_precision(BITS).value()
}

/// Rounded.
pub(crate) fn small(value: &Big) -> f64 {
    value.to_f64().value()
}

pub(crate) fn dot(a: &[Big], b: &[Big]) -> Big {
    a.iter().zip(b).fold(big(0.0), |sum, (a, b)| sum + a * b)
}

pub(crate) fn norm(a: &[Big]) -> f64 {
    let largest = a.iter().map(|v| small(v).abs()).fold(0.0, f64::max);
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    let scale = big(largest);
    let scaled: Vec<Big> = a.iter().map(|v| v / &scale).collect();
    largest * small(&dot(&scaled, &scaled)).sqrt()
}

/// The numbers of a problem, and its losses.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) a1: Vec<Vec<Big>>,
    pub(crate) c1: Vec<Big>,
    pub(crate) a2: Vec<Vec<Big>>,
    pub(crate) c2: Vec<Big>,
    pub(crate) b: Vec<Big>,
    /// w².
    pub(crate) omega: Vec<Big>,
    pub(crate) kl: bool,
}

/// A stationary point on the kinks of some units.
#[derive(Debug, Clone)]
pub(crate) struct Stationary {
    pub(crate) x: Vec<Big>,
    pub(crate) multipliers: Vec<Big>,
    /// v: the slope of the loss in φ(h) of each of those units.
    pub(crate) jumps: Vec<Big>,
    /// Negative eigenvalues of the Hessian along the kinks.
    pub(crate) negative: usize,
    /// 1/‖H⁻¹‖_F, where no unit is held: at most |λ|_min, and at least |λ|_min/√d.
    pub(crate) least: f64,
    /// The least |h| of the other units.
    pub(crate) kink: f64,
}

impl Reference {
    pub(crate) fn hidden(&self, x: &[Big]) -> Vec<Big> {
        self.a1
            .iter()
            .zip(&self.c1)
            .map(|(row, c)| dot(row, x) + c)
            .collect()
    }

    fn outputs(&self, hidden: &[Big], on: &[bool]) -> (Vec<Big>, Vec<Big>) {
        let a: Vec<Big> = hidden
            .iter()
            .zip(on)
            .map(|(h, &on)| if on { h.clone() } else { big(0.0) })
            .collect();
        let u: Vec<Big> = self.a2.iter().map(|row| dot(row, &a)).collect();
        let z: Vec<Big> = u.iter().zip(&self.c2).map(|(u, c)| u + c).collect();
        let most = z.iter().max().unwrap().clone();
        let powers: Vec<Big> = z.iter().map(|z| (z - &most).exp()).collect();
        let total = powers.iter().fold(big(0.0), |sum, p| sum + p);
        (u, powers.iter().map(|p| p / &total).collect())
    }

    /// The loss itself, ReLUs and all.
    pub(crate) fn value(&self, x: &[Big]) -> Big {
        let hidden = self.hidden(x);
        let on: Vec<bool> = hidden.iter().map(|h| *h > big(0.0)).collect();
        let (u, f) = self.outputs(&hidden, &on);
        let mut value = big(0.0);
        for (f, b) in f.iter().zip(&self.b) {
            if !self.kl {
                value += (f - b) * (f - b);
            } else if *b == big(0.0) {
                value += f;
            } else {
                value += b * (b / f).ln() - b + f;
            }
        }
        for (omega, u) in self.omega.iter().zip(&u) {
            value += omega * u * u * big(0.5);
        }
        value
    }

    /// Gradient of the Lagrangian in (x, μ), its Hessian K, and v.
    fn derivatives(
        &self,
        x: &[Big],
        mu: &[Big],
        held: &[usize],
        on: &[bool],
    ) -> (Vec<Big>, Vec<Vec<Big>>, Vec<Big>) {
        let (d, m) = (x.len(), self.b.len());
        let hidden = self.hidden(x);
        let (u, f) = self.outputs(&hidden, on);
        let r: Vec<Big> = f.iter().zip(&self.b).map(|(f, b)| f - b).collect();
        let two = big(2.0);
        // ∇_z and B in the logits.
        let mut q = Vec::new();
        let mut curvature = vec![vec![big(0.0); m]; m];
        let jacobian = |i: usize, j: usize| {
            let product = &f[i] * &f[j];
            if i == j { &f[i] - product } else { -product }
        };
        let total = self.b.iter().fold(big(0.0), |sum, b| sum + b);
        let sigma = dot(&f, &r);
        for i in 0..m {
            let mut slope = big(0.0);
            for j in 0..m {
                slope += jacobian(i, j) * &r[j];
                let entry = if self.kl {
                    &total * jacobian(i, j)
                } else {
                    let mut square = big(0.0);
                    for l in 0..m {
                        square += jacobian(i, l) * jacobian(l, j);
                    }
                    let rank = &f[i] * &r[i] * &f[j] + &f[i] * &f[j] * &r[j];
                    let mut entry = square - rank + &two * &sigma * &f[i] * &f[j];
                    if i == j {
                        entry += &f[i] * &r[i] - &sigma * &f[i];
                    }
                    &two * entry
                };
                curvature[i][j] = entry;
            }
            q.push(if self.kl {
                &f[i] * &total - &self.b[i]
            } else {
                &two * slope
            });
        }
        for (i, omega) in self.omega.iter().enumerate() {
            q[i] += omega * &u[i];
            curvature[i][i] += omega;
        }
        let c: Vec<Vec<Big>> = (0..m)
            .map(|i| {
                (0..d)
                    .map(|j| {
                        let units = (0..on.len()).filter(|&l| on[l]);
                        units.fold(big(0.0), |sum, l| sum + &self.a2[i][l] * &self.a1[l][j])
                    })
                    .collect()
            })
            .collect();
        let n = d + held.len();
        let mut gradient = vec![big(0.0); n];
        let mut k = vec![vec![big(0.0); n]; n];
        for j in 0..d {
            for i in 0..m {
                gradient[j] += &c[i][j] * &q[i];
            }
            for l in 0..d {
                for i in 0..m {
                    for o in 0..m {
                        k[j][l] += &c[i][j] * &curvature[i][o] * &c[o][l];
                    }
                }
            }
        }
        for (index, &unit) in held.iter().enumerate() {
            gradient[d + index] = hidden[unit].clone();
            for j in 0..d {
                gradient[j] += &mu[index] * &self.a1[unit][j];
                k[j][d + index] = self.a1[unit][j].clone();
                k[d + index][j] = self.a1[unit][j].clone();
            }
        }
        let jump = |&unit: &usize| (0..m).fold(big(0.0), |sum, i| sum + &self.a2[i][unit] * &q[i]);
        (gradient, k, held.iter().map(jump).collect())
    }

    /// The second and the third derivative of a problem of one unknown, the latter by differences.
    pub(crate) fn second_and_third(&self, x: f64) -> (f64, f64) {
        let second = |shift: f64| {
            let x = vec![big(x) + big(shift)];
            let hidden = self.hidden(&x);
            let on: Vec<bool> = hidden.iter().map(|h| *h > big(0.0)).collect();
            self.derivatives(&x, &[], &[], &on).1[0][0].clone()
        };
        let step = 1e-25;
        let third = (second(step) - second(-step)) / (big(2.0) * big(step));
        (small(&second(0.0)), small(&third))
    }

    /// Newton's method from x, held on the kinks of some units; `None` where it does not arrive.
    pub(crate) fn refine(&self, x: &[f64], held: &[usize]) -> Option<Stationary> {
        let d = x.len();
        let mut x: Vec<Big> = x.iter().map(|&x| big(x)).collect();
        let mut mu = vec![big(0.0); held.len()];
        for iteration in 0..80 {
            let hidden = self.hidden(&x);
            let on: Vec<bool> = (0..hidden.len())
                .map(|i| hidden[i] > big(0.0) && !held.contains(&i))
                .collect();
            let (gradient, k, jumps) = self.derivatives(&x, &mu, held, &on);
            let step = solve(k.clone(), gradient)?;
            for (x, p) in x.iter_mut().zip(&step) {
                *x -= p;
            }
            for (mu, p) in mu.iter_mut().zip(&step[d..]) {
                *mu -= p;
            }
            let size = norm(&x);
            if !size.is_finite() || size > 1e6 {
                return None;
            }
            if iteration > 0 && norm(&step) <= 1e-55 * (size + norm(&mu) + 1e-10) {
                let free = hidden.iter().enumerate().filter(|(i, _)| !held.contains(i));
                let kink = free
                    .map(|(_, h)| small(h).abs())
                    .fold(f64::INFINITY, f64::min);
                let least = if held.is_empty() {
                    inverse_norm(&k)?.recip()
                } else {
                    f64::NAN
                };
                return Some(Stationary {
                    negative: negative_pivots(k)?.checked_sub(held.len())?,
                    least,
                    x,
                    multipliers: mu,
                    jumps,
                    kink,
                });
            }
        }
        None
    }
}

fn absolute(value: &Big) -> Big {
    if *value < big(0.0) {
        -value
    } else {
        value.clone()
    }
}

/// Gaussian elimination with row pivoting; `None` where a pivot is zero.
pub(crate) fn solve(mut k: Vec<Vec<Big>>, mut rhs: Vec<Big>) -> Option<Vec<Big>> {
    let n = rhs.len();
    for j in 0..n {
        let pivot = (j..n).max_by(|&a, &b| absolute(&k[a][j]).cmp(&absolute(&k[b][j])))?;
        k.swap(j, pivot);
        rhs.swap(j, pivot);
        if k[j][j] == big(0.0) {
            return None;
        }
        for i in j + 1..n {
            let factor = &k[i][j] / &k[j][j];
            for l in j..n {
                let change = &factor * &k[j][l];
                k[i][l] -= change;
            }
            let change = &factor * &rhs[j];
            rhs[i] -= change;
        }
    }
    for j in (0..n).rev() {
        for l in j + 1..n {
            let change = &k[j][l] * &rhs[l];
            rhs[j] -= change;
        }
        rhs[j] = &rhs[j] / &k[j][j];
    }
    Some(rhs)
}

fn inverse_norm(k: &[Vec<Big>]) -> Option<f64> {
    let n = k.len();
    let mut square = 0.0;
    for j in 0..n {
        let unit = (0..n).map(|i| big(f64::from(u8::from(i == j)))).collect();
        square += norm(&solve(k.to_vec(), unit)?).powi(2);
    }
    Some(square.sqrt())
}

/// How many eigenvalues are negative: the negative pivots of an elimination that keeps symmetry
/// (Sylvester), after a congruence that leaves no pivot at zero by chance.
fn negative_pivots(k: Vec<Vec<Big>>) -> Option<usize> {
    let n = k.len();
    let entry = |i: usize, j: usize| {
        big(((i * i + 3 * j + 1) as f64).sin() + f64::from(u8::from(i == j)) * 3.0)
    };
    let s: Vec<Vec<Big>> = (0..n)
        .map(|i| (0..n).map(|j| entry(i, j)).collect())
        .collect();
    let half: Vec<Vec<Big>> = s
        .iter()
        .map(|row| k.iter().map(|other| dot(row, other)).collect())
        .collect();
    let mut k: Vec<Vec<Big>> = half
        .iter()
        .map(|row| s.iter().map(|other| dot(row, other)).collect())
        .collect();
    let mut negative = 0;
    for j in 0..n {
        if k[j][j] == big(0.0) {
            return None;
        }
        negative += usize::from(k[j][j] < big(0.0));
        for i in j + 1..n {
            let factor = &k[i][j] / &k[j][j];
            for l in j + 1..n {
                let change = &factor * &k[j][l];
                k[i][l] -= change;
            }
        }
    }
    Some(negative)
}
