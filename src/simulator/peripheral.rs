//! What the simulated instruments beside the CTP10 have in common: identity, error queue and common commands.

use super::call::Call;
use super::chip::SharedChip;
use super::commands::Reply;
use super::errors::{ErrorQueue, Rejection};
use super::grammar::Node;
use super::part::Part;
use super::simulated::Simulated;
use super::vocabulary::{Facts, Vocabulary, headers};

/// The commands of one kind of instrument.
pub(super) trait Model: Send + 'static {
    type Header: Vocabulary;

    const PART: Part;
    /// The model in the identity.
    const MODEL: &'static str;

    /// The instrument at power-on.
    fn new(chip: SharedChip) -> Self;

    /// Executes a command of its own; `None` is no reply.
    fn execute(&mut self, call: &Call<'_, Self::Header>) -> Result<Option<String>, Rejection>;

    /// Returns to the state at power-on.
    fn reset(&mut self);
}

headers! {
    /// The commands that every one of these instruments has.
    Common {
        Asked Identity = "*IDN",
        Told Clear = "*CLS",
        Told Reset = "*RST",
        Asked Complete = "*OPC",
        Told Wait = "*WAI",
        Asked Error = "SYSTem:ERRor[:NEXT]",
        Asked ErrorCount = "SYSTem:ERRor:COUNt",
        Asked Version = "SYSTem:VERSion",
    }
}

/// A header of an instrument: a common one, or its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word<H> {
    Common(Common),
    Own(H),
}

impl<H: Vocabulary> Vocabulary for Word<H> {
    fn lookup(nodes: &[Node]) -> Option<(Self, Vec<Option<u32>>)> {
        let common = Common::find(nodes).map(|(header, suffixes)| (Self::Common(header), suffixes));
        common.or_else(|| H::lookup(nodes).map(|(header, suffixes)| (Self::Own(header), suffixes)))
    }

    fn facts(self) -> Facts {
        match self {
            Self::Common(header) => {
                let (pattern, used) = header.entry();
                Facts::plain(pattern, used)
            }
            Self::Own(header) => header.facts(),
        }
    }
}

/// A simulated instrument with its error queue. Each command ends at once, so that nothing waits.
#[derive(Debug)]
pub(super) struct Peripheral<M> {
    pub(super) model: M,
    errors: ErrorQueue,
}

impl<M: Model> Peripheral<M> {
    pub(super) fn new(model: M) -> Self {
        Self { model, errors: ErrorQueue::default() }
    }

    fn common(&mut self, header: Common) -> Option<String> {
        match header {
            Common::Identity => {
                Some(format!("CTP10 SIMULATOR,{},SIMULATED,{}", M::MODEL, env!("CARGO_PKG_VERSION")))
            }
            Common::Clear => {
                self.errors.clear();
                None
            }
            Common::Reset => {
                self.model.reset();
                None
            }
            Common::Complete => Some("1".to_owned()),
            Common::Wait => None,
            Common::Error => Some(self.errors.next()),
            Common::ErrorCount => Some(self.errors.len().to_string()),
            Common::Version => Some("1999.0".to_owned()),
        }
    }
}

impl<M: Model> Simulated for Peripheral<M> {
    type Header = Word<M::Header>;

    const REPLY_END: &'static str = "\n";

    fn execute(&mut self, call: &Call<'_, Self::Header>, _waited: bool) -> Result<Reply, Rejection> {
        call.check_use()?;
        let reply = match call.header {
            Word::Common(header) => {
                call.none()?;
                self.common(header)
            }
            Word::Own(header) => self.model.execute(&Call {
                header,
                suffixes: call.suffixes.clone(),
                query: call.query,
                immediate: call.immediate,
                arguments: call.arguments,
            })?,
        };
        Ok(reply.map_or(Reply::Nothing, Reply::Text))
    }

    fn waits_for(&mut self, _call: &Call<'_, Self::Header>) -> Option<u64> {
        None
    }

    fn reject(&mut self, rejection: Rejection, about: &str) {
        self.errors.push(rejection, about);
    }

    /// These instruments have no status byte.
    fn mark_replied(&mut self, _replied: bool) {}

    /// Nothing lasts that could hang.
    fn hang(&mut self) {}

    fn restart(&mut self) {
        self.errors.clear();
        self.model.reset();
    }
}
