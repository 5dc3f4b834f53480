use super::*;
use crate::hinges::Hinges;
use twolayer_core::Objective;

/// A point with a step to look along.
struct Standing {
    position: Position<Hinges<f64>>,
    search: Search<f64>,
    step: Step<f64>,
    damping: Damping<f64>,
    /// Kinks crossed by the last move.
    flips: usize,
}

/// At x, kinks held.
fn begin(problem: &Hinges<f64>, x: &[f64], step: &[f64], pinned: &[usize]) -> Standing {
    let mut position = Position::new(problem);
    position.go_to(problem, x, pinned);
    problem.differentiate(&mut position.current);
    position.is_differentiated = true;
    Standing {
        position,
        search: Search::new(problem.kinks()),
        step: Step {
            p: step.to_vec(),
            ..Step::new(x.len())
        },
        damping: Damping::new(1.0, 1.0),
        flips: 0,
    }
}

impl Standing {
    /// Goes along the step, which promises so much. Returns the length of the move.
    fn search(&mut self, problem: &Hinges<f64>, (predicted, norm): (f64, f64)) -> Option<f64> {
        let Self {
            position,
            search,
            step,
            damping,
            ..
        } = self;
        (step.predicted, step.norm) = (predicted, norm);
        let moved = search.go(problem, position, step, damping)?;
        self.flips = moved.flips;
        Some(moved.length)
    }

    fn pin_where_it_stands(&mut self, problem: &Hinges<f64>) -> bool {
        let (search, position) = (&self.search, &mut self.position);
        search.pin_where_it_stands(problem, position, &self.step)
    }
}

fn predicting(predicted: f64, norm: f64) -> (f64, f64) {
    (predicted, norm)
}

/// ½x² without a kink on the way.
fn bowl() -> Hinges<f64> {
    Hinges {
        center: vec![0.0],
        curvatures: vec![1.0],
        ..Hinges::default()
    }
}

#[test]
fn a_good_step_is_taken_in_full_and_rewarded() {
    let problem = bowl();
    let mut standing = begin(&problem, &[1.0], &[-1.0], &[]);
    let moved = standing.search(&problem, predicting(0.5, 1.0));
    assert_eq!(moved, Some(1.0));
    assert_eq!(
        (
            standing.position.current.point(),
            standing.position.trial.point()
        ),
        (&[0.0][..], &[1.0][..])
    );
    assert!(!standing.position.is_differentiated && standing.flips == 0);
    // All of the value is gone: ν may go as far.
    assert!(standing.damping.value() < 1e-300);
    assert!(standing.search.takes_full_steps && standing.position.active_set.is_empty());
}

/// A quarter of what is promised is good; what gives less, and ends on no kink, raises the damping.
#[test]
fn a_step_is_good_from_a_quarter_of_what_it_promises() {
    let problem = bowl();
    for (predicted, good) in [(1.99, true), (2.01, false)] {
        let mut standing = begin(&problem, &[1.0], &[-1.0], &[]);
        assert_eq!(
            standing.search(&problem, predicting(predicted, 1.0)),
            Some(1.0)
        );
        let damping = standing.damping.value();
        // By Nielsen's rule: 1 − (2·¼ − 1)³ = 1.125; a nudge doubles.
        let expected = if good { 1.0 + 0.5_f64.powi(3) } else { 2.0 };
        assert!((damping - expected).abs() < 0.02, "{predicted} {damping}");
    }
}

#[test]
fn where_nothing_is_lower_nothing_moves() {
    let problem = bowl();
    let mut standing = begin(&problem, &[0.0], &[1.0], &[]);
    let before = standing.damping;
    assert_eq!(standing.search(&problem, predicting(1.0, 1.0)), None);
    assert_eq!(standing.position.current.point(), [0.0]);
    assert_eq!(standing.damping, before);
    assert!(standing.position.is_differentiated);
    // A value that overflows is no decrease.
    let mut standing = begin(&problem, &[1.0], &[f64::MAX], &[]);
    assert_eq!(standing.search(&problem, predicting(1.0, f64::MAX)), None);
}

