use super::*;
use crate::hinges::Hinges;
use twolayer_core::Objective;

impl<T: Scalar> Hinges<T> {
    fn all_pinned(&self) -> ActiveSet<T> {
        let mut set = ActiveSet::new(self.dimension());
        let all: Vec<usize> = (0..self.kinks()).collect();
        set.pin_only(self, &self.new_evaluation(), &all);
        assert_eq!(set.pinned(), all);
        set
    }

    /// What is released where the multipliers are these.
    fn release(&self, multipliers: &[T]) -> Release {
        let terms = self.normals.iter().zip(multipliers).enumerate();
        let gradient: Vec<T> = terms.map(|(i, (normal, &mu))| -mu * normal[i]).collect();
        let step = vec![T::zero(); self.dimension()];
        self.all_pinned()
            .release(self, &mut self.new_evaluation(), &step, &gradient)
    }
}

fn released(kink: usize, positive: bool) -> Release {
    Release::Released { kink, positive }
}

#[test]
fn a_kink_holds_where_the_objective_rises_to_both_sides() {
    // Per unit of h the objective changes by −μ on the negative side, and by v − μ on the other.
    let one = |mu: f64, jump: f64| Hinges::across_axes(&[1.0], &[jump]).release(&[mu]);
    for (mu, jump) in [(0.5, 1.0), (0.0, 1.0), (1.0, 1.0), (0.0, 0.0)] {
        assert_eq!(one(mu, jump), Release::AllHold, "{mu} {jump}");
    }
    assert_eq!(one(-0.5, 1.0), released(0, false));
    assert_eq!(one(1.5, 1.0), released(0, true));
    // A jump down: the objective falls to both sides, and more to one of them.
    assert_eq!(one(-0.5, -2.0), released(0, true));
    assert_eq!(one(-1.5, -2.0), released(0, false));
    assert_eq!(one(-1.0, -2.0), released(0, true));
}

/// Inward only, and from 1e-10 of the gradient on.
#[test]
fn a_bound_is_released_inward() {
    let jumps = [f64::INFINITY; 2];
    let two = |mu: [f64; 2]| Hinges::across_axes(&[1.0, 1.0], &jumps).release(&mu);
    for mu in [[0.5, 1.0], [0.0, 1.0], [1e9, 0.0], [1.0, -0.9e-10]] {
        assert_eq!(two(mu), Release::AllHold, "{mu:?}");
    }
    assert_eq!(two([-0.5, 1.0]), released(0, false));
    assert_eq!(two([-0.5, -0.6]), released(1, false));
    assert_eq!(two([1.0, -1.1e-10]), released(1, false));
}

/// From 1e-10 of the slopes on a violation counts, to either side.
#[test]
fn a_violation_counts_as_soon_as_it_can_be_told_from_rounding() {
    let one = |mu: f64, jump: f64| Hinges::across_axes(&[1.0], &[jump]).release(&[mu]);
    for scale in [1.0, 1e-12, 1e12] {
        for (part, counts) in [(2.1e-10, true), (1.9e-10, false), (-1e-3, false)] {
            // Of |μ| + |v| = 2.
            let expected = |positive| match counts {
                true => released(0, positive),
                false => Release::AllHold,
            };
            assert_eq!(
                one(scale * (1.0 + part), scale),
                expected(true),
                "{scale} {part}"
            );
        }
        for (part, counts) in [(1.1e-10, true), (0.9e-10, false)] {
            // Of |μ| + |v| = 1.
            let expected = match counts {
                true => released(0, false),
                false => Release::AllHold,
            };
            assert_eq!(one(-scale * part, scale), expected, "{scale} {part}");
        }
    }
}

