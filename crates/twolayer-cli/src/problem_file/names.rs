//! Which array of a file is what, by their names.

use super::arrays::{
    ARRAYS, COUNT, FIRST, FIRST_BIAS, NEAR_WEIGHT, PER_INPUT, SECOND, SECOND_BIAS, STARTS, TARGETS,
    WEIGHTS,
};
use crate::array::{Defect, View};
use std::collections::BTreeSet;

/// For each array of a problem its place in the file.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Of the first layer, the last one, and what is no layer.
    pub(super) slots: [Option<usize>; COUNT],
    /// Weights and bias of each layer between the first and the last.
    pub(super) between: Vec<(usize, Option<usize>)>,
    /// The names of activations.
    pub(super) activation: Option<usize>,
}

/// The array of the names of activations.
const ACTIVATION: &str = "activation";

/// An array of a layer.
#[derive(Debug, Clone, Copy)]
struct OfLayer {
    place: usize,
    layer: u64,
    is_bias: bool,
}

impl Places {
    /// Puts the arrays of layers in their places: the first layer is that of the least number.
    fn take_layers(&mut self, parts: &[OfLayer], names: &[String]) -> Result<(), Defect> {
        let weights = parts.iter().filter(|part| !part.is_bias);
        let numbers: BTreeSet<u64> = weights.map(|part| part.layer).collect();
        let numbers: Vec<u64> = numbers.into_iter().collect();
        let last = numbers.len().wrapping_sub(1);
        self.between = vec![(usize::MAX, None); numbers.len().saturating_sub(2)];
        for part in parts {
            let OfLayer { place, is_bias, .. } = *part;
            let Ok(layer) = numbers.binary_search(&part.layer) else {
                let found = format!("{:?} is a bias without weights", names[place]);
                let known: Vec<_> = numbers.iter().map(u64::to_string).collect();
                let expected = format!("a bias of one of the layers {}", known.join(", "));
                return Err(Defect::new(found, expected));
            };
            let slot = match (layer, is_bias) {
                (0, false) => FIRST,
                (0, true) => FIRST_BIAS,
                (layer, false) if layer == last => SECOND,
                (layer, true) if layer == last => SECOND_BIAS,
                _ => {
                    let (weights, bias) = &mut self.between[layer - 1];
                    let taken = match is_bias {
                        true => bias.replace(place),
                        false => {
                            Some(std::mem::replace(weights, place)).filter(|&w| w != usize::MAX)
                        }
                    };
                    match taken {
                        None => continue,
                        Some(other) => return Err(doubled(names, [other, place], "one layer's")),
                    }
                }
            };
            take(&mut self.slots, slot, place, names)?;
        }
        Ok(())
    }
}

/// Arrays under this project's own names, and no others, in whichever folder of the archive.
pub(super) fn own(names: &[String]) -> Result<Places, Defect> {
    let mut places = Places::default();
    let mut parts = Vec::new();
    for (place, name) in arrays(names) {
        let (_, last) = name.rsplit_once('/').unwrap_or(("", name));
        let slot = ARRAYS.iter().position(|array| array.name == last);
        let is_of_layer = slot.is_none_or(|slot| slot <= SECOND_BIAS && slot != TARGETS);
        if last == ACTIVATION {
            places.activation = Some(place);
        } else if let Some(slot) = slot.filter(|_| !is_of_layer) {
            take(&mut places.slots, slot, place, names)?;
        } else {
            parts.push(own_part(place, last).ok_or_else(|| unknown(name))?);
        }
    }
    let weights = |layer| {
        parts
            .iter()
            .any(|part: &OfLayer| !part.is_bias && part.layer == layer)
    };
    let layers = parts.iter().map(|part| part.layer).max().unwrap_or(0);
    match (1..=layers.max(2)).find(|&layer| !weights(layer)) {
        // One of the two that every problem has: said when their headers are looked at.
        Some(_) if layers <= 2 => {
            for part in &parts {
                let slot = match (part.layer, part.is_bias) {
                    (1, false) => FIRST,
                    (1, true) => FIRST_BIAS,
                    (_, false) => SECOND,
                    (_, true) => SECOND_BIAS,
                };
                take(&mut places.slots, slot, part.place, names)?;
            }
            Ok(places)
        }
        Some(layer) => {
            let found = format!("array A{layer} is missing");
            Err(Defect::new(found, format!("A1 to A{layers}")))
        }
        None => places.take_layers(&parts, names).map(|()| places),
    }
}

