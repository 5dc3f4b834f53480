//! A problem file of which all is known but its numbers.

use super::arrays::{
    ARRAYS, COUNT, FIRST, FIRST_BIAS, LOWER, SECOND, SECOND_BIAS, STARTS, TARGETS, UPPER, WEIGHTS,
};
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
    types: Types,
}

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
            types: names.types(),
        };
        contents.read_headers(names, needs_target)?;
        contents.orient(names, outcomes)?;
        Ok(contents)
    }

    fn read_headers(&mut self, names: Names, needs_target: bool) -> Result<(), Error> {
        for (slot, expected) in ARRAYS.iter().enumerate() {
            let Some(place) = self.places[slot] else {
                continue;
            };
            let name = &self.names[place];
            let header = self.archive.header(place, name, self.types)?;
            let is_line = header.shape.len() == 2 && header.shape.contains(&1);
            let is_number = header.shape.is_empty() && [LOWER, UPPER].contains(&slot);
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

    /// Says which way the matrices lie, or that they lie the wrong way.
    fn orient(&mut self, names: Names, outcomes: Option<u64>) -> Result<(), Error> {
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
            // A bound may be one number.
            inputs: [last(STARTS), last(LOWER), last(UPPER)]
                .into_iter()
                .flatten()
                .enumerate()
                .filter(|&(place, length)| {
                    place == 0 && self.headers[STARTS].is_some() || length > 1
                })
                .map(|(_, length)| length)
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

    /// The name of an array in its file.
    fn name(&self, slot: usize) -> &str {
        match self.places[slot] {
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
            let mut part = format!("{} {}", expected.name, show_shape(&header.shape));
            if name != expected.name {
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
        format!("{}: read as {}\n", self.path.display(), parts.join("; "))
    }

    /// Reads an array, where it is there.
    pub(super) fn read<B: LinearBackend>(
        &mut self,
        backend: &B,
        slot: usize,
    ) -> Result<Option<Stored<B>>, Error> {
        let Some(place) = self.places[slot] else {
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
