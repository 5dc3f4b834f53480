//! A network of dense layers: validated once, then trusted.

use super::layer::{Affine, Hidden};
use crate::network::masks;
use crate::target::Target;
use std::sync::Arc;
use twolayer_core::{Activation, ActivationName, Error, LinearBackend};

/// x ↦ softmax(A_L φ(… φ(A_1 x + c_1) …) + c_L): dense layers with any [`Activation`] between them.
///
/// Everything in it is finite, but for −∞ in c_L, and fits together. A clone shares the matrices.
#[derive(Debug, Clone)]
pub struct DeepNetwork<B: LinearBackend> {
    backend: B,
    inputs: usize,
    /// Where the activations were given by name.
    names: Vec<ActivationName>,
    pub(super) hidden: Vec<Hidden<B>>,
    pub(super) output: Affine<B>,
}

/// How the layers' matrices and biases are called in messages.
const NAMES: [(&str, &str); 16] = [
    ("A1", "c1"),
    ("A2", "c2"),
    ("A3", "c3"),
    ("A4", "c4"),
    ("A5", "c5"),
    ("A6", "c6"),
    ("A7", "c7"),
    ("A8", "c8"),
    ("A9", "c9"),
    ("A10", "c10"),
    ("A11", "c11"),
    ("A12", "c12"),
    ("A13", "c13"),
    ("A14", "c14"),
    ("A15", "c15"),
    ("a layer behind A15", "a bias behind c15"),
];

fn names(layer: usize) -> (&'static str, &'static str) {
    NAMES[layer.min(NAMES.len() - 1)]
}

impl<B: LinearBackend> DeepNetwork<B> {
    /// Of the matrices A_1 … A_L, A_l of n_l rows and n_{l−1} columns, with the activations of the L − 1 hidden
    /// layers between them, without biases.
    ///
    /// # Errors
    /// Other than one activation fewer than matrices, a dimension of zero, shapes that do not follow one
    /// another, an entry that is NaN or infinite.
    pub fn new(
        backend: B,
        weights: Vec<B::Matrix>,
        activations: Vec<Arc<dyn Activation<B::Scalar>>>,
    ) -> Result<Self, Error> {
        let layers = weights.len();
        if activations.len() + 1 != layers {
            return Err(Error::Shape {
                name: "activations",
                found: format!("({},)", activations.len()),
                expected: match layers {
                    0 => "the activations of at least one matrix".into(),
                    _ => format!(
                        "({},): one between each two of {layers} matrices",
                        layers - 1
                    ),
                },
            });
        }
        let mut width = None;
        let mut affine = Vec::with_capacity(layers);
        for (layer, weights) in weights.into_iter().enumerate() {
            let (name, (nrows, ncols)) = (
                names(layer).0,
                (backend.nrows(&weights), backend.ncols(&weights)),
            );
            if let Some(width) = width.filter(|&width| width != ncols) {
                return Err(Error::Shape {
                    name,
                    found: format!("({nrows}, {ncols})"),
                    expected: format!("(m, {width}): a column for each row of the layer before"),
                });
            }
            width = Some(nrows);
            affine.push(Affine::new(&backend, name, weights)?);
        }
        let inputs = affine
            .first()
            .map_or(0, |first| backend.ncols(&first.weights));
        let Some(output) = affine.pop() else {
            // The shape was refused above.
            return Err(Error::Empty {
                name: "A1",
                found: "(0, 0)".into(),
            });
        };
        let hidden = affine.into_iter().zip(activations);
        let hidden = hidden.map(|(affine, activation)| Hidden {
            affine,
            kinks: activation.kinks(),
            activation,
            first_kink: 0,
            first_row: None,
        });
        Ok(Self {
            backend,
            inputs,
            names: Vec::new(),
            hidden: hidden.collect(),
            output,
        }
        .numbered())
    }

    /// The same with activations by name.
    ///
    /// # Errors
    /// As [`DeepNetwork::new`].
    pub fn named(
        backend: B,
        weights: Vec<B::Matrix>,
        activations: &[ActivationName],
    ) -> Result<Self, Error> {
        let made = activations.iter().map(|name| name.make()).collect();
        Ok(Self {
            names: activations.to_vec(),
            ..Self::new(backend, weights, made)?
        })
    }

