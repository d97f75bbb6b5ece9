//! The named instruments of a run: which ones it may reach, and which ones answer.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

use super::{NotStarted, Session};
use crate::equipment::{Live, LiveInstrument, MadeSafe};
use crate::instrument::scpi::Identity;
use crate::run::RunRequest;
use crate::source::Diagnostic;
use crate::store::NamedRecord;

impl Session {
    /// The named instruments that may be used with this CTP10. Beside a simulated CTP10, a real instrument is used only if a
    /// person has named it for that.
    fn reachable(&self, ctp10_is_simulated: bool) -> Live {
        let with_real = &self.setup.with_real;
        self.setup
            .live
            .only(|name, live| !ctp10_is_simulated || live.simulated.is_some() || with_real.contains(name))
    }

    fn is_simulated(&self) -> bool {
        let found = self.endpoint().instrument.last_identity();
        self.is_embedded() || found.is_some_and(|found| found.simulated())
    }

    /// The named instruments that a run may reach, and those that its recipe is known to use, as they were identified.
    ///
    /// # Errors
    /// If the recipe uses an instrument that the run must not reach, or that does not answer.
    pub(super) async fn named_for(
        &self,
        request: &RunRequest,
        ctp10: &Identity,
    ) -> Result<(Live, Vec<NamedRecord>), NotStarted> {
        let live = self.reachable(ctp10.simulated());
        let mut known = Vec::new();
        for name in request.named_instruments() {
            let Some(found) = live.get(&name) else { return Err(NotStarted::Recipe(vec![barred(&name)])) };
            known.push(identify(&name, found).await?);
        }
        Ok((live, known))
    }

    /// Makes all named instruments safe that this session may reach.
    pub(super) async fn make_named_safe(&self) -> MadeSafe {
        let live = self.reachable(self.is_simulated());
        let names: BTreeSet<String> = live.iter().map(|(name, _)| name.to_owned()).collect();
        live.make_safe(&names).await
    }

    /// Makes the named instruments safe that the items of a batch have kept as they were.
    pub async fn make_kept_safe(&self) -> MadeSafe {
        let live = self.reachable(self.is_simulated());
        let kept = std::mem::take(&mut *self.kept());
        live.make_safe(&kept).await
    }

    /// The instruments that earlier items of a batch have kept as they were.
    pub(super) fn kept_names(&self) -> BTreeSet<String> {
        self.kept().clone()
    }

    fn kept(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the instruments that a run may have kept as they were.
    pub(super) fn note_kept(&self, request: &RunRequest) {
        if request.is_item {
            let live = &self.setup.live;
            let used = request.named_instruments().into_iter();
            let kept = used.filter(|name| live.get(name).is_some_and(|live| live.keep_between_items));
            self.kept().extend(kept);
        }
    }
}

async fn identify(name: &str, live: &LiveInstrument) -> Result<NamedRecord, NotStarted> {
    let identity = live.device.identify().await;
    let identity =
        identity.map_err(|error| NotStarted::Named { name: name.to_owned(), error: Box::new(error) })?;
    let says_so = identity.as_ref().is_some_and(|identity| identity.contains("SIMULATED"));
    Ok(NamedRecord {
        name: name.to_owned(),
        address: live.device.settings().to_string(),
        simulated: live.simulated.is_some() || says_so,
        identity,
    })
}

fn barred(name: &str) -> Diagnostic {
    let message = format!("the CTP10 is simulated, and the recipe uses the real instrument `{name}`");
    let hint = format!(
        "to use the real one, pass `--with-real {name}`; for a simulated one, see `simulator` in the recipe reference"
    );
    Diagnostic::error(message).hint(hint)
}
