//! ½ (x − c)ᵀ D (x − c) + Σ vᵢ max(aᵢᵀx + oᵢ, 0), D diagonal: what the tests of single rules minimise.

use twolayer_core::{
    Crossing, Evaluation, HessianApprox, Kinked, NotPositiveDefinite, Objective, Scalar, Subspace,
    reduce, retract,
};

#[derive(Debug, Clone, Default)]
pub(crate) struct Hinges<T> {
    /// c and D (d).
    pub(crate) center: Vec<T>,
    pub(crate) curvatures: Vec<T>,
    /// aᵢ, oᵢ and vᵢ (n). Those with vᵢ = ∞, the last ones, are bounds, across axes.
    pub(crate) normals: Vec<Vec<T>>,
    pub(crate) offsets: Vec<T>,
    pub(crate) jumps: Vec<T>,
    /// R.
    pub(crate) radius: Option<T>,
    /// Whether values along a ray cost next to nothing.
    pub(crate) tells_values: bool,
    /// Whether kinks are said to bend.
    pub(crate) bends: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct HingesPoint<T> {
    x: Vec<T>,
    distances: Vec<T>,
    sides: Vec<bool>,
    value: T,
    gradient: Vec<T>,
}

impl<T: Scalar> Hinges<T> {
    /// A kink across axis number i for each length, at the origin, with c = 0 and D = 1.
    pub(crate) fn across_axes(lengths: &[T], jumps: &[T]) -> Self {
        let d = lengths.len();
        let normal = |(i, &length): (usize, &T)| {
            let mut normal = vec![T::zero(); d];
            normal[i] = length;
            normal
        };
        Self {
            center: vec![T::zero(); d],
            curvatures: vec![T::one(); d],
            normals: lengths.iter().enumerate().map(normal).collect(),
            offsets: vec![T::zero(); d],
            jumps: jumps.to_vec(),
            ..Self::default()
        }
    }

    /// The value at x, from its definition.
    pub(crate) fn value(&self, x: &[T]) -> T {
        let half = T::of(0.5);
        let mut value = T::zero();
        for (j, &x) in x.iter().enumerate() {
            value += half * self.curvatures[j] * (x - self.center[j]).powi(2);
        }
        for (kink, &jump) in self.jumps[..self.first_bound()].iter().enumerate() {
            value += jump * self.distance(kink, x).max(T::zero());
        }
        value
    }