/// Only one of the fractions is as low, for each of them. Where values cost little, all places are
/// looked at together the next time, and a full step is not tried first.
#[test]
fn a_step_that_is_too_long_is_cut() {
    for tells_values in [false, true] {
        // Its kink is not on the way.
        let far = Hinges {
            offsets: vec![1e6],
            tells_values,
            ..hinge(0.0, 1e-9)
        };
        for (fraction, factor) in FRACTIONS.map(|fraction| (fraction, 1.0 / fraction)) {
            let mut standing = begin(&far, &[1.0], &[-factor], &[]);
            for first in [true, false] {
                standing.search.takes_full_steps = first;
                let moved = standing.search(&far, predicting(1e6, factor));
                assert_eq!(moved, Some(fraction * factor), "{fraction}");
                assert!(
                    standing.position.current.point()[0].abs() < 1e-12,
                    "{fraction}"
                );
                assert_eq!(standing.search.takes_full_steps, !tells_values);
                standing.position.go_to(&far, &[1.0], &[]);
            }
        }
        // And where the full step is the best, the next one is tried at once.
        let mut standing = begin(&far, &[1.0], &[-1.0], &[]);
        standing.search.takes_full_steps = false;
        assert_eq!(standing.search(&far, predicting(0.5, 1.0)), Some(1.0));
        assert!(standing.search.takes_full_steps);
    }
}

/// ½(x − c)² + v max(x, 0).
fn hinge(center: f64, jump: f64) -> Hinges<f64> {
    Hinges {
        center: vec![center],
        ..Hinges::across_axes(&[1.0], &[jump])
    }
}

#[test]
fn a_kink_on_the_way_down_is_crossed() {
    let problem = hinge(-1.0, 1.0);
    let mut standing = begin(&problem, &[1.0], &[-2.0], &[]);
    assert_eq!(standing.search(&problem, predicting(3.0, 2.0)), Some(2.0));
    assert_eq!(standing.position.current.point(), [-1.0]);
    assert_eq!(
        (standing.flips, standing.position.active_set.is_empty()),
        (1, true)
    );
    // The model has seen one side alone: that nothing is left says nothing about ν, which falls by
    // the gain alone.
    assert_eq!(standing.damping.value(), 0.1);
}

/// Beyond the kink the objective rises: the step ends on it, and it is pinned.
#[test]
fn a_kink_that_the_objective_rises_from_is_pinned() {
    for (start, step) in [(-1.0, 4.0), (-1.0, 1.5)] {
        // ½(x − 1)² falls to the left of 0, and rises at 2 x − … to its right.
        let problem = hinge(1.0, 3.0);
        let mut standing = begin(&problem, &[start], &[step], &[]);
        let moved = standing.search(&problem, predicting(8.0, step)).unwrap();
        assert!((moved - 1.0).abs() < 1e-15);
        assert_eq!(standing.position.current.point(), [0.0]);
        assert_eq!(standing.position.active_set.pinned(), [0]);
        // The damping is the model's, not the kink's.
        assert_eq!(standing.damping.value(), 1.0);
    }
    // The same from the other side, where the slope before the kink is that of the positive side.
    let problem = hinge(1.0, 3.0);
    let mut standing = begin(&problem, &[1.5], &[-3.0], &[]);
    let moved = standing.search(&problem, predicting(20.0, 3.0)).unwrap();
    assert!((moved - 1.5).abs() < 1e-15);
    assert_eq!(
        (
            standing.position.current.point(),
            standing.position.active_set.pinned()
        ),
        (&[0.0][..], &[0][..])
    );
}

/// The lowest of the places looked at is a kink, but the objective falls on behind it.
#[test]
fn a_kink_that_the_objective_falls_through_is_not_pinned() {
    // From −1 along 40: the kink at 0 is lower than all fractions; the minimum is at 0.3.
    let problem = hinge(0.35, 0.05);
    let mut standing = begin(&problem, &[-1.0], &[40.0], &[]);
    let moved = standing.search(&problem, predicting(80.0, 40.0)).unwrap();
    assert!((moved - 1.0).abs() < 1e-14, "{moved}");
    assert!(standing.position.active_set.is_empty());
    // What it found of the slopes is kept.
    assert!(standing.position.is_differentiated);
}

/// Two kinks through one point: the step ends on the second while the first is held.
#[test]
fn a_pinned_kink_is_no_crossing_and_stays_held() {
    let mut problem = Hinges::across_axes(&[1.0, 1.0], &[3.0, 3.0]);
    problem.center = vec![0.0, 1.0];
    let mut standing = begin(&problem, &[0.0, -1.0], &[1e-17, 2.0], &[0]);
    assert!(standing.search(&problem, predicting(4.0, 2.0)).is_some());
    assert_eq!(standing.position.current.point(), [0.0, 0.0]);
    assert_eq!(standing.position.active_set.pinned(), [0, 1]);
}

#[test]
fn in_a_ball_the_end_of_a_step_is_put_back_onto_the_sphere() {
    let problem = Hinges {
        center: vec![3.0],
        radius: Some(2.0),
        ..bowl()
    };
    let mut standing = begin(&problem, &[1.0], &[1.0 + 1e-12], &[]);
    assert!(standing.search(&problem, predicting(1.5, 1.0)).is_some());
    let end = standing.position.current.point()[0];
    assert!(end <= 2.0 && end > 2.0 - 1e-15);
}

