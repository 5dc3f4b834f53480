//! A problem file of which all is known but its numbers.

use super::arrays::{
    ARRAYS, COUNT, FIRST, FIRST_BIAS, NEAR_WEIGHT, PER_INPUT, SECOND, SECOND_BIAS, STARTS, TARGETS,
    WEIGHTS,
};
use super::chain::Chain;
use super::names::{self, Places};
use super::orientation::Sizes;
use crate::args::Names;
use crate::array::{Archive, Expected, Header, Number, Reading, Stored, Types, View, show_shape};
use crate::error::Error;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use twolayer::LinearBackend;

/// An archive with, for each array of a problem, its place and how it is to be read.
pub(super) struct Contents<R> {
    path: PathBuf,
    archive: Archive<R>,
    /// The names of all arrays in the archive.
    names: Vec<String>,
    places: Places,
    /// The headers as they are read, which a transposed matrix does not have.
    headers: [Option<Header>; COUNT],
    views: [View; COUNT],
    /// The layers between the first and the last.
    between: Vec<Between>,
    /// The names of activations; none where the file has none.
    activation: Vec<String>,
    types: Types,
}

/// The arrays of a layer between the first and the last.
struct Between {
    weights: Seen,
    bias: Option<Seen>,
}

/// An array with the header as it is read.
struct Seen {
    place: usize,
    header: Header,
    view: View,
}

/// How a matrix between the first and the last is read.
const MATRIX: Expected = Expected {
    name: "a layer's weights",
    shape: "(n, p), a column for each row of the layer before",
    ..ARRAYS[SECOND]
};

/// And its bias.
const BIAS: Expected = Expected {
    name: "a layer's bias",
    ..ARRAYS[FIRST_BIAS]
};

impl<R: Read + Seek> Contents<R> {
    /// Looks at all names and headers, and refuses what does not make a problem by these. `outcomes`
    /// is m by a file of targets, where there is one in the place of b.
    pub(super) fn look(
        path: &Path,
        file: R,
        names: Names,
        needs_target: bool,
        outcomes: Option<u64>,
    ) -> Result<Self, Error> {
        let archive = Archive::open(path, file)?;
        let found = archive.names()?;
        let places = match names {
            Names::Own => names::own(&found),
            Names::Auto => names::auto(&found),
        };
        let places = places.map_err(|defect| defect.in_file(path))?;
        let mut contents = Self {
            path: path.into(),
            archive,
            names: found,
            places,
            headers: [const { None }; COUNT],
            views: [View::AsStored; COUNT],
            between: Vec::new(),
            activation: Vec::new(),
            types: names.types(),
        };
        contents.read_headers(names, needs_target)?;
        contents.look_between(names)?;
        contents.orient(names, outcomes)?;
        Ok(contents)
    }

    fn read_headers(&mut self, names: Names, needs_target: bool) -> Result<(), Error> {
        for (slot, expected) in ARRAYS.iter().enumerate() {
            let Some(place) = self.places.slots[slot] else {
                continue;
            };
            let name = &self.names[place];
            let header = self.archive.header(place, name, self.types)?;
            let is_line = header.shape.len() == 2 && header.shape.contains(&1);
            let may_be_number = PER_INPUT.contains(&slot) || slot == NEAR_WEIGHT;
            let is_number = header.shape.is_empty() && may_be_number;
            if names == Names::Auto && expected.dimensions == [1] && is_line || is_number {
                self.views[slot] = View::Flat;
            }
            let header = header.seen(self.views[slot]);
            let checked = header.check_shape(name, expected);
            checked.map_err(|defect| defect.in_file(&self.path))?;
            self.headers[slot] = Some(header);
        }
        let is_missing = |slot: &usize| {
            let is_required = ARRAYS[*slot].required && (*slot != TARGETS || needs_target);
            is_required && self.headers[*slot].is_none()
        };
        match (0..COUNT).find(is_missing) {
            None => Ok(()),
            Some(slot) => {
                let Expected { name, shape, .. } = ARRAYS[slot];
                let found = format!("array {name} is missing");
                let hint = match (slot, names) {
                    (TARGETS, Names::Auto) => " (b1 and b2 are biases)",
                    _ => "",
                };
                let expected = format!("shape {shape}{hint}");
                Err(Error::content(&self.path, found, &expected))
            }
        }
    }