    fn distance(&self, kink: usize, x: &[T]) -> T {
        reduce::dot(&self.normals[kink], x) + self.offsets[kink]
    }
}

impl<T: Scalar> Evaluation<T> for HingesPoint<T> {
    fn point(&self) -> &[T] {
        &self.x
    }
    fn value(&self) -> T {
        self.value
    }
    fn gradient(&self) -> &[T] {
        &self.gradient
    }
    fn flips_from(&self, other: &Self) -> usize {
        let pairs = self.sides.iter().zip(&other.sides);
        pairs.filter(|(a, b)| a != b).count()
    }
}

impl<T: Scalar> Objective for Hinges<T> {
    type Scalar = T;
    type Evaluation = HingesPoint<T>;
    fn dimension(&self) -> usize {
        self.center.len()
    }
    fn radius(&self) -> Option<T> {
        self.radius
    }
    fn lower_bound(&self) -> Option<T> {
        let mut terms = self.curvatures.iter().chain(&self.jumps);
        terms.all(|&term| term >= T::zero()).then_some(T::zero())
    }
    fn confine(&self, pinned: &[usize], x: &mut [T]) {
        if let Some(radius) = self.radius {
            retract(radius, x);
        }
        for bound in self.first_bound()..self.kinks() {
            let entry = self.normals[bound].iter().position(|a| *a != T::zero());
            if let Some(j) = entry
                && (pinned.contains(&bound) || self.distance(bound, x) > T::zero())
            {
                x[j] = -self.offsets[bound] / self.normals[bound][j];
            }
        }
    }
    fn new_evaluation(&self) -> HingesPoint<T> {
        HingesPoint {
            x: vec![T::zero(); self.center.len()],
            distances: vec![T::zero(); self.normals.len()],
            sides: vec![false; self.normals.len()],
            value: T::zero(),
            gradient: vec![T::zero(); self.center.len()],
        }
    }
    fn evaluate(&self, x: &[T], pinned: &[usize], at: &mut HingesPoint<T>) {
        at.x.copy_from_slice(x);
        at.value = self.value(x);
        for kink in 0..self.normals.len() {
            let on = pinned.contains(&kink);
            at.distances[kink] = if on {
                T::zero()
            } else {
                self.distance(kink, x)
            };
            at.sides[kink] = at.distances[kink] > T::zero();
        }
    }
    fn differentiate(&self, at: &mut HingesPoint<T>) {
        for j in 0..self.center.len() {
            at.gradient[j] = self.curvatures[j] * (at.x[j] - self.center[j]);
        }
        for (kink, normal) in self.normals[..self.first_bound()].iter().enumerate() {
            if at.sides[kink] {
                reduce::axpy(self.jumps[kink], normal, &mut at.gradient);
            }
        }
    }
    fn rounding_error(&self, at: &HingesPoint<T>) -> T {
        T::UNIT_ROUNDOFF * at.value.abs()
    }
}

impl<T: Scalar> Kinked for Hinges<T> {
    fn kinks(&self) -> usize {
        self.normals.len()
    }
    fn first_bound(&self) -> usize {
        let bound = self.jumps.iter().position(|jump| jump.is_infinite());
        bound.unwrap_or(self.kinks())
    }
    fn kinks_bend(&self) -> bool {
        self.bends
    }
    fn signed_distances<'a>(&self, at: &'a HingesPoint<T>) -> &'a [T] {
        &at.distances
    }
    fn distance_slopes(&self, _: &HingesPoint<T>, direction: &[T], slopes: &mut [T]) {
        for (slope, normal) in slopes.iter_mut().zip(&self.normals) {
            *slope = reduce::dot(normal, direction);
        }
    }
    fn normal(&self, _: &HingesPoint<T>, kink: usize, normal: &mut [T]) {
        normal.copy_from_slice(&self.normals[kink]);
    }
    fn combine_normals(&self, _: &HingesPoint<T>, multiples: &[T], sum: &mut [T]) {
        sum.fill(T::zero());
        for (&multiple, normal) in multiples.iter().zip(&self.normals) {
            reduce::axpy(multiple, normal, sum);
        }
    }
    fn offset(&self, _: &HingesPoint<T>, kink: usize) -> T {
        self.offsets[kink]
    }
    fn slope_jumps(&self, _: &HingesPoint<T>, kinks: &[usize], jumps: &mut [T]) {
        for (jump, &kink) in jumps.iter_mut().zip(kinks) {
            *jump = self.jumps[kink];
        }
    }
    fn choose_side(&self, at: &mut HingesPoint<T>, kink: usize, positive: bool) {
        at.sides[kink] = positive;
    }
    fn sides<'a>(&self, at: &'a HingesPoint<T>) -> &'a [bool] {
        &at.sides
    }
    /// In one dimension, where the slope of a kink tells the step.
    fn values_along(
        &self,
        at: &HingesPoint<T>,
        slopes: &[T],
        _: &[Crossing<T>],
        fractions: &[T],
        values: &mut [T],
        _: &mut HingesPoint<T>,
    ) -> bool {
        if self.tells_values {
            for (value, fraction) in values.iter_mut().zip(fractions) {
                let x = at.x[0] + *fraction * slopes[0] / self.normals[0][0];
                *value = self.value(&[x]);
            }
        }
        self.tells_values
    }
}

/// D itself, for a whole space.
#[derive(Debug, Default)]
pub(crate) struct Diagonal;

impl HessianApprox<Hinges<f64>> for Diagonal {
    fn name(&self) -> &'static str {
        "diagonal"
    }
    fn build(&mut self, _: &Hinges<f64>, _: &HingesPoint<f64>) -> usize {
        0
    }
    fn mean_eigenvalue(&self) -> f64 {
        1.0
    }
    fn step(
        &mut self,
        objective: &Hinges<f64>,
        at: &HingesPoint<f64>,
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
    fn apply(
        &mut self,
        objective: &Hinges<f64>,
        _: &HingesPoint<f64>,
        p: &[f64],
        product: &mut [f64],
    ) {
        for (j, product) in product.iter_mut().enumerate() {
            *product = objective.curvatures[j] * p[j];
        }
    }
}
