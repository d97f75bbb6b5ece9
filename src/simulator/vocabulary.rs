//! Tables of headers: how each header may be used, and the search for the header behind a spelling. Each simulated
//! instrument has its own table.

use super::grammar::Node;

/// How a header may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// As a query only.
    Asked,
    /// As a command only.
    Told,
    /// As a query or a command, at any time.
    Both,
    /// As a query or a setting. It cannot be set during a scan.
    Set,
}

/// What is known of a header without knowing its instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// The spelling in the table: capitals are the short form, `#` is a number, a node in brackets is optional.
    pub(super) pattern: &'static str,
    pub(super) used: Use,
    /// Whether the reply is the data of a trace.
    pub(super) is_trace: bool,
    /// Whether the command starts a scan.
    pub(super) starts_scan: bool,
}

impl Facts {
    /// A header that has nothing to do with scans.
    pub(super) fn plain(pattern: &'static str, used: Use) -> Self {
        Self { pattern, used, is_trace: false, starts_scan: false }
    }

    /// Whether the header may be a query.
    pub(super) fn is_asked(self) -> bool {
        self.used != Use::Told
    }

    /// Whether the header may be a command.
    pub(super) fn is_told(self) -> bool {
        self.used != Use::Asked
    }
}

/// The headers of an instrument.
pub(super) trait Vocabulary: Copy + PartialEq + Send + 'static {
    /// The header with these nodes, and the numbers in it.
    fn lookup(nodes: &[Node]) -> Option<(Self, Vec<Option<u32>>)>;

    fn facts(self) -> Facts;
}

/// Defines the headers of an instrument as an enum with a table.
macro_rules! headers {
    ($(#[$about:meta])* $name:ident { $($how:ident $header:ident = $pattern:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum $name { $($header),+ }

        impl $name {
            const ALL: &[Self] = &[$(Self::$header),+];

            fn entry(self) -> (&'static str, $crate::simulator::vocabulary::Use) {
                match self { $(Self::$header => ($pattern, $crate::simulator::vocabulary::Use::$how)),+ }
            }

            fn find(nodes: &[$crate::simulator::grammar::Node]) -> Option<(Self, Vec<Option<u32>>)> {
                Self::ALL.iter().find_map(|header| {
                    Some((*header, $crate::simulator::grammar::matches(header.entry().0, nodes)?))
                })
            }
        }
    };
}
pub(super) use headers;