    /// Numbers kinks and rows through all layers.
    fn numbered(mut self) -> Self {
        let (mut kinks, mut rows) = (0, self.outcomes());
        for layer in &mut self.hidden {
            layer.first_kink = kinks;
            kinks = layer.kink_numbers().end;
            layer.first_row = layer.activation.bends().then_some(rows);
            if layer.first_row.is_some() {
                rows += layer.units();
            }
        }
        self
    }

    /// The same network with biases c_1 … c_L. An outcome whose entry of c_L is −∞ never comes: it is masked.
    ///
    /// # Errors
    /// Other than L biases, a wrong length, an entry that is NaN or infinite, but for −∞ in c_L, or a c_L of
    /// nothing else.
    pub fn with_biases(mut self, biases: Vec<Vec<B::Scalar>>) -> Result<Self, Error> {
        Error::check_length("biases", biases.len(), self.layers())?;
        let last = biases.len() - 1;
        for (layer, bias) in biases.into_iter().enumerate() {
            let name = names(layer).1;
            let affine = match layer == last {
                true => &mut self.output,
                false => &mut self.hidden[layer].affine,
            };
            Error::check_length(name, bias.len(), affine.bias.len())?;
            match layer == last {
                true => masks::check(name, &bias)?,
                false => Error::check_finite(name, &bias)?,
            }
            affine.bias = bias;
        }
        Ok(self)
    }

    /// The same network, its matrices shared and not copied, on at most so many threads.
    #[must_use]
    pub fn with_threads(&self, threads: usize) -> Self {
        Self {
            backend: self.backend.with_threads(threads),
            ..self.clone()
        }
    }

    /// The same network with smooth activations in the place of those with kinks, that differ from them within
    /// about `width` of the kinks.
    pub(super) fn smoothed(&self, width: B::Scalar) -> Self {
        let mut network = self.clone();
        for layer in &mut network.hidden {
            if let Some(smooth) = layer.activation.smoothed(width) {
                layer.kinks = smooth.kinks();
                layer.activation = smooth;
            }
        }
        network.numbered()
    }

    /// The linear algebra library.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// L, the number of matrices.
    pub fn layers(&self) -> usize {
        self.hidden.len() + 1
    }

    /// Matrix and bias of every layer, from the first to the last.
    pub fn affine_maps(&self) -> impl Iterator<Item = (&B::Matrix, &[B::Scalar])> {
        let hidden = self.hidden.iter().map(|layer| &layer.affine);
        let all = hidden.chain([&self.output]);
        all.map(|affine| (&*affine.weights, &affine.bias[..]))
    }

    /// The names of the activations; none of a network that was made without.
    pub fn activation_names(&self) -> &[ActivationName] {
        &self.names
    }

    /// The activations of the hidden layers.
    pub fn activations(&self) -> impl Iterator<Item = &Arc<dyn Activation<B::Scalar>>> {
        self.hidden.iter().map(|layer| &layer.activation)
    }

    /// d, the number of unknowns.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// n_1 … n_{L−1}, the numbers of hidden units.
    pub fn widths(&self) -> impl Iterator<Item = usize> {
        self.hidden.iter().map(Hidden::units)
    }

    /// m, the number of outcomes.
    pub fn outcomes(&self) -> usize {
        self.output.bias.len()
    }

    /// The kinks of all hidden units together.
    pub fn kinks(&self) -> usize {
        self.hidden
            .last()
            .map_or(0, |layer| layer.kink_numbers().end)
    }

    /// m and the rows of J_l of all layers that bend.
    pub(super) fn rows(&self) -> usize {
        let bending = self.hidden.iter().filter(|layer| layer.first_row.is_some());
        self.outcomes() + bending.map(Hidden::units).sum::<usize>()
    }

    /// The layer that a kink belongs to.
    pub(super) fn layer_of(&self, kink: usize) -> usize {
        self.hidden
            .partition_point(|layer| layer.kink_numbers().end <= kink)
    }

    /// Checks that a target is one of this network.
    ///
    /// # Errors
    /// Other than m outcomes, or a probability of one that is masked.
    pub fn check_target(&self, target: &Target<B::Scalar>) -> Result<(), Error> {
        Error::check_length("b", target.outcomes(), self.outcomes())?;
        masks::check_target(&self.output.bias, target)
    }
}
