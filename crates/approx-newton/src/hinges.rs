//! ½ (x − c)ᵀ D (x − c) + Σ vᵢ max(aᵢᵀx + oᵢ, 0), D diagonal: what the tests of single rules minimise.

use twolayer_core::{
    Crossing, Evaluation, HessianApprox, Kinked, NotPositiveDefinite, Objective, Subspace, reduce,
};

#[derive(Debug, Clone, Default)]
pub(crate) struct Hinges {
    /// c and D (d).
    pub(crate) center: Vec<f64>,
    pub(crate) curvatures: Vec<f64>,
    /// aᵢ, oᵢ and vᵢ (n).
    pub(crate) normals: Vec<Vec<f64>>,
    pub(crate) offsets: Vec<f64>,
    pub(crate) jumps: Vec<f64>,
    /// R.
    pub(crate) radius: Option<f64>,
    /// Whether values along a ray cost next to nothing.
    pub(crate) tells_values: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct HingesPoint {
    x: Vec<f64>,
    distances: Vec<f64>,
    sides: Vec<bool>,
    value: f64,
    gradient: Vec<f64>,
}

impl Hinges {
    /// A kink across axis number i for each length, at the origin, with c = 0 and D = 1.
    pub(crate) fn across_axes(lengths: &[f64], jumps: &[f64]) -> Self {
        let d = lengths.len();
        let normal = |(i, &length): (usize, &f64)| {
            let mut normal = vec![0.0; d];
            normal[i] = length;
            normal
        };
        Self {
            center: vec![0.0; d],
            curvatures: vec![1.0; d],
            normals: lengths.iter().enumerate().map(normal).collect(),
            offsets: vec![0.0; d],
            jumps: jumps.to_vec(),
            ..Self::default()
        }
    }

    /// The value at x, from its definition.
    pub(crate) fn value(&self, x: &[f64]) -> f64 {
        let bowl: f64 = (0..x.len())
            .map(|j| 0.5 * self.curvatures[j] * (x[j] - self.center[j]).powi(2))
            .sum();
        let hinge = |i: usize| self.jumps[i] * self.distance(i, x).max(0.0);
        bowl + (0..self.normals.len()).map(hinge).sum::<f64>()
    }

