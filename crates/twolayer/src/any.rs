//! A network of two layers or of more, chosen while the program runs.

mod inversion;
mod network;

pub use inversion::{AnyInversion, AnyPoint, AnyScratch};
pub use network::{AnyNetwork, AnyPass, NetworkRef};
