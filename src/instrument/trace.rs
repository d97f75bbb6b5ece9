//! Traces in the instrument's memory, and the reference that they are measured against.

use tokio::sync::mpsc;

use super::scpi::{self, Query, Reference};
use super::{Ctp10, Error};
use crate::measurement::{Detector, Grid, TraceKind};

impl Ctp10 {
    /// The wavelength axis of a trace in memory.
    ///
    /// # Errors
    /// See [`Error`]; a trace that is not there is refused by the instrument, and an axis that no trace can have is
    /// [`Error::Implausible`].
    pub async fn trace_grid(&self, detector: Detector, kind: TraceKind) -> Result<Grid, Error> {
        let grid = Grid {
            points: self.ask(&Query::trace_points(detector, kind)).await?,
            start_nm: self.ask(&Query::trace_start_nm(detector, kind)).await?,
            step_pm: self.ask(&Query::trace_step_pm(detector, kind)).await?,
        };
        match grid.implausible() {
            None => Ok(grid),
            Some(reason) => {
                Err(Error::Implausible { what: format!("the {kind} trace of {detector}"), reason })
            }
        }
    }

    /// Fetches a trace's values and hands them on while they arrive. The only long exchange; dropping the future
    /// frees the link at once.
    ///
    /// # Errors
    /// See [`Error`]; a block that is not `points` long is an error and never a shorter trace.
    pub async fn trace_values(
        &self,
        detector: Detector,
        kind: TraceKind,
        points: u64,
        values: &mpsc::Sender<Vec<f32>>,
    ) -> Result<(), Error> {
        self.check_orphaned_scan().await?;
        self.wait_for_scan_end().await?;
        self.links.main.fetch_block(&scpi::trace_values(detector, kind), points, values, self.options).await
    }

    /// Fetches a trace's wavelengths in metres, as [`Ctp10::trace_values`] fetches its values.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn trace_wavelengths(
        &self,
        detector: Detector,
        kind: TraceKind,
        points: u64,
        metres: &mpsc::Sender<Vec<f64>>,
    ) -> Result<(), Error> {
        self.check_orphaned_scan().await?;
        self.wait_for_scan_end().await?;
        self.links
            .main
            .fetch_block(&scpi::trace_wavelengths(detector, kind), points, metres, self.options)
            .await
    }

    /// Makes sure that no scan has replaced what was fetched just now.
    ///
    /// # Errors
    /// [`Error::ScanUnderWay`] when the instrument is not idle; see [`Error`].
    pub async fn make_sure_of_traces(&self) -> Result<(), Error> {
        let condition = self.ask(&Query::condition()).await?;
        if condition.is_scan() { Err(Error::ScanUnderWay { condition }) } else { Ok(()) }
    }

    /// The reference of a detector; `None` when there is none.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn reference(&self, detector: Detector) -> Result<Option<Reference>, Error> {
        self.ask(&Query::reference(detector)).await
    }
}
