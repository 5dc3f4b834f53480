//! The warm starts of a [`DeepInversion`].

use super::continuation::Continuation;
use super::inversion::DeepInversion;
use super::point::DeepPoint;
use crate::inversion::FAR_OFF;
use crate::loss::{KullbackLeibler, LogRatio, Loss};
use twolayer_core::{
    Ladder, LinearBackend, Met, Objective, Restarts, RungMaker, Scalar, TellTarget, WarmStart,
    WhenRungs,
};

/// Two rungs: the log-ratios of all outcomes, in which a softmax does not saturate, from the start, then from
/// where a continuation from smooth activations leads if there are kinks, and then from random starts; and, off a
/// plateau, the divergence.
impl<B: LinearBackend> Ladder for DeepInversion<'_, B> {
    fn rung<'s, M: RungMaker<'s, B::Scalar>>(&'s self, number: usize, maker: M) -> Option<M::Rung> {
        if self.loss.name() == Loss::<B::Scalar>::name(&LogRatio) {
            return None;
        }
        let has_logarithms = self.target.support() == self.target.outcomes();
        let number = number + usize::from(!has_logarithms);
        let easier = match number {
            0 => {
                let restarts = match self.network.kinks() {
                    0 => Restarts::Random,
                    _ => Restarts::From(Box::new(Continuation::new(self))),
                };
                self.with_other_loss(&LogRatio, restarts)
            }
            1 => WarmStart {
                only_off_a_plateau: true,
                ..self.with_other_loss(&KullbackLeibler, Restarts::Random)
            },
            _ => return None,
        };
        Some(maker.make(easier))
    }

    /// With a nearness after a descent: the log-ratios lead to where it counts nothing.
    fn when_rungs(&self) -> WhenRungs {
        match self.nearness {
            None => WhenRungs::First,
            Some(_) => WhenRungs::AfterADescent,
        }
    }
}

impl<'a, B: LinearBackend> DeepInversion<'a, B> {
    /// Another loss, whose points tell the one that was asked for as well.
    fn with_other_loss<'s>(
        &'s self,
        loss: &'s dyn Loss<B::Scalar>,
        restarts: Restarts<'s, B::Scalar>,
    ) -> WarmStart<'s, DeepInversion<'s, B>> {
        let m = self.network.outcomes() as f64;
        WarmStart {
            // Without the nearness, whose minimum is another.
            objective: DeepInversion {
                nearness: None,
                ..self.clone().with_loss(loss)
            },
            restarts,
            within_reach: B::Scalar::of(0.5 * FAR_OFF.powi(2) * m),
            begins_at_the_source: false,
            only_off_a_plateau: false,
            target: Some(Box::new(Asked(self))),
        }
    }
}

/// The problem that was asked for, at points of another loss of the same network.
struct Asked<'s, 'a, B: LinearBackend>(&'s DeepInversion<'a, B>);

impl<B: LinearBackend> TellTarget<DeepPoint<B>, B::Scalar> for Asked<'_, '_, B> {
    fn value(&self, at: &DeepPoint<B>) -> B::Scalar {
        self.0.loss.value(&at.pass, &self.0.target) + self.0.distance(&at.x)
    }

    fn met(&self, at: &DeepPoint<B>) -> Option<Met> {
        let value = self.value(at);
        let errors = self.0.network.logit_errors(at);
        let noise = self
            .0
            .loss
            .rounding_error(&at.pass, &self.0.target, &errors);
        self.0.met(at, value, noise)
    }
}
