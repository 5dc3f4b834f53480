//! Which way the matrices of a file lie.
//!
//! A layer of p inputs and q outputs is stored (q, p) by some and (p, q) by others. The lengths of
//! the other arrays tell which it is, unless a matrix is square.

use super::names::convention;
use crate::array::{Defect, View, show_shape};

/// Shapes of matrices, and what else is known of d, n and m.
#[derive(Debug, Clone)]
pub(super) struct Sizes {
    /// Of A1 and A2, as they are stored.
    pub(super) matrices: [[u64; 2]; 2],
    pub(super) inputs: Vec<u64>,
    pub(super) hidden: Vec<u64>,
    pub(super) outcomes: Vec<u64>,
}

pub(super) type Views = [View; 2];

use View::{AsStored, Transposed};

const ALL: [Views; 4] = [
    [AsStored, AsStored],
    [Transposed, AsStored],
    [AsStored, Transposed],
    [Transposed, Transposed],
];

impl Sizes {
    /// d, n, m, and n by A2, which are the sides of the matrices.
    fn sides(&self, views: Views) -> [u64; 4] {
        let [[n, d], [m, columns]] = [0, 1].map(|layer| match views[layer] {
            Transposed => {
                let [rows, columns] = self.matrices[layer];
                [columns, rows]
            }
            _ => self.matrices[layer],
        });
        [d, n, m, columns]
    }

    /// The ways in which the matrices fit each other.
    fn matching(&self) -> Vec<Views> {
        let fit = |&views: &Views| {
            let [_, n, _, columns] = self.sides(views);
            n == columns
        };
        ALL.into_iter().filter(fit).collect()
    }

    /// Those in which they fit all other arrays too.
    fn fitting(&self) -> Vec<Views> {
        let fit = |&views: &Views| {
            let [d, n, m, _] = self.sides(views);
            let agree = |known: &[u64], side| known.iter().all(|&other| other == side);
            agree(&self.inputs, d) && agree(&self.hidden, n) && agree(&self.outcomes, m)
        };
        self.matching().into_iter().filter(fit).collect()
    }

    /// Refuses matrices that do not fit as they are, and would if they were transposed. What does not
    /// fit either way is told by whoever looks at one array after the other.
    pub(super) fn check_as_stored(&self) -> Result<(), Defect> {
        let fitting = self.fitting();
        let Some(&views) = fitting.first() else {
            return Ok(());
        };
        let [first, second] = self.matrices;
        let (found, expected) = match views {
            [AsStored, AsStored] => return Ok(()),
            [Transposed, AsStored] => (
                format!("A1 looks transposed: it has shape {}", show_shape(&first)),
                format!("({}, {}), a row for each hidden unit", first[1], first[0]),
            ),
            [AsStored, Transposed] => (
                format!("A2 looks transposed: it has shape {}", show_shape(&second)),
                format!("({}, {}), a row for each outcome", second[1], second[0]),
            ),
            _ => (
                format!(
                    "A1 and A2 look transposed: they have shapes {} and {}",
                    show_shape(&first),
                    show_shape(&second)
                ),
                "A1 (n, d) and A2 (m, n)".to_owned(),
            ),
        };
        let hint = " (--names auto reads either orientation)";
        Err(Defect::new(found, expected + hint))
    }

    /// The one way in which matrices of these names fit; where several do, the one that is the custom
    /// of a program that gives such names.
    pub(super) fn choose(&self, names: [&str; 2]) -> Result<Views, Defect> {
        let customs = names.map(convention);
        let follows = |views: &&Views| {
            let mut pairs = views.iter().zip(customs);
            pairs.all(|(&view, custom)| custom.is_none_or(|custom| custom == view))
        };
        let (fitting, matching) = (self.fitting(), self.matching());
        let customary: Vec<Views> = fitting.iter().filter(follows).copied().collect();
        match (&fitting[..], &customary[..], &matching[..]) {
            (&[views], _, _) | (_, &[views], _) => Ok(views),
            // Another array is at fault, which whoever looks at it will say.
            ([], _, &[views, ..]) => Ok(views),
            ([], _, []) => Err(self.fits_no_way(names)),
            (several, _, _) => Err(self.fits_several_ways(names, several)),
        }
    }

    fn shapes(&self, names: [&str; 2]) -> String {
        let [first, second] = self.matrices;
        let [a, b] = names;
        format!(
            "{a} has shape {} and {b} {}",
            show_shape(&first),
            show_shape(&second)
        )
    }

    fn fits_no_way(&self, names: [&str; 2]) -> Defect {
        Defect::new(
            format!(
                "{}, which fit each other in no orientation",
                self.shapes(names)
            ),
            "A1 (n, d) and A2 (m, n), or their transposes",
        )
    }

