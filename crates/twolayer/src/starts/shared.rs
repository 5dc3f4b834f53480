//! What far starts know of a network, whatever its targets.

use crate::network::TwoLayer;
use crate::starts::determining::Determining;
use crate::starts::few::Few;
use crate::starts::lift::Lift;
use std::sync::{Arc, OnceLock};
use twolayer_core::LinearBackend;

/// Made where the first target asks for it, and shared by all others of the network.
#[derive(Debug)]
pub(crate) struct Shared<B: LinearBackend> {
    /// On the threads of one network, from those that all of its copies share.
    own: Arc<Parts<B>>,
    of_all: Arc<Parts<B>>,
}

#[derive(Debug)]
struct Parts<B: LinearBackend> {
    few: OnceLock<Option<Arc<Few<B>>>>,
    lift: OnceLock<Option<Arc<Lift<B>>>>,
    determining: OnceLock<Option<Determining<B>>>,
}

// Not derived: nothing is asked of the backend.
impl<B: LinearBackend> Default for Parts<B> {
    fn default() -> Self {
        Self {
            few: OnceLock::new(),
            lift: OnceLock::new(),
            determining: OnceLock::new(),
        }
    }
}

impl<B: LinearBackend> Default for Shared<B> {
    fn default() -> Self {
        Self {
            own: Arc::default(),
            of_all: Arc::default(),
        }
    }
}

impl<B: LinearBackend> Clone for Shared<B> {
    fn clone(&self) -> Self {
        Self {
            own: Arc::clone(&self.own),
            of_all: Arc::clone(&self.of_all),
        }
    }
}

impl<B: LinearBackend> Shared<B> {
    /// The same for a copy of the network on another number of threads.
    pub(crate) fn on_other_threads(&self) -> Self {
        Self {
            own: Arc::default(),
            of_all: Arc::clone(&self.of_all),
        }
    }

    /// A few of the outcomes.
    pub(crate) fn few(&self, network: &TwoLayer<B>) -> Option<&Few<B>> {
        let make = || Few::new(network).map(Arc::new);
        let shared = || self.of_all.few.get_or_init(make).as_ref();
        let own = || shared().map(|few| Arc::new(few.on(network.backend())));
        self.own.few.get_or_init(own).as_deref()
    }

    /// The outcomes that determine the others, and the projections of the splitting.
    pub(crate) fn lift(&self, network: &TwoLayer<B>) -> Option<&Lift<B>> {
        let make = || Lift::new(network, || self.determining(network)).map(Arc::new);
        let shared = || self.of_all.lift.get_or_init(make).as_ref();
        let own = || shared().map(|lift| Arc::new(lift.on(network.backend())));
        self.own.lift.get_or_init(own).as_deref()
    }

    /// Outcomes that determine the others, where there are more than it takes.
    pub(crate) fn determining(&self, network: &TwoLayer<B>) -> Option<&Determining<B>> {
        let make = || Determining::of_all(network);
        self.of_all.determining.get_or_init(make).as_ref()
    }
}