    /// The headers of the layers between, and the names of activations.
    fn look_between(&mut self, names: Names) -> Result<(), Error> {
        for (weights, bias) in self.places.between.clone() {
            let weights = self.see(names, weights, &MATRIX)?;
            let bias = bias.map(|bias| self.see(names, bias, &BIAS)).transpose()?;
            self.between.push(Between { weights, bias });
        }
        if let Some(place) = self.places.activation {
            self.activation = self.archive.words(place, &self.names[place])?;
        }
        Ok(())
    }

    fn see(&mut self, names: Names, place: usize, expected: &Expected) -> Result<Seen, Error> {
        let name = &self.names[place];
        let header = self.archive.header(place, name, self.types)?;
        let is_line = header.shape.len() == 2 && header.shape.contains(&1);
        let view = match names == Names::Auto && expected.dimensions == [1] && is_line {
            true => View::Flat,
            false => View::AsStored,
        };
        let header = header.seen(view);
        let checked = header.check_shape(name, expected);
        checked.map_err(|defect| defect.in_file(&self.path))?;
        Ok(Seen {
            place,
            header,
            view,
        })
    }

    /// Says which way the matrices lie, or that they lie the wrong way.
    fn orient(&mut self, names: Names, outcomes: Option<u64>) -> Result<(), Error> {
        if !self.between.is_empty() {
            return self.orient_all(names, outcomes);
        }
        let matrix = |slot: usize| {
            let shape = &self.headers[slot].as_ref()?.shape;
            <[u64; 2]>::try_from(&shape[..]).ok()
        };
        let (Some(first), Some(second)) = (matrix(FIRST), matrix(SECOND)) else {
            return Ok(());
        };
        let last = |slot| self.shape(slot).and_then(|shape| shape.last().copied());
        let b = outcomes.or_else(|| last(TARGETS));
        let sizes = Sizes {
            matrices: [first, second],
            inputs: last(STARTS)
                .into_iter()
                // One number tells no length.
                .chain(
                    PER_INPUT
                        .into_iter()
                        .filter_map(last)
                        .filter(|&length| length > 1),
                )
                .collect(),
            hidden: last(FIRST_BIAS).into_iter().collect(),
            outcomes: [b, last(SECOND_BIAS), last(WEIGHTS)]
                .into_iter()
                .flatten()
                .collect(),
        };
        let in_file = |defect: crate::array::Defect| defect.in_file(&self.path);
        let views = match names {
            Names::Own => {
                sizes.check_as_stored().map_err(in_file)?;
                return Ok(());
            }
            Names::Auto => {
                let names = [FIRST, SECOND].map(|slot| self.name(slot));
                sizes.choose(names).map_err(in_file)?
            }
        };
        for (slot, view) in [FIRST, SECOND].into_iter().zip(views) {
            self.views[slot] = view;
            let header = self.headers[slot].take();
            self.headers[slot] = header.map(|header| header.seen(view));
        }
        Ok(())
    }

    /// The same of more than two layers, which all lie one way.
    fn orient_all(&mut self, names: Names, outcomes: Option<u64>) -> Result<(), Error> {
        let last = |slot| self.shape(slot).and_then(|shape| shape.last().copied());
        let chain = Chain {
            matrices: self.matrices(),
            inputs: last(STARTS),
            outcomes: outcomes.or_else(|| last(TARGETS)),
        };
        let view = match names {
            Names::Own => chain.check_as_stored(),
            Names::Auto => chain.choose(),
        };
        let view = view.map_err(|defect| defect.in_file(&self.path))?;
        for slot in [FIRST, SECOND] {
            self.views[slot] = view;
            let header = self.headers[slot].take();
            self.headers[slot] = header.map(|header| header.seen(view));
        }
        for Between { weights, .. } in &mut self.between {
            weights.view = view;
            weights.header = weights.header.clone().seen(view);
        }
        Ok(())
    }

    /// Names and shapes of all matrices, from the first layer to the last.
    fn matrices(&self) -> Vec<(String, Vec<u64>)> {
        let of_slot = |slot: usize| {
            let shape = self.shape(slot).unwrap_or_default();
            (self.name(slot).to_owned(), shape.to_vec())
        };
        let between = self.between.iter().map(|layer| {
            let name = self.names[layer.weights.place].clone();
            (name, layer.weights.header.shape.clone())
        });
        let all = std::iter::once(of_slot(FIRST)).chain(between);
        all.chain([of_slot(SECOND)]).collect()
    }

