//! The tokens of the server, and what they allow.

use serde::{Deserialize, Serialize};
use subtle::{Choice, ConstantTimeEq};

/// The shortest allowed token; a shorter one could be guessed.
const SHORTEST: usize = 16;

/// What a request may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::sidecar) enum Right {
    /// Look at runs and at live power.
    ReadOnly,
    /// Everything.
    Full,
}

/// The tokens of the server.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// The token that allows everything; required if other computers can connect.
    pub full: Option<String>,
    /// The token that only allows to look.
    pub read_only: Option<String>,
}

/// Why tokens cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongToken {
    /// The token is too short, or contains characters that a header cannot carry.
    #[error(
        "the {} must have at least {SHORTEST} letters, digits and punctuation marks, but no space, `;` or `,`",
        if *.read_only { "read-only token" } else { "token" }
    )]
    Weak {
        /// Which of the two tokens.
        read_only: bool,
    },
    /// A read-only token without a token that allows everything.
    #[error(
        "there is a read-only token, but no token: without a token every program on this computer may do everything"
    )]
    Alone,
    /// Both tokens are the same.
    #[error("the read-only token is the same as the token: choose another one")]
    Same,
}

impl Tokens {
    /// Whether the tokens can be used.
    pub(in crate::sidecar) fn check(&self) -> Result<(), WrongToken> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, ';' | ',' | '"' | '\\');
        let is_weak = |token: &String| token.len() < SHORTEST || !token.chars().all(plain);
        for (token, read_only) in [(&self.full, false), (&self.read_only, true)] {
            if token.as_ref().is_some_and(is_weak) {
                return Err(WrongToken::Weak { read_only });
            }
        }
        match (&self.full, &self.read_only) {
            (None, Some(_)) => Err(WrongToken::Alone),
            (full, read_only) if full.is_some() && full == read_only => Err(WrongToken::Same),
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }

    /// Whether requests need a token.
    pub(in crate::sidecar) fn are_required(&self) -> bool {
        self.full.is_some()
    }

    /// What a token allows that was sent.
    pub(in crate::sidecar) fn right_of(&self, shown: &str) -> Option<Right> {
        self.find(|token| token.as_bytes().ct_eq(shown.as_bytes()))
    }

    /// What the token allows for which `matches` holds. All tokens are compared, so that the time tells nothing.
    pub(super) fn find(&self, mut matches: impl FnMut(&str) -> Choice) -> Option<Right> {
        let mut held = |token: &Option<String>| token.as_deref().is_some_and(|token| matches(token).into());
        match (held(&self.full), held(&self.read_only)) {
            (true, _) => Some(Right::Full),
            (false, true) => Some(Right::ReadOnly),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(full: Option<&str>, read_only: Option<&str>) -> Tokens {
        Tokens { full: full.map(str::to_owned), read_only: read_only.map(str::to_owned) }
    }

    const ONE: &str = "0123456789abcdef";
    const OTHER: &str = "fedcba9876543210";

    #[test]
    fn a_token_has_the_right_that_it_was_given() {
        let both = tokens(Some(ONE), Some(OTHER));
        assert_eq!(both.right_of(ONE), Some(Right::Full));
        assert_eq!(both.right_of(OTHER), Some(Right::ReadOnly));
        assert_eq!(both.right_of(&ONE[1..]), None);
        assert_eq!(both.right_of(""), None);
    }

    #[test]
    fn tokens_that_protect_nothing_are_refused() {
        assert_eq!(tokens(Some(ONE), Some(OTHER)).check(), Ok(()));
        assert_eq!(tokens(None, None).check(), Ok(()));
        assert_eq!(tokens(Some(ONE), Some(ONE)).check(), Err(WrongToken::Same));
        assert_eq!(tokens(None, Some(ONE)).check(), Err(WrongToken::Alone));
        assert_eq!(tokens(Some(ONE), Some("short")).check(), Err(WrongToken::Weak { read_only: true }));
        assert_eq!(
            tokens(Some("with a space in it"), None).check(),
            Err(WrongToken::Weak { read_only: false })
        );
    }
}
