//! Where the links of a batch page lead.

use super::encoded;
use crate::report::batch::ItemRun;

/// The destination of the links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// To the reports in the run folders beside the page.
    Files,
    /// To the routes of the sidecar.
    Routes,
}

impl Links {
    pub(super) fn run(self, run: &ItemRun) -> String {
        match self {
            Self::Files => format!("./{}/report.html", encoded(&run.folder)),
            // Relative to `/batch/report`, so that the path prefix of a server is kept.
            Self::Routes => format!("../runs/{}/report", encoded(&run.run)),
        }
    }
}
