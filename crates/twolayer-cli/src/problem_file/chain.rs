//! Which way the matrices of more than two layers lie.

use super::names::convention;
use crate::array::{Defect, View, show_shape};

/// The matrices of all layers, and what else is known of the first and last lengths.
pub(super) struct Chain {
    /// Names and shapes as stored, from the first layer to the last.
    pub(super) matrices: Vec<(String, Vec<u64>)>,
    pub(super) inputs: Option<u64>,
    pub(super) outcomes: Option<u64>,
}

impl Chain {
    /// Inputs and outputs of a layer.
    fn sides(shape: &[u64], view: View) -> (u64, u64) {
        let [rows, columns] = [0, 1].map(|side| shape.get(side).copied().unwrap_or(0));
        match view {
            View::Transposed => (rows, columns),
            _ => (columns, rows),
        }
    }

    /// The first layer that does not fit the one before.
    fn misfit(&self, view: View) -> Option<usize> {
        let mut pairs = self.matrices.windows(2);
        let layer = pairs.position(|pair| {
            let (_, outputs) = Self::sides(&pair[0].1, view);
            let (inputs, _) = Self::sides(&pair[1].1, view);
            outputs != inputs
        });
        layer.map(|layer| layer + 1)
    }

    fn fits_others(&self, view: View) -> bool {
        let ends = (self.matrices.first(), self.matrices.last());
        let (Some(first), Some(last)) = ends else {
            return false;
        };
        let (inputs, _) = Self::sides(&first.1, view);
        let (_, outcomes) = Self::sides(&last.1, view);
        self.inputs.is_none_or(|known| known == inputs)
            && self.outcomes.is_none_or(|known| known == outcomes)
    }

    /// Refuses a layer that does not fit the one before.
    pub(super) fn check_as_stored(&self) -> Result<View, Defect> {
        let Some(layer) = self.misfit(View::AsStored) else {
            return Ok(View::AsStored);
        };
        let (name, shape) = &self.matrices[layer];
        let (before, rows) = &self.matrices[layer - 1];
        let (_, outputs) = Self::sides(rows, View::AsStored);
        let hint = match self.misfit(View::Transposed) {
            None => " (all look transposed: --names auto reads either orientation)",
            Some(_) => "",
        };
        Err(Defect::new(
            format!("{name} has shape {}", show_shape(shape)),
            format!("(n, {outputs}), a column for each row of {before}{hint}"),
        ))
    }

    /// The one way in which all fit; where both do, the custom of a program that gives such names.
    pub(super) fn choose(&self) -> Result<View, Defect> {
        let both = [View::AsStored, View::Transposed];
        let matching: Vec<_> = both
            .into_iter()
            .filter(|&view| self.misfit(view).is_none())
            .collect();
        let fitting: Vec<_> = matching
            .iter()
            .copied()
            .filter(|&view| self.fits_others(view))
            .collect();
        let custom = self.matrices.first().and_then(|(name, _)| convention(name));
        match (&fitting[..], &matching[..]) {
            (&[view], _) | ([], &[view]) => Ok(view),
            ([_, _], _) | ([], [_, _]) if custom.is_some() => Ok(custom.unwrap_or(View::AsStored)),
            ([], []) => self.check_as_stored(),
            _ => Err(Defect::new(
                format!("{} and the others fit either way", self.shapes()),
                "names that tell the orientation, such as A1, 0.weight or coefs_0",
            )),
        }
    }

    fn shapes(&self) -> String {
        let shapes = self.matrices.iter();
        let shapes: Vec<_> = shapes
            .map(|(name, shape)| format!("{name} {}", show_shape(shape)))
            .collect();
        shapes.join(", ")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's way to fail")]
    use super::*;

    fn chain(names: [&str; 3], shapes: [[u64; 2]; 3], outcomes: Option<u64>) -> Chain {
        let pairs = names.iter().zip(shapes);
        Chain {
            matrices: pairs
                .map(|(name, shape)| ((*name).to_owned(), shape.to_vec()))
                .collect(),
            inputs: None,
            outcomes,
        }
    }

    #[test]
    fn the_one_way_that_fits_is_found() {
        let names = ["W1", "W2", "W3"];
        let stored = [[5, 4], [6, 5], [7, 6]];
        let turned = stored.map(|[rows, columns]| [columns, rows]);
        assert_eq!(chain(names, stored, None).choose().unwrap(), View::AsStored);
        assert_eq!(
            chain(names, turned, None).choose().unwrap(),
            View::Transposed
        );
        // Square ones: by the names, or not at all.
        let square = [[4, 4]; 3];
        assert!(chain(names, square, Some(4)).choose().is_err());
        let coefs = ["coefs_0", "coefs_1", "coefs_2"];
        assert_eq!(
            chain(coefs, square, None).choose().unwrap(),
            View::Transposed
        );
        // By m.
        let either = [[4, 4], [4, 4], [7, 4]];
        assert_eq!(
            chain(names, either, Some(7)).choose().unwrap(),
            View::AsStored
        );
        assert!(
            chain(names, [[5, 4], [6, 4], [7, 6]], None)
                .choose()
                .is_err()
        );
    }

    #[test]
    fn a_layer_that_does_not_fit_is_named() {
        let names = ["A1", "A2", "A3"];
        let fits = chain(names, [[5, 4], [6, 5], [7, 6]], None);
        assert_eq!(fits.check_as_stored().unwrap(), View::AsStored);
        let said = |shapes| {
            format!(
                "{:?}",
                chain(names, shapes, None).check_as_stored().unwrap_err()
            )
        };
        let words = said([[5, 4], [6, 3], [7, 6]]);
        assert!(
            words.contains("A2 has shape (6, 3)") && words.contains("(n, 5)"),
            "{words}"
        );
        assert!(said([[4, 5], [5, 6], [6, 7]]).contains("all look transposed"));
    }
}