/// In single precision from 64 roundoffs on, which are more.
#[test]
fn in_single_precision_a_violation_counts_from_its_rounding_on() {
    let one = |mu: f32| Hinges::across_axes(&[1.0_f32], &[1.0]).release(&[mu]);
    // Of |μ| + |v| = 2, and of 1.
    let roundoff = 2.0_f32.powi(-24);
    assert_eq!(one(1.0 + 132.0 * roundoff), released(0, true));
    assert_eq!(one(1.0 + 124.0 * roundoff), Release::AllHold);
    assert_eq!(one(-66.0 * roundoff), released(0, false));
    assert_eq!(one(-62.0 * roundoff), Release::AllHold);
}

/// Sixty-four roundings of ‖a‖‖x‖ + |c|, or exactly.
#[test]
fn a_point_lies_on_the_kinks_that_rounding_cannot_tell_it_from() {
    let mut kinks = Hinges::across_axes(&[2.0, 1.0, 1.0], &[1.0; 3]);
    kinks.offsets = vec![-8.0, -3.0, 1.0];
    let through = |x: [f64; 3]| {
        let mut at = kinks.new_evaluation();
        kinks.evaluate(&x, &[], &mut at);
        kinks_through(&kinks, &at)
    };
    let rounding = f64::EPSILON / 2.0 * (2.0 * 5.0 + 8.0);
    for (part, on) in [(62.0, true), (-62.0, true), (66.0, false), (-66.0, false)] {
        // h₀ is `part` roundings; h₁ is exactly zero; h₂ is 1.
        let expected: &[usize] = if on { &[0, 1] } else { &[1] };
        assert_eq!(
            through([4.0 + part * rounding / 2.0, 3.0, 0.0]),
            expected,
            "{part}"
        );
    }
    // A long normal has a long rounding.
    assert_eq!(through([0.0, 0.0, 0.0]), Vec::<usize>::new());
    kinks.offsets = vec![0.0; 3];
    let mut at = kinks.new_evaluation();
    kinks.evaluate(&[0.0; 3], &[], &mut at);
    assert_eq!(kinks_through(&kinks, &at), [0, 1, 2]);
}

/// How fast the objective falls per unit of x: the violation, which is per unit of h, times the
/// length of the normal.
#[test]
fn the_kink_that_is_left_fastest_is_released_first() {
    for (lengths, multipliers, worst) in [
        ([1.0, 10.0], [-2.0, -1.0], 1),
        ([1.0, 0.1], [-1.0, -2.0], 0),
        ([1.0, 1.0], [-1.0, -2.0], 1),
        ([1.0, 1.0], [-2.0, -1.0], 0),
        // The same rate: the one that was pinned first.
        ([1.0, 2.0], [-2.0, -1.0], 0),
    ] {
        let kinks = Hinges::across_axes(&lengths, &[1.0, 1.0]);
        let release = kinks.release(&multipliers);
        assert_eq!(
            release,
            released(worst, false),
            "{lengths:?} {multipliers:?}"
        );
    }
    // To the positive side alike.
    let kinks = Hinges::across_axes(&[1.0, 10.0], &[1.0, 1.0]);
    assert_eq!(kinks.release(&[3.0, 2.0]), released(1, true));
}

#[test]
fn what_is_released_is_pinned_no_more() {
    let mut kinks = Hinges::across_axes(&[1.0, 2.0, 4.0], &[1.0; 3]);
    kinks.offsets = vec![1.0, 2.0, 3.0];
    let mut set = kinks.all_pinned();
    assert_eq!(set.subspace().dimension(), 0);
    let gradient = [0.0, 1.0, 0.0];
    assert_eq!(
        set.release(&kinks, &mut kinks.new_evaluation(), &[0.0; 3], &gradient),
        released(1, false)
    );
    assert_eq!((set.pinned(), set.subspace().dimension()), (&[0, 2][..], 1));
    assert!(!set.is_empty());
    // The others are restored to their own offsets.
    let mut x = [0.5, 0.5, 0.5];
    assert!(set.restore(&mut x));
    let expected = [-1.0, 0.5, -0.75];
    assert!(
        x.iter().zip(expected).all(|(x, e)| (x - e).abs() < 1e-15),
        "{x:?}"
    );
}

