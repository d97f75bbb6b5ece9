//! Traces in the memory of the instrument, and the references for their transmission.

use tokio::sync::mpsc;

use super::scpi::{self, Query, Reference, TraceAddress};
use super::{Ctp10, Error};
use crate::measurement::{Detector, Grid};

impl Ctp10 {
    /// Reads the wavelength axis of a trace in memory.
    ///
    /// # Errors
    /// See [`Error`]. The instrument refuses a trace that it does not have. An impossible axis is
    /// [`Error::Implausible`].
    pub async fn trace_grid(&self, trace: impl Into<TraceAddress>) -> Result<Grid, Error> {
        let trace = trace.into();
        let grid = Grid {
            points: self.ask(&Query::trace_points(trace)).await?,
            start_nm: self.ask(&Query::trace_start_nm(trace)).await?,
            step_pm: self.ask(&Query::trace_step_pm(trace)).await?,
        };
        match grid.implausible() {
            None => Ok(grid),
            Some(reason) => {
                let what = format!("the {} trace of {}", trace.kind, trace.detector);
                Err(Error::Implausible { what, reason })
            }
        }
    }

    /// Transfers the values of a trace, and passes them on while they arrive. This is the only long exchange.
    /// Dropping the future frees the link at once.
    ///
    /// # Errors
    /// See [`Error`]. A block of another length than `points` is an error, and never a shorter trace.
    pub async fn trace_values(
        &self,
        trace: impl Into<TraceAddress>,
        points: u64,
        values: &mpsc::Sender<Vec<f32>>,
    ) -> Result<(), Error> {
        let query = scpi::trace_values(trace.into());
        self.check_orphaned_scan().await?;
        self.wait_for_scan_end().await?;
        self.links.main.fetch_block(&query, points, values, self.options).await
    }

    /// Transfers the wavelengths of a trace in metres, in the same way as [`Ctp10::trace_values`].
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn trace_wavelengths(
        &self,
        trace: impl Into<TraceAddress>,
        points: u64,
        metres: &mpsc::Sender<Vec<f64>>,
    ) -> Result<(), Error> {
        let query = scpi::trace_wavelengths(trace.into());
        self.check_orphaned_scan().await?;
        self.wait_for_scan_end().await?;
        self.links.main.fetch_block(&query, points, metres, self.options).await
    }

    /// Makes sure that no scan has replaced the trace that was just transferred.
    ///
    /// # Errors
    /// [`Error::ScanUnderWay`] if the instrument is not idle; otherwise see [`Error`].
    pub async fn make_sure_of_traces(&self) -> Result<(), Error> {
        let condition = self.ask(&Query::condition()).await?;
        if condition.is_scan() { Err(Error::ScanUnderWay { condition }) } else { Ok(()) }
    }

    /// Reads the reference of a detector; `None` if there is none.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn reference(&self, detector: Detector) -> Result<Option<Reference>, Error> {
        self.ask(&Query::reference(detector)).await
    }
}
