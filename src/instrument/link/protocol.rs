//! What a link must know of the instrument at its end: how the instrument is identified, and where it reports errors.

use crate::instrument::reply::Identity;
use crate::instrument::transport::LineEnd;
use crate::shown;

/// Maker, model, serial number and firmware.
const IDENTITY_FIELDS: usize = 4;

/// How to speak with the instrument at the end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::instrument) struct Protocol {
    /// The end of each line that is sent.
    pub(in crate::instrument) line_end: LineEnd,
    /// How the instrument is identified; `None` for an instrument that cannot tell its name.
    pub(in crate::instrument) identify: Option<Identify>,
    /// The lines that are sent when the instrument has been identified.
    pub(in crate::instrument) setup: Vec<String>,
    /// The query for the next entry of the error queue.
    pub(in crate::instrument) errors: Option<String>,
    /// Other clients may leave errors in the queue, so the queue is emptied before each command.
    pub(in crate::instrument) shares_errors: bool,
}

/// How an instrument is identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::instrument) struct Identify {
    /// The query.
    pub(in crate::instrument) query: String,
    /// What the reply must be.
    pub(in crate::instrument) rule: IdentityRule,
}

/// What the reply to the identity query must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::instrument) enum IdentityRule {
    /// Maker, model, serial number and firmware.
    FourFields,
    /// Any text that contains this one.
    Contains(String),
}

/// A reply that is not the identity of the expected instrument.
pub(in crate::instrument) enum WrongIdentity {
    /// The reply is not from an instrument.
    NoInstrument,
    /// The reply does not name an instrument.
    Empty,
    /// The reply is from another instrument.
    Other {
        /// The text that the reply must contain.
        expected: String,
    },
}

impl Identify {
    /// The identity in a reply.
    pub(in crate::instrument) fn read(&self, reply: &str) -> Result<Identity, WrongIdentity> {
        let reply = reply.trim();
        match &self.rule {
            IdentityRule::FourFields => {
                let found = Identity::read(reply).filter(|_| reply.split(',').count() >= IDENTITY_FIELDS);
                match found.ok_or(WrongIdentity::NoInstrument)? {
                    found if found.is_empty() => Err(WrongIdentity::Empty),
                    found => Ok(found),
                }
            }
            IdentityRule::Contains(expected) if reply.contains(expected.as_str()) => {
                let named = |maker: &str| Identity { maker: maker.to_owned(), ..Identity::default() };
                Ok(Identity::read(reply).unwrap_or_else(|| named(&shown::beginning(reply))))
            }
            IdentityRule::Contains(expected) => Err(WrongIdentity::Other { expected: expected.clone() }),
        }
    }
}