/// The multiplier says that the objective falls to the negative side, and the kink is met there
/// again at once: a model that is wrong about it, as a sampled one may be. Releases and pins until
/// there is nothing to release, at most 100 times.
fn rounds(forgetful: bool) -> (usize, Release) {
    let contradiction = Hinges::across_axes(&[1.0], &[0.0]);
    let mut set = contradiction.all_pinned();
    for round in 0..100 {
        if forgetful {
            set.forget_releases();
        }
        let release = set.release(
            &contradiction,
            &mut contradiction.new_evaluation(),
            &[0.0],
            &[1.0],
        );
        if !matches!(release, Release::Released { .. }) {
            return (round, release);
        }
        // The step to that side is refused, and the kink is met where the point stands.
        assert!(set.pin(&contradiction, &contradiction.new_evaluation(), 0));
    }
    (100, Release::AllHold)
}

#[test]
fn a_kink_is_released_once_at_a_point() {
    assert_eq!(rounds(false), (1, Release::Barred));
    // Without the rule it goes round in a circle.
    assert_eq!(rounds(true).0, 100);
}

/// A kink that is barred keeps no other from being released.
#[test]
fn a_barred_kink_gives_way_to_the_next() {
    let kinks = Hinges::across_axes(&[1.0, 1.0], &[1.0, 1.0]);
    let mut set = kinks.all_pinned();
    let gradient = [2.0, 1.0];
    assert_eq!(
        set.release(&kinks, &mut kinks.new_evaluation(), &[0.0; 2], &gradient),
        released(0, false)
    );
    assert!(set.pin(&kinks, &kinks.new_evaluation(), 0));
    assert_eq!(
        set.release(&kinks, &mut kinks.new_evaluation(), &[0.0; 2], &gradient),
        released(1, false)
    );
    assert_eq!(
        set.release(&kinks, &mut kinks.new_evaluation(), &[0.0; 2], &gradient),
        Release::Barred
    );
}

#[test]
fn a_kink_is_pinned_once_and_never_with_one_that_it_depends_on() {
    let kinks = Hinges {
        normals: vec![
            vec![1.0, 0.0],
            vec![-2.0, 0.0],
            vec![1.0, 1.0],
            vec![0.0, 3.0],
        ],
        offsets: vec![0.0; 4],
        jumps: vec![1.0; 4],
        ..Hinges::across_axes(&[1.0; 2], &[1.0; 2])
    };
    let mut set = ActiveSet::new(2);
    assert!(set.is_empty());
    assert!(
        set.pin(&kinks, &kinks.new_evaluation(), 0)
            && !set.pin(&kinks, &kinks.new_evaluation(), 0)
            && !set.pin(&kinks, &kinks.new_evaluation(), 1)
    );
    assert_eq!((set.pinned(), set.subspace().dimension()), (&[0][..], 1));
    assert!(
        set.pin(&kinks, &kinks.new_evaluation(), 2) && !set.pin(&kinks, &kinks.new_evaluation(), 3)
    );
    assert_eq!((set.pinned(), set.subspace().dimension()), (&[0, 2][..], 0));
    set.pin_only(&kinks, &kinks.new_evaluation(), &[3, 1]);
    assert_eq!((set.pinned(), set.subspace().dimension()), (&[3, 1][..], 0));
    set.pin_only(&kinks, &kinks.new_evaluation(), &[2]);
    assert_eq!((set.pinned(), set.subspace().dimension()), (&[2][..], 1));
}

