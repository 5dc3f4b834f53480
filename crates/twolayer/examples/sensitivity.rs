//! How the answer of an inversion hangs on b, and the gradient of a function of it by the network's biases.

use twolayer::{Change, Inversion, Nearness, Sensitivity, Solver, Target, TwoLayer};
use twolayer_faer::{Faer, faer::Mat};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a1 = Mat::from_fn(24, 8, |i, j| ((7 * i + 3 * j) as f64).sin());
    let a2 = Mat::from_fn(5, 24, |i, j| ((5 * i + 11 * j) as f64).cos());
    let network = TwoLayer::new(Faer::default(), a1, a2)?;
    let target = Target::new(vec![0.1, 0.3, 0.2, 0.25, 0.15])?;
    let problem = Inversion::new(&network, &target)?;

    // Fewer outcomes than inputs: many x have this output, and none of them has a derivative.
    let solution = Solver::new().solve(&problem, &[0.1; 8])?;
    if let Err(why) = Sensitivity::new(&problem, &solution) {
        println!("{why}\n");
    }
    // Of all x with this output the one near 0.
    let nearness = Nearness::new(vec![0.0; 8], 1e-3)?;
    let problem = problem.with_nearness(&nearness)?;
    let solution = Solver::new().solve(&problem, &[0.1; 8])?;
    let sensitivity = Sensitivity::new(&problem, &solution)?;

    let change = [-0.01, 0.01, 0.0, 0.0, 0.0];
    let moved = sensitivity.jvp(&Change::new().with_target(&change))?;
    println!("Where a hundredth goes from outcome 0 to outcome 1, x moves by {moved:.4?}.");
    // ½‖x‖² has the gradient x.
    let gradients = sensitivity.vjp(&solution.x)?;
    let by_target = gradients.target.unwrap_or_default();
    let along: f64 = by_target.iter().zip(&change).map(|(g, db)| g * db).sum();
    // The same by solving again.
    let b = target.probabilities().iter().zip(&change);
    let other = Target::new(b.map(|(b, db)| b + db).collect())?;
    let again = Inversion::new(&network, &other)?.with_nearness(&nearness)?;
    let again = Solver::new().solve(&again, &solution.x)?;
    let half_square = |x: &[f64]| x.iter().map(|x| 0.5 * x * x).sum::<f64>();
    let difference = half_square(&again.x) - half_square(&solution.x);
    println!("So ½‖x‖² changes by {along:.4e}, to first order; in truth by {difference:.4e}.");
    assert!((difference - along).abs() < 0.1 * along.abs());
    println!("Its gradient by c1 is {:.4?}.", gradients.layers[0].bias);
    Ok(())
}