/// `A3` or `c3`.
fn own_part(place: usize, name: &str) -> Option<OfLayer> {
    let is_bias = match name.chars().next()? {
        'A' => false,
        'c' => true,
        _ => return None,
    };
    let number = name.get(1..)?;
    let is_plain = number.chars().all(|digit| digit.is_ascii_digit()) && !number.starts_with('0');
    let layer = number.parse().ok().filter(|_| is_plain)?;
    Some(OfLayer {
        place,
        layer,
        is_bias,
    })
}

fn unknown(name: &str) -> Defect {
    let own: Vec<_> = ARRAYS.iter().map(|array| array.name).collect();
    Defect::new(
        format!("unknown array {name:?}"),
        format!(
            "only {}, A3, c3, … and activation (--names auto knows others)",
            own.join(", ")
        ),
    )
}

/// All members but folders, which some archives list.
fn arrays(names: &[String]) -> impl Iterator<Item = (usize, &String)> {
    let members = names.iter().enumerate();
    members.filter(|(_, name)| !name.ends_with('/'))
}

/// The folder that all arrays are in, with its slash. One that only some are in says something of
/// these: `dense_1/kernel`.
fn folder(names: &[String]) -> &str {
    let Some((_, first)) = arrays(names).next() else {
        return "";
    };
    let ends = first.rmatch_indices('/').map(|(slash, _)| slash + 1);
    let folders = ends.map(|end| &first[..end]);
    let is_shared = |folder: &&str| arrays(names).all(|(_, name)| name.starts_with(*folder));
    folders.into_iter().find(is_shared).unwrap_or("")
}

/// Puts an array in its place, which must be free.
fn take(
    slots: &mut [Option<usize>; COUNT],
    slot: usize,
    place: usize,
    names: &[String],
) -> Result<(), Defect> {
    match slots[slot].replace(place) {
        None => Ok(()),
        Some(other) => Err(doubled(names, [other, place], ARRAYS[slot].name)),
    }
}

fn doubled(names: &[String], [one, other]: [usize; 2], what: &str) -> Defect {
    match names[one] == names[other] {
        true => Defect::new(
            format!("two arrays are called {}", names[one]),
            "each name once",
        ),
        false => Defect::new(
            format!(
                "{:?} and {:?} can both be read as {what}",
                names[one], names[other]
            ),
            "one of them",
        ),
    }
}

/// Arrays under names that people and other programs give them: b, w, x0 and others as they are, and of
/// numbered layers the weights and biases. So b1 is a bias, and b the target.
pub(super) fn auto(names: &[String]) -> Result<Places, Defect> {
    let mut parts = Vec::new();
    let mut places = Places::default();
    let folder = folder(names).len();
    for (place, name) in arrays(names) {
        let as_it_is = [TARGETS, WEIGHTS, STARTS, NEAR_WEIGHT]
            .into_iter()
            .chain(PER_INPUT);
        let within = &name[folder..];
        let slot = { as_it_is }.find(|&slot| ARRAYS[slot].name == within);
        match (slot, Part::of(within)) {
            _ if within == ACTIVATION => places.activation = Some(place),
            (Some(slot), _) => take(&mut places.slots, slot, place, names)?,
            (None, Some(Part { layer, is_bias })) => parts.push(OfLayer {
                place,
                layer,
                is_bias,
            }),
            (None, None) => {
                let found = format!("unknown array {name:?}");
                return Err(Defect::new(found, KNOWN));
            }
        }
    }
    let weights = parts.iter().filter(|part| !part.is_bias);
    let layers: BTreeSet<u64> = weights.map(|part| part.layer).collect();
    if layers.len() < 2 {
        let found = match layers.len() {
            0 => "no array is called as the weights of a layer",
            _ => "the weights of one layer only",
        };
        return Err(Defect::new(found, format!("two layers or more: {KNOWN}")));
    }
    places.take_layers(&parts, names).map(|()| places)
}