    fn distance(&self, kink: usize, x: &[f64]) -> f64 {
        reduce::dot(&self.normals[kink], x) + self.offsets[kink]
    }
}

impl Evaluation<f64> for HingesPoint {
    fn point(&self) -> &[f64] {
        &self.x
    }
    fn value(&self) -> f64 {
        self.value
    }
    fn gradient(&self) -> &[f64] {
        &self.gradient
    }
    fn flips_from(&self, other: &Self) -> usize {
        let pairs = self.sides.iter().zip(&other.sides);
        pairs.filter(|(a, b)| a != b).count()
    }
}

impl Objective for Hinges {
    type Scalar = f64;
    type Evaluation = HingesPoint;
    fn dimension(&self) -> usize {
        self.center.len()
    }
    fn radius(&self) -> Option<f64> {
        self.radius
    }
    fn lower_bound(&self) -> Option<f64> {
        let mut terms = self.curvatures.iter().chain(&self.jumps);
        terms.all(|&term| term >= 0.0).then_some(0.0)
    }
    fn new_evaluation(&self) -> HingesPoint {
        HingesPoint {
            x: vec![0.0; self.center.len()],
            distances: vec![0.0; self.normals.len()],
            sides: vec![false; self.normals.len()],
            value: 0.0,
            gradient: vec![0.0; self.center.len()],
        }
    }
    fn evaluate(&self, x: &[f64], pinned: &[usize], at: &mut HingesPoint) {
        at.x.copy_from_slice(x);
        at.value = self.value(x);
        for kink in 0..self.normals.len() {
            let on = pinned.contains(&kink);
            at.distances[kink] = if on { 0.0 } else { self.distance(kink, x) };
            at.sides[kink] = at.distances[kink] > 0.0;
        }
    }
    fn differentiate(&self, at: &mut HingesPoint) {
        for j in 0..self.center.len() {
            at.gradient[j] = self.curvatures[j] * (at.x[j] - self.center[j]);
        }
        for (kink, normal) in self.normals.iter().enumerate() {
            if at.sides[kink] {
                reduce::axpy(self.jumps[kink], normal, &mut at.gradient);
            }
        }
    }
    fn rounding_error(&self, at: &HingesPoint) -> f64 {
        f64::EPSILON * at.value.abs()
    }
}

impl Kinked for Hinges {
    fn kinks(&self) -> usize {
        self.normals.len()
    }
    fn signed_distances<'a>(&self, at: &'a HingesPoint) -> &'a [f64] {
        &at.distances
    }
    fn distance_slopes(&self, direction: &[f64], slopes: &mut [f64]) {
        for (slope, normal) in slopes.iter_mut().zip(&self.normals) {
            *slope = reduce::dot(normal, direction);
        }
    }
    fn normal(&self, kink: usize, normal: &mut [f64]) {
        normal.copy_from_slice(&self.normals[kink]);
    }
    fn combine_normals(&self, multiples: &[f64], sum: &mut [f64]) {
        sum.fill(0.0);
        for (&multiple, normal) in multiples.iter().zip(&self.normals) {
            reduce::axpy(multiple, normal, sum);
        }
    }
    fn offset(&self, kink: usize) -> f64 {
        self.offsets[kink]
    }
    fn slope_jumps(&self, _: &HingesPoint, kinks: &[usize], jumps: &mut [f64]) {
        for (jump, &kink) in jumps.iter_mut().zip(kinks) {
            *jump = self.jumps[kink];
        }
    }
    fn choose_side(&self, at: &mut HingesPoint, kink: usize, positive: bool) {
        at.sides[kink] = positive;
    }
    fn sides<'a>(&self, at: &'a HingesPoint) -> &'a [bool] {
        &at.sides
    }
    /// In one dimension, where the slope of a kink tells the step.
    fn values_along(
        &self,
        at: &HingesPoint,
        slopes: &[f64],
        _: &[Crossing<f64>],
        fractions: &[f64],
        values: &mut [f64],
        _: &mut HingesPoint,
    ) -> bool {
        if self.tells_values {
            for (value, fraction) in values.iter_mut().zip(fractions) {
                let x = at.x[0] + fraction * slopes[0] / self.normals[0][0];
                *value = self.value(&[x]);
            }
        }
        self.tells_values
    }
}

/// D itself, for a whole space.
#[derive(Debug, Default)]
pub(crate) struct Diagonal;

impl HessianApprox<Hinges> for Diagonal {
    fn name(&self) -> &'static str {
        "diagonal"
    }
    fn build(&mut self, _: &Hinges, _: &HingesPoint) -> usize {
        0
    }
    fn mean_eigenvalue(&self) -> f64 {
        1.0
    }
    fn step(
        &mut self,
        objective: &Hinges,
        at: &HingesPoint,
        damping: f64,
        pull: Option<(f64, &[f64])>,
        _: &Subspace<f64>,
        step: &mut [f64],
    ) -> Result<(), NotPositiveDefinite> {
        for (j, step) in step.iter_mut().enumerate() {
            let pulled = pull.map_or(0.0, |(pull, x)| pull * x[j]);
            let curvature = objective.curvatures[j] + damping;
            if curvature.is_nan() || curvature <= 0.0 {
                return Err(NotPositiveDefinite);
            }
            *step = -(at.gradient[j] + pulled) / curvature;
        }
        Ok(())
    }
    fn apply(&mut self, objective: &Hinges, _: &HingesPoint, p: &[f64], product: &mut [f64]) {
        for (j, product) in product.iter_mut().enumerate() {
            *product = objective.curvatures[j] * p[j];
        }
    }
}
