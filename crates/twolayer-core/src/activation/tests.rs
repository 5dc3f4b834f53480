use super::*;

/// Points on both sides of every kink and in the tails.
const POINTS: [f64; 13] = [
    -30.0, -6.0, -2.5, -1.0001, -0.7, -0.2, -1e-3, 1e-3, 0.3, 0.9, 1.5, 5.0, 30.0,
];

fn all<T: Scalar>() -> Vec<(String, Arc<dyn Activation<T>>)> {
    let named = ActivationName::ALL
        .into_iter()
        .map(|name| (name.to_string(), name.make()));
    let steep = (
        "leaky-relu:-0.5".to_owned(),
        ActivationName::LeakyRelu(-0.5).make(),
    );
    let mut all: Vec<_> = named.chain([steep]).collect();
    for (name, activation) in all.clone() {
        if let Some(smooth) = activation.smoothed(T::of(0.25)) {
            all.push((format!("smoothed {name}"), smooth));
        }
    }
    all
}

/// Central differences of h: off by h² times a sixth of the third derivative, and by roundoffs of the value over h.
fn derivatives_are_differences<T: Scalar>(step: f64, tolerance: f64) {
    for (name, activation) in all::<T>() {
        let kinks = activation.kinks();
        let is_smooth = |h: &f64| {
            kinks
                .iter()
                .all(|kink| (kink.at.to_f64() - h).abs() > 2.0 * step)
        };
        for h in POINTS.into_iter().filter(is_smooth) {
            let of = |part: f64| T::of(h + part * step);
            let width = (of(1.0) - of(-1.0)).to_f64();
            let difference = |f: &dyn Fn(T) -> T| (f(of(1.0)) - f(of(-1.0))).to_f64() / width;
            let slope = difference(&|h| activation.value(h));
            let told = activation.slope(T::of(h)).to_f64();
            let size = 1.0 + h.abs();
            assert!(
                (slope - told).abs() <= tolerance * size,
                "{name} {h}: {slope} {told}"
            );
            let bend = difference(&|h| activation.slope(h));
            let told = activation.bend(T::of(h)).to_f64();
            assert!(
                (bend - told).abs() <= tolerance * size,
                "{name} {h}: {bend} {told}"
            );
            assert!(activation.bends() || told == 0.0, "{name}");
        }
    }
}

#[test]
fn derivatives_are_differences_in_double_precision() {
    derivatives_are_differences::<f64>(1e-5, 1e-8);
}

#[test]
fn derivatives_are_differences_in_single_precision() {
    derivatives_are_differences::<f32>(1e-2, 3e-3);
}

/// Slopes on the two sides of a kink, the value on it, and nowhere else a jump.
#[test]
fn kinks_are_where_the_slope_jumps() {
    for (name, activation) in all::<f64>() {
        let mut before = activation.slope(-100.0);
        for kink in activation.kinks() {
            let (left, right) = (kink.at - 1e-9, kink.at + 1e-9);
            assert_eq!(activation.slope(left), before, "{name}");
            assert_eq!(
                activation.slope(kink.at),
                before,
                "{name}: not the negative side"
            );
            assert_eq!(activation.slope(right), before + kink.jump, "{name}");
            assert!((activation.value(left) - activation.value(right)).abs() < 1e-8);
            before += kink.jump;
        }
        let is_linear_in_pieces = !activation.bends();
        assert!(
            !is_linear_in_pieces || activation.slope(100.0) == before,
            "{name}"
        );
        assert_eq!(
            activation.smoothed(1.0).is_some(),
            !activation.kinks().is_empty()
        );
    }
}

#[test]
fn smoothed_is_the_same_far_from_kinks() {
    for (name, activation) in all::<f64>() {
        let Some(smooth) = activation.smoothed(0.01) else {
            continue;
        };
        for h in [-30.0, -3.0, -0.5, 0.5, 3.0, 30.0] {
            let apart = (smooth.value(h) - activation.value(h)).abs();
            assert!(apart < 1e-14 * (1.0 + h.abs()), "{name} {h}: {apart:e}");
            assert!(
                (smooth.slope(h) - activation.slope(h)).abs() < 1e-14,
                "{name} {h}"
            );
        }
        // On a kink, by log 2 times the width times the jump.
        for kink in activation.kinks() {
            let apart = smooth.value(kink.at) - activation.value(kink.at);
            assert!(
                (apart - 0.01 * 2.0_f64.ln() * kink.jump).abs() < 1e-12,
                "{name}"
            );
        }
    }
}

/// Values that others have published: PyTorch 2's documentation and tables of erf.
#[test]
fn values_are_those_of_tables() {
    let close = |told: f64, known: f64| assert!((told - known).abs() < 1e-15, "{told} {known}");
    // Φ(1) = 0.841344746068542948…
    close(Gelu.value(1.0), 0.841_344_746_068_542_9);
    close(Gelu.value(-1.0), -0.158_655_253_931_457_05);
    close(Sigmoid.value(1.0), 0.731_058_578_630_004_9);
    close(Silu.value(1.0), 0.731_058_578_630_004_9);
    close(Tanh.value(0.5), 0.462_117_157_260_009_76);
    close(Softplus { width: 1.0 }.value(0.0), 2.0_f64.ln());
    assert!((GeluTanh.value(1.0_f64) - Gelu.value(1.0)).abs() < 1e-3);
    close(HardTanh.value(-7.0), -1.0);
    // Far out nothing overflows or is NaN.
    for (name, activation) in all::<f32>() {
        for h in [f32::MIN, -1e4, 1e4, f32::MAX] {
            let told = [activation.value(h), activation.slope(h), activation.bend(h)];
            assert!(told.iter().all(|v| !v.is_nan()), "{name} {h}: {told:?}");
        }
        assert!(
            activation.value(f32::NAN).is_nan() || name == "relu",
            "{name}"
        );
    }
}

#[test]
fn relu_is_off_at_its_kink() {
    let hidden = [0.0, -0.0, 1e-30, -1.0].map(|h| Relu.value(h));
    assert_eq!(hidden, [0.0, 0.0, 1e-30, 0.0]);
    assert_eq!([0.0, 2.0].map(|h: f32| Relu.slope(h)), [0.0, 1.0]);
}

#[test]
fn names_are_read_as_they_are_written() {
    for name in ActivationName::ALL {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
    assert_eq!(
        " Leaky_ReLU:0.2 ".parse(),
        Ok(ActivationName::LeakyRelu(0.2))
    );
    assert_eq!("leaky_relu".parse(), Ok(ActivationName::LeakyRelu(0.01)));
    assert_eq!("logistic".parse(), Ok(ActivationName::Sigmoid));
    for bad in ["", "relu6", "leaky-relu:x", "leaky-relu:nan", "softmax"] {
        let error = bad.parse::<ActivationName>().unwrap_err().to_string();
        assert!(
            error.contains(&format!("`{bad}`")) && error.contains("gelu-tanh"),
            "{error}"
        );
    }
}