/// For messages.
const KNOWN: &str = "A1, A2, c1, c2, or W1, W2, b1, b2, or weights_0, biases_0, …, or coefs_0, \
                     intercepts_0, …, or 0.weight, 0.bias, …; b, w, x0, lower, upper, \
                     x_ref, near_weight, near_scales";

const WEIGHT_WORDS: [&str; 8] = [
    "a", "w", "weight", "weights", "kernel", "kernels", "coef", "coefs",
];
const BIAS_WORDS: [&str; 6] = ["c", "b", "bias", "biases", "intercept", "intercepts"];

/// What a name says of an array of a layer.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    is_bias: bool,
    layer: u64,
}

impl Part {
    /// Exactly one number, and exactly one word for weights or biases; other words are a module's name.
    fn of(name: &str) -> Option<Self> {
        let (mut layer, mut is_bias) = (None, None);
        for token in tokens(name) {
            if token.starts_with(|c: char| c.is_ascii_digit()) {
                let number = token.parse().ok()?;
                if layer.replace(number).is_some() {
                    return None;
                }
                continue;
            }
            let word = token.to_ascii_lowercase();
            let kind = if WEIGHT_WORDS.contains(&word.as_str()) {
                false
            } else if BIAS_WORDS.contains(&word.as_str()) {
                true
            } else {
                continue;
            };
            if is_bias.replace(kind).is_some() {
                return None;
            }
        }
        Some(Self {
            is_bias: is_bias?,
            layer: layer?,
        })
    }
}

/// Runs of letters and runs of digits.
fn tokens(name: &str) -> impl Iterator<Item = &str> {
    let pieces = name.split(|c: char| !c.is_alphanumeric());
    let halves = pieces.flat_map(|piece| {
        piece
            .as_bytes()
            .chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit())
    });
    halves.filter_map(|token| std::str::from_utf8(token).ok())
}