/// Sixteen roundings of ‖a‖‖x‖ + |c|: what is nearer is on the kink.
#[test]
fn a_point_is_put_back_where_it_is_off_by_more_than_rounding() {
    let mut kinks = Hinges::across_axes(&[2.0, 1.0], &[1.0, 1.0]);
    kinks.offsets = vec![-8.0, 0.0];
    let mut set = ActiveSet::new(2);
    set.pin_only(&kinks, &kinks.new_evaluation(), &[0]);
    let rounding = f64::EPSILON / 2.0 * (2.0 * 5.0 + 8.0);
    for (part, off) in [
        (15.0, false),
        (17.0, true),
        (-15.0, false),
        (-17.0, true),
        (1e10, true),
    ] {
        let mut x = [4.0 + part * rounding / 2.0, 3.0];
        let before = x;
        assert_eq!(set.restore(&mut x), off, "{part}");
        assert_eq!(x[1], 3.0);
        // By as little as possible, and onto the kink.
        let expected = if off { 4.0 } else { before[0] };
        assert!(
            (x[0] - expected).abs() <= f64::EPSILON * 4.0,
            "{part} {x:?}"
        );
    }
    // No kink, nowhere to go; and nothing that is no number.
    let mut x = [7.0, 1.0];
    assert!(!ActiveSet::<f64>::new(2).restore(&mut x) && x == [7.0, 1.0]);
    let mut x = [f64::INFINITY, 1.0];
    assert!(!set.restore(&mut x) && x == [f64::INFINITY, 1.0]);
}

/// A null space that releases and pins have led to, and one made anew.
#[test]
fn a_renewed_set_holds_the_same_kinks() {
    let kinks = Hinges {
        normals: vec![
            vec![1.0, 0.2, 0.0],
            vec![0.3, 1.0, 0.1],
            vec![0.1, 0.4, 1.0],
        ],
        offsets: vec![0.5, -0.5, 1.0],
        ..Hinges::across_axes(&[1.0; 3], &[1.0; 3])
    };
    let mut set = kinks.all_pinned();
    let gradient = [1.0, 0.0, 0.0];
    let Release::Released { kink, .. } =
        set.release(&kinks, &mut kinks.new_evaluation(), &[0.0; 3], &gradient)
    else {
        panic!("nothing was released");
    };
    // Not where a kink was released at this very point.
    assert!(!set.renew(&kinks, &kinks.new_evaluation()));
    set.forget_releases();
    let pinned = set.pinned().to_vec();
    assert!(!pinned.contains(&kink) && set.renew(&kinks, &kinks.new_evaluation()));
    assert_eq!(set.pinned(), pinned);
    let mut anew = ActiveSet::new(3);
    anew.pin_only(&kinks, &kinks.new_evaluation(), &pinned);
    let project = |set: &ActiveSet<f64>| {
        let mut v = [1.0, 2.0, 3.0];
        set.subspace().project(&mut v);
        v
    };
    assert_eq!(project(&set), project(&anew));
    // Where a normal has come to depend on the others, nothing changes.
    let flat = Hinges {
        normals: vec![vec![1.0, 0.0, 0.0]; 3],
        ..kinks
    };
    assert!(!set.renew(&flat, &flat.new_evaluation()));
    assert_eq!(set.pinned(), pinned);
    assert_eq!(project(&set), project(&anew));
}

/// Where kinks bend, one that the point is off by a bit is another hyperplane there; a straight one is the same.
/// What was released at this point is not forgotten.
#[test]
fn only_kinks_that_bend_are_left_by_a_bit() {
    let mut kinks = Hinges::across_axes(&[1.0, 1.0, 1.0], &[1.0; 3]);
    let mut at = kinks.new_evaluation();
    kinks.evaluate(&[1e-300, 0.0, 0.0], &[], &mut at);
    for (bends, left) in [(false, &[0, 1][..]), (true, &[1])] {
        kinks.bends = bends;
        let mut set = ActiveSet::new(3);
        set.follow(&kinks, &at);
        assert!(set.is_empty());
        set.pin_only(&kinks, &at, &[0, 1]);
        set.released = vec![2];
        set.follow(&kinks, &at);
        assert_eq!((set.pinned(), &set.released[..]), (left, &[2][..]));
        assert_eq!(set.subspace().dimension(), 3 - left.len());
    }
}
