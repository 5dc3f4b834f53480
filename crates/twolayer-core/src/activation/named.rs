//! Activations by name, as files and options have them.

use super::{
    Activation, Gelu, GeluTanh, HardTanh, Identity, LeakyRelu, Relu, Sigmoid, Silu, Softplus, Tanh,
};
use crate::scalar::Scalar;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One of the activations of this crate: `relu`, `leaky-relu:0.01` (of any slope), `softplus`, `tanh`,
/// `gelu`, `gelu-tanh`, `silu`, `sigmoid`, `hard-tanh` or `identity`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum ActivationName {
    /// [`Relu`].
    #[default]
    Relu,
    /// [`LeakyRelu`] of this slope.
    LeakyRelu(f64),
    /// [`Softplus`] of width 1.
    Softplus,
    /// [`Tanh`].
    Tanh,
    /// [`Gelu`].
    Gelu,
    /// [`GeluTanh`].
    GeluTanh,
    /// [`Silu`].
    Silu,
    /// [`Sigmoid`].
    Sigmoid,
    /// [`HardTanh`].
    HardTanh,
    /// [`Identity`].
    Identity,
}

/// A name that no activation has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no activation is called `{0}`; expected {known}", known = Self::KNOWN)]
pub struct UnknownActivation(pub String);

impl UnknownActivation {
    /// The names that there are.
    pub const KNOWN: &'static str = "one of relu, leaky-relu:SLOPE, softplus, tanh, gelu, gelu-tanh, silu, sigmoid, \
                                     hard-tanh, identity";
}

impl ActivationName {
    /// All, leaky ReLU with the slope that PyTorch gives it.
    pub const ALL: [Self; 10] = [
        Self::Relu,
        Self::LeakyRelu(0.01),
        Self::Softplus,
        Self::Tanh,
        Self::Gelu,
        Self::GeluTanh,
        Self::Silu,
        Self::Sigmoid,
        Self::HardTanh,
        Self::Identity,
    ];

    /// The activation.
    pub fn make<T: Scalar>(self) -> Arc<dyn Activation<T>> {
        match self {
            Self::Relu => Arc::new(Relu),
            Self::LeakyRelu(slope) => Arc::new(LeakyRelu {
                slope: T::of(slope),
            }),
            Self::Softplus => Arc::new(Softplus { width: T::one() }),
            Self::Tanh => Arc::new(Tanh),
            Self::Gelu => Arc::new(Gelu),
            Self::GeluTanh => Arc::new(GeluTanh),
            Self::Silu => Arc::new(Silu),
            Self::Sigmoid => Arc::new(Sigmoid),
            Self::HardTanh => Arc::new(HardTanh),
            Self::Identity => Arc::new(Identity),
        }
    }
}

impl fmt::Display for ActivationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Relu => "relu",
            Self::LeakyRelu(slope) => return write!(f, "leaky-relu:{slope}"),
            Self::Softplus => "softplus",
            Self::Tanh => "tanh",
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu-tanh",
            Self::Silu => "silu",
            Self::Sigmoid => "sigmoid",
            Self::HardTanh => "hard-tanh",
            Self::Identity => "identity",
        };
        f.write_str(name)
    }
}

impl FromStr for ActivationName {
    type Err = UnknownActivation;

    /// Case does not count, nor does `_` for `-`; `leaky-relu` alone has the slope 0.01.
    fn from_str(text: &str) -> Result<Self, UnknownActivation> {
        let unknown = || UnknownActivation(text.into());
        let name = text.trim().to_lowercase().replace('_', "-");
        if let Some(slope) = name.strip_prefix("leaky-relu:") {
            let slope: Option<f64> = slope.trim().parse().ok();
            let slope = slope.filter(|slope| slope.is_finite());
            return slope.map(Self::LeakyRelu).ok_or_else(unknown);
        }
        let known = match name.as_str() {
            "leaky-relu" => Self::LeakyRelu(0.01),
            // As scikit-learn has it.
            "logistic" => Self::Sigmoid,
            "swish" => Self::Silu,
            _ => {
                let mut all = Self::ALL.into_iter();
                all.find(|known| known.to_string() == name)
                    .ok_or_else(unknown)?
            }
        };
        Ok(known)
    }
}
