//! A network of two layers or of more, chosen while the program runs.

mod inversion;
mod network;
mod point;

pub use inversion::AnyInversion;
pub use network::{AnyNetwork, AnyPass, NetworkRef};
pub use point::{AnyPoint, AnyScratch};
