//! Where a prover's time goes: CPU time between the events of [`zkmargin_circuits::phase`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cpu_time::ProcessTime;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::{Layer, Registry};
use zkmargin_circuits::phase::{Phase, TARGET};

/// CPU time by phase, in the order of [`Phase::ALL`].
pub(super) type ByPhase = [Duration; Phase::ALL.len()];

struct Clock {
    since: ProcessTime,
    spent: ByPhase,
}

/// Adds what passed since the phase before to the phase that has ended.
struct Recorder(Arc<Mutex<Clock>>);

/// The value of the field `ended`.
struct Ended(Option<usize>);

impl Visit for Ended {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "ended" {
            self.0 = Phase::ALL.iter().position(|phase| phase.name() == value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl<S: tracing::Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let mut ended = Ended(None);
        event.record(&mut ended);
        let now = ProcessTime::now();
        let mut clock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.duration_since(clock.since);
        clock.since = now;
        if let Some(spent) = ended.0.and_then(|place| clock.spent.get_mut(place)) {
            *spent += passed;
        }
    }
}

/// Runs something that proves on this thread, and what of its CPU time, of all threads, each phase took.
pub(super) fn record<T>(prove: impl FnOnce() -> T) -> (T, ByPhase) {
    let clock = Arc::new(Mutex::new(Clock {
        since: ProcessTime::now(),
        spent: ByPhase::default(),
    }));
    let subscriber = Registry::default().with(Recorder(clock.clone()));
    let done = tracing::subscriber::with_default(subscriber, prove);
    let spent = clock.lock().unwrap_or_else(PoisonError::into_inner).spent;
    (done, spent)
}