/// Where a refused step meets a kink at the very point, it is pinned there.
#[test]
fn a_kink_that_the_point_stands_on_is_pinned_where_it_stands() {
    // 64 roundoffs of the step are still here.
    for (distance, here) in [(0.0, true), (60.0, true), (70.0, false)] {
        let problem = hinge(1.0, 3.0);
        let x = -distance * f64::EPSILON / 2.0;
        let mut standing = begin(&problem, &[x], &[1.0], &[]);
        crossings::find(&[x], &[1.0], &[false], &mut standing.search.crossings);
        assert_eq!(standing.pin_where_it_stands(&problem), here, "{distance}");
        let pinned: &[usize] = if here { &[0] } else { &[] };
        assert_eq!(standing.position.active_set.pinned(), pinned);
    }
    let problem = hinge(1.0, 3.0);
    let mut standing = begin(&problem, &[-1.0], &[1.0], &[]);
    assert!(!standing.pin_where_it_stands(&problem), "no kink is met");
}

/// The nearest half, then every so many of the rest; fractions among them, in order, the end last.
#[test]
fn the_places_looked_at_are_near_kinks_and_spread_over_the_rest() {
    let problem = bowl();
    let mut standing = begin(&problem, &[1.0], &[-1.0], &[]);
    let crossing = |kink: usize| Crossing {
        fraction: kink as f64 / 100.0,
        kink,
    };
    for (kinks, tried) in [
        (3, vec![0, 1, 2]),
        (16, (0..16).collect()),
        (
            40,
            vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 28, 32, 36],
        ),
    ] {
        standing.search.crossings = (0..kinks).map(crossing).collect();
        let all = standing.search.crossings.len();
        standing.search.list_places(Way {
            open: all,
            end: (1.0, None),
        });
        let places = &standing.search.places;
        let listed: Vec<usize> = places.iter().filter_map(|place| place.1).collect();
        assert_eq!(listed, tried);
        assert_eq!(places.len(), FRACTIONS.len() + tried.len() + 1);
        assert!(places.is_sorted_by(|a, b| a.0 <= b.0));
        assert_eq!(places.last(), Some(&(1.0, None)));
        for fraction in FRACTIONS {
            assert!(places.contains(&(fraction, None)));
        }
    }
}

/// ½‖x − c‖² over x ≤ 1, entry by entry.
fn bounded(center: &[f64]) -> Hinges<f64> {
    let d = center.len();
    Hinges {
        center: center.to_vec(),
        offsets: vec![-1.0; d],
        ..Hinges::across_axes(&vec![1.0; d], &vec![f64::INFINITY; d])
    }
}

/// It ends on the first bound that it meets, exactly, is held there, and is good there for the part of the
/// promise that the model has for so far.
#[test]
fn a_step_ends_at_a_bound() {
    let problem = bounded(&[1.2, 0.0]);
    let mut standing = begin(&problem, &[0.3, 0.0], &[0.9, 0.0], &[]);
    let moved = standing.search(&problem, predicting(0.405, 0.9)).unwrap();
    assert!((moved - 0.7).abs() < 1e-15);
    assert_eq!(standing.position.current.point(), &[1.0, 0.0]);
    assert_eq!(standing.position.active_set.pinned(), &[0]);
    assert!(standing.search.takes_full_steps);
    // Lower on this side of it: nothing is pinned.
    let problem = bounded(&[0.5]);
    let mut standing = begin(&problem, &[0.0], &[1.5], &[]);
    standing.search(&problem, predicting(0.125, 1.5)).unwrap();
    assert!(standing.position.current.point()[0] < 0.8 && standing.position.active_set.is_empty());
}

/// What it meets at once is pinned, all of it; what it meets by its own rounding does not stop it.
#[test]
fn bounds_that_are_met_at_once_are_pinned_together() {
    let problem = bounded(&[3.0, 4.0, 5.0]);
    let mut standing = begin(&problem, &[1.0, 1.0, 0.0], &[2.0, 3.0, 5.0], &[]);
    assert_eq!(standing.search(&problem, predicting(19.0, 6.2)), None);
    assert!(standing.pin_where_it_stands(&problem));
    assert_eq!(standing.position.active_set.pinned(), &[0, 1]);
    let mut standing = begin(&problem, &[1.0, 0.0, 0.0], &[1e-16, 0.5, 0.5], &[]);
    assert!(standing.search(&problem, predicting(4.25, 0.7)).is_some());
    assert_eq!(standing.position.current.point(), &[1.0, 0.5, 0.5]);
}