/// How the layers of a program are stored that gives weights this name: PyTorch's map by rows,
/// scikit-learn's and Keras' by columns. `None` where the name does not tell.
pub(super) fn convention(name: &str) -> Option<View> {
    let mut words = tokens(name).map(str::to_ascii_lowercase);
    let word = words.find(|word| WEIGHT_WORDS.contains(&word.as_str()))?;
    match word.as_str() {
        "a" => Some(View::AsStored),
        "weight" if name.ends_with(".weight") => Some(View::AsStored),
        "coef" | "coefs" | "kernel" | "kernels" => Some(View::Transposed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's way to fail")]
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// The names by what they are taken for: A1, A2, c1, c2.
    fn layers(names: &[&str]) -> [Option<String>; 4] {
        let names = owned(names);
        let places = auto(&names).unwrap();
        [FIRST, SECOND, FIRST_BIAS, SECOND_BIAS]
            .map(|slot| Some(names[places.slots[slot]?].clone()))
    }

    #[test]
    fn names_of_layers_are_known() {
        for names in [
            ["A1", "A2", "c1", "c2"],
            ["W1", "W2", "b1", "b2"],
            ["w1", "w2", "B1", "B2"],
            ["W_0", "W_1", "b_0", "b_1"],
            ["weights_0", "weights_1", "biases_0", "biases_1"],
            ["coefs_0", "coefs_1", "intercepts_0", "intercepts_1"],
            ["0.weight", "2.weight", "0.bias", "2.bias"],
            ["net.9.weight", "net.10.weight", "net.9.bias", "net.10.bias"],
            ["fc1.weight", "fc2.weight", "fc1.bias", "fc2.bias"],
            [
                "dense_1/kernel",
                "dense_2/kernel",
                "dense_1/bias",
                "dense_2/bias",
            ],
        ] {
            // Whatever their order in the file.
            for turn in 0..4 {
                let mut turned = names;
                turned.rotate_left(turn);
                let expected = names.map(|name| Some(name.to_owned()));
                assert_eq!(layers(&turned), expected);
            }
        }
        assert_eq!(layers(&["W1", "W2"])[2..], [None, None]);
    }

    #[test]
    fn layers_between_are_in_the_order_of_their_numbers() {
        for (read, names) in [
            (
                own as fn(&[String]) -> Result<Places, Defect>,
                &["A1", "A3", "A2", "c2", "A4", "b", "activation"][..],
            ),
            (auto, &["W1", "W10", "W2", "b2", "W30", "b", "activation"]),
            (
                auto,
                &[
                    "0.weight",
                    "4.weight",
                    "2.weight",
                    "2.bias",
                    "6.weight",
                    "b",
                    "activation",
                ],
            ),
        ] {
            let places = read(&owned(names)).unwrap();
            let slots = [FIRST, SECOND, FIRST_BIAS, SECOND_BIAS, TARGETS];
            let expected = [Some(0), Some(4), None, None, Some(5)];
            assert_eq!(slots.map(|slot| places.slots[slot]), expected);
            assert_eq!(places.between, [(2, Some(3)), (1, None)]);
            assert_eq!(places.activation, Some(6));
        }
        let said = |names: &[&str]| format!("{:?}", own(&owned(names)).unwrap_err());
        assert!(said(&["A1", "A2", "A4"]).contains("A3 is missing"));
        assert!(said(&["A1", "A2", "A03"]).contains("unknown array"));
        assert!(said(&["A1", "A2", "A3", "c4"]).contains("A4 is missing"));
    }

    #[test]
    fn a_bias_is_no_target() {
        let names = owned(&["W1", "b1", "W2", "b", "b2", "w", "x0"]);
        let places = auto(&names).unwrap();
        let slots = [TARGETS, FIRST_BIAS, SECOND_BIAS, WEIGHTS, STARTS];
        assert_eq!(
            slots.map(|slot| places.slots[slot]),
            [3, 1, 4, 5, 6].map(Some)
        );
    }

    #[test]
    fn folders_are_no_part_of_names() {
        let places = own(&owned(&["net/", "net/A1", "net/A2", "b"])).unwrap();
        let slots = [FIRST, SECOND, TARGETS];
        assert_eq!(slots.map(|slot| places.slots[slot]), [1, 2, 3].map(Some));
        let defect = own(&owned(&["1/A1", "2/A1"])).unwrap_err();
        let words = format!("{defect:?}").replace('\\', "");
        assert!(words.contains("\"1/A1\" and \"2/A1\" can both be read as A1"));
        assert!(own(&owned(&["A1/x"])).is_err() && own(&owned(&["netA1"])).is_err());
        // The folder of all says nothing, not even by its number; that of some is part of the name.
        let names = owned(&["run 3/", "run 3/W1", "run 3/W2", "run 3/b1", "run 3/b"]);
        let places = auto(&names).unwrap();
        let slots = [FIRST, SECOND, FIRST_BIAS, TARGETS];
        assert_eq!(slots.map(|slot| places.slots[slot]), [1, 2, 3, 4].map(Some));
        let names = owned(&["x/1/w", "x/2/w", "x/2/b", "x/b"]);
        let places = auto(&names).unwrap();
        let slots = [FIRST, SECOND, SECOND_BIAS, TARGETS];
        assert_eq!(slots.map(|slot| places.slots[slot]), [0, 1, 2, 3].map(Some));
        let defect = auto(&owned(&["W1", "W2", "x/b"])).unwrap_err();
        assert!(format!("{defect:?}").contains("unknown array"));
    }

    #[test]
    fn names_that_tell_two_things_are_refused() {
        for (names, words) in [
            (
                &["A1", "W1", "A2"][..],
                "\"A1\" and \"W1\" can both be read as A1",
            ),
            (
                &["W1", "W2", "b1", "c1"],
                "\"b1\" and \"c1\" can both be read as c1",
            ),
            (&["W1", "W1", "W2"], "two arrays are called W1"),
            (&["W1", "b1"], "one layer"),
            (&["b"], "no array"),
            (&["W1", "W2", "b0"], "\"b0\" is a bias without weights"),
            (&["W1", "W2", "y"], "unknown array \"y\""),
            (&["W1", "W2", "0.weight.1"], "unknown array \"0.weight.1\""),
            (&["W1", "W2", "weight"], "unknown array \"weight\""),
            (&["W1", "W99999999999999999999"], "unknown array"),
        ] {
            let defect = auto(&owned(names)).unwrap_err();
            assert!(
                format!("{defect:?}").replace('\\', "").contains(words),
                "{defect:?}"
            );
        }
    }
}