    /// The numbers of rows of the hidden layers but the first, which has its own slot.
    pub(super) fn widths_between(&self) -> impl Iterator<Item = u64> {
        let rows = |layer: &Between| layer.weights.header.shape.first().copied();
        self.between.iter().filter_map(rows)
    }

    /// The names of activations; none where the file has none.
    pub(super) fn activation(&self) -> &[String] {
        &self.activation
    }

    /// Reads the weights and the bias of each layer between.
    #[expect(clippy::type_complexity, reason = "a matrix and a vector")]
    pub(super) fn read_between<B: LinearBackend>(
        &mut self,
        backend: &B,
    ) -> Result<Vec<(B::Matrix, Option<Vec<B::Scalar>>)>, Error> {
        let mut layers = Vec::with_capacity(self.between.len());
        for Between { weights, bias } in &self.between {
            let reading = |seen: &Seen, expected| Reading {
                name: &self.names[seen.place],
                expected,
                types: self.types,
                view: seen.view,
            };
            let matrix = self
                .archive
                .matrix(backend, weights.place, reading(weights, &MATRIX))?;
            let bias = bias.as_ref().map(|bias| {
                let array = self.archive.values(bias.place, reading(bias, &BIAS))?;
                Ok::<_, Error>(array.values)
            });
            layers.push((matrix, bias.transpose()?));
        }
        Ok(layers)
    }

    /// The name of an array in its file.
    fn name(&self, slot: usize) -> &str {
        match self.places.slots[slot] {
            Some(place) => &self.names[place],
            None => ARRAYS[slot].name,
        }
    }

    /// The shape that an array is read in, where it is there.
    pub(super) fn shape(&self, slot: usize) -> Option<&[u64]> {
        Some(&self.headers[slot].as_ref()?.shape)
    }

    /// How an array is stored, where it is there.
    pub(super) fn number(&self, slot: usize) -> Option<Number> {
        Some(self.headers[slot].as_ref()?.number)
    }

    /// What is read as what, in one line.
    pub(super) fn story(&self) -> String {
        let mut parts = Vec::new();
        for (slot, expected) in ARRAYS.iter().enumerate() {
            let Some(header) = &self.headers[slot] else {
                continue;
            };
            let name = self.name(slot);
            let last = self.between.len() + 2;
            let own = match slot {
                SECOND => format!("A{last}"),
                SECOND_BIAS => format!("c{last}"),
                _ => expected.name.to_owned(),
            };
            let mut part = format!("{own} {}", show_shape(&header.shape));
            if name != own {
                part += &format!(" from {name}");
            }
            if self.views[slot] == View::Transposed {
                part += ", transposed";
            }
            if !Types::Floats.include(header.number) {
                part += &format!(" ({})", header.number.story());
            }
            parts.push(part);
        }
        for (number, Between { weights, bias }) in self.between.iter().enumerate() {
            for (word, seen) in [("A", Some(weights)), ("c", bias.as_ref())] {
                let Some(seen) = seen else { continue };
                let name = &self.names[seen.place];
                let shape = show_shape(&seen.header.shape);
                let mut part = format!("{word}{} {shape} from {name}", number + 2);
                if seen.view == View::Transposed {
                    part += ", transposed";
                }
                parts.push(part);
            }
        }
        format!("{}: read as {}\n", self.path.display(), parts.join("; "))
    }

    /// Reads an array, where it is there.
    pub(super) fn read<B: LinearBackend>(
        &mut self,
        backend: &B,
        slot: usize,
    ) -> Result<Option<Stored<B>>, Error> {
        let Some(place) = self.places.slots[slot] else {
            return Ok(None);
        };
        let expected = &ARRAYS[slot];
        let reading = Reading {
            name: &self.names[place],
            expected,
            types: self.types,
            view: self.views[slot],
        };
        Ok(Some(if expected.is_matrix {
            Stored::Matrix(self.archive.matrix(backend, place, reading)?)
        } else {
            Stored::Values(self.archive.values(place, reading)?)
        }))
    }
}