    fn fits_several_ways(&self, names: [&str; 2], several: &[Views]) -> Defect {
        let [first, second] = names;
        let reading = |views: &Views| match views {
            [AsStored, AsStored] => "both as they are".to_owned(),
            [Transposed, AsStored] => format!("{first} transposed"),
            [AsStored, Transposed] => format!("{second} transposed"),
            _ => "both transposed".to_owned(),
        };
        let readings: Vec<_> = several.iter().map(reading).collect();
        let shapes = self.shapes(names);
        Defect::new(
            format!(
                "{shapes}, which can be read as layers with {}",
                readings.join(", or with ")
            ),
            "the names A1 (n, d) and A2 (m, n), under which matrices are read as they are",
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's way to fail")]
    use super::*;

    fn sizes(first: [u64; 2], second: [u64; 2], outcomes: &[u64]) -> Sizes {
        Sizes {
            matrices: [first, second],
            inputs: Vec::new(),
            hidden: Vec::new(),
            outcomes: outcomes.to_vec(),
        }
    }

    const W: [&str; 2] = ["W1", "W2"];

    #[test]
    fn lengths_tell_the_orientation() {
        let (d, n, m) = (3, 8, 6);
        for (first, second, views) in [
            ([n, d], [m, n], ALL[0]),
            ([d, n], [m, n], ALL[1]),
            ([n, d], [n, m], ALL[2]),
            ([d, n], [n, m], ALL[3]),
        ] {
            assert_eq!(sizes(first, second, &[m]).choose(W).unwrap(), views);
            // These three are different, so that b is not needed.
            assert_eq!(sizes(first, second, &[]).choose(W).unwrap(), views);
        }
        // Both fit each other as they are, too: 8 inputs, 3 hidden units, 8 outcomes.
        let both = sizes([3, 8], [8, 3], &[3]);
        assert_eq!(both.choose(W).unwrap(), ALL[3]);
        let hidden = Sizes {
            hidden: vec![3],
            ..sizes([3, 8], [8, 3], &[])
        };
        assert_eq!(hidden.choose(W).unwrap(), ALL[0]);
    }

    #[test]
    fn customs_tell_where_lengths_do_not() {
        let square = sizes([6, 6], [6, 6], &[6]);
        for (names, views) in [
            (["A1", "A2"], ALL[0]),
            (["0.weight", "2.weight"], ALL[0]),
            (["coefs_0", "coefs_1"], ALL[3]),
            (["dense_1/kernel", "dense_2/kernel"], ALL[3]),
        ] {
            assert_eq!(square.choose(names).unwrap(), views);
        }
        // Lengths are stronger.
        let torch = ["0.weight", "2.weight"];
        assert_eq!(sizes([3, 8], [8, 6], &[6]).choose(torch).unwrap(), ALL[3]);
    }

    #[test]
    fn two_readings_are_refused_and_named() {
        let said = |sizes: &Sizes| format!("{:?}", sizes.choose(W).unwrap_err());
        let square_first = said(&sizes([6, 6], [5, 6], &[5]));
        assert!(
            square_first.contains("both as they are, or with W1 transposed"),
            "{square_first}"
        );
        let unknown = said(&sizes([3, 8], [8, 3], &[]));
        assert!(
            unknown.contains("both as they are, or with both transposed"),
            "{unknown}"
        );
        let none = said(&sizes([3, 8], [7, 6], &[6]));
        assert!(none.contains("in no orientation"), "{none}");
        // Where b alone is at fault, b is told.
        assert_eq!(sizes([8, 3], [6, 8], &[5]).choose(W).unwrap(), ALL[0]);
        assert_eq!(sizes([3, 8], [8, 6], &[5]).choose(W).unwrap(), ALL[3]);
    }

    #[test]
    fn what_looks_transposed_is_told() {
        let said = |sizes: &Sizes| sizes.check_as_stored().map_err(|d| format!("{d:?}"));
        assert_eq!(said(&sizes([8, 3], [6, 8], &[6])), Ok(()));
        // Neither way: told later, array by array.
        assert_eq!(said(&sizes([8, 3], [6, 7], &[6])), Ok(()));
        let first = said(&sizes([3, 8], [6, 8], &[6])).unwrap_err();
        assert!(
            first.contains("A1 looks transposed") && first.contains("(8, 3)"),
            "{first}"
        );
        let second = said(&sizes([8, 3], [8, 6], &[6])).unwrap_err();
        assert!(
            second.contains("A2 looks transposed") && second.contains("(6, 8)"),
            "{second}"
        );
        let both = said(&sizes([3, 8], [8, 3], &[3])).unwrap_err();
        assert!(both.contains("A1 and A2 look transposed"), "{both}");
    }
}
