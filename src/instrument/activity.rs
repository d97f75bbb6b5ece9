//! Scans and transfers in progress: activities that keep the instrument or its connection busy for a long time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::scpi::Condition;

/// The task that waits for the end of a scan reads the register at least this often.
const SEEN_AGE: Duration = Duration::from_millis(150);

/// The kind of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanKind {
    /// A sweep of the lasers.
    Sweep,
    /// A reference scan.
    Reference,
    /// A scan that another client started, for example at the front panel.
    Foreign,
}

/// A scan in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// The kind of the scan.
    pub kind: ScanKind,
    /// When the scan began.
    pub began: Instant,
    /// How long the scan should take; zero if unknown.
    pub expected: Duration,
    /// No task waits for the end of the scan any more. It ends when any query finds the instrument idle.
    orphaned: bool,
}

/// A transfer of a trace from the instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// When the transfer began.
    pub began: Instant,
    /// Bytes that have arrived.
    pub arrived: u64,
    /// Bytes in total; 0 until the instrument has sent the length.
    pub total: u64,
}

/// The activities in progress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Activity {
    /// The scan in progress. Detectors and traces cannot be read meanwhile.
    pub scan: Option<Scan>,
    /// The transfer in progress. Its connection is occupied meanwhile.
    pub transfer: Option<Transfer>,
}

/// An activity as clients see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Occupation {
    /// `sweep`, `reference`, `scan` or `transfer`.
    pub operation: &'static str,
    /// Share done, 0 to 1, if known.
    pub progress: Option<f64>,
    /// Time left, s, if known.
    pub eta_s: Option<f64>,
}

impl Occupation {
    const TRANSFER: &'static str = "transfer";

    /// Whether a transfer occupies a connection. Everything else is a scan.
    #[must_use]
    pub fn is_transfer(&self) -> bool {
        self.operation == Self::TRANSFER
    }
}

impl Activity {
    /// The activity in progress; `None` if there is none.
    #[must_use]
    pub fn occupation(&self) -> Option<Occupation> {
        self.scan.map(Scan::occupation).or_else(|| self.transfer.map(Transfer::occupation))
    }
}

impl Scan {
    /// Whether no task waits for the end of the scan.
    #[must_use]
    pub fn is_orphaned(&self) -> bool {
        self.orphaned
    }

    fn occupation(self) -> Occupation {
        let operation = match self.kind {
            ScanKind::Sweep => "sweep",
            ScanKind::Reference => "reference",
            ScanKind::Foreign => "scan",
        };
        let expected = Some(self.expected.as_secs_f64()).filter(|expected| *expected > 0.0);
        let elapsed = self.began.elapsed().as_secs_f64();
        Occupation {
            operation,
            progress: expected.map(|expected| (elapsed / expected).min(1.0)),
            eta_s: expected.map(|expected| (expected - elapsed).max(0.0)),
        }
    }
}

impl Transfer {
    #[expect(clippy::cast_precision_loss, reason = "a share for people to look at")]
    fn occupation(self) -> Occupation {
        let progress = (self.total > 0).then(|| self.arrived as f64 / self.total as f64);
        let elapsed = self.began.elapsed().as_secs_f64();
        let eta_s = progress.filter(|done| *done > 0.0).map(|done| elapsed * (1.0 - done) / done);
        Occupation { operation: Occupation::TRANSFER, progress, eta_s }
    }
}

/// Publishes the activities in progress.
#[derive(Debug, Default)]
pub(super) struct Activities {
    now: watch::Sender<Activity>,
    /// The value of the condition register that was read last by the task that waits for the end of a scan.
    seen: Mutex<Option<(Instant, Condition)>>,
}

impl Activities {
    pub(super) fn watch(&self) -> watch::Receiver<Activity> {
        self.now.subscribe()
    }

    pub(super) fn is_scanning(&self) -> bool {
        self.now.borrow().scan.is_some()
    }

    pub(super) fn is_orphaned(&self) -> bool {
        self.now.borrow().scan.is_some_and(|scan| scan.orphaned)
    }

    /// Stores the value of the condition register for other readers.
    pub(super) fn see(&self, condition: Condition) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), condition));
    }

    /// The value of the condition register, if a task waits for the end of a scan and has just read it. Then no other
    /// task needs to read it.
    pub(super) fn seen(&self) -> Option<Condition> {
        let waited_for = self.now.borrow().scan.is_some_and(|scan| !scan.orphaned);
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.filter(|(at, _)| waited_for && at.elapsed() < SEEN_AGE).map(|(_, condition)| condition)
    }

    /// Announces a scan before its command is sent, so that no detector is read after the command.
    pub(super) fn scan(&self, kind: ScanKind, expected: Duration) -> ScanWatch<'_> {
        let scan = Scan { kind, began: Instant::now(), expected, orphaned: false };
        self.now.send_modify(|activity| activity.scan = Some(scan));
        self.forget();
        ScanWatch { activities: self, scan, over: false }
    }

    /// Forgets the stored value of the condition register, because it is out of date.
    pub(super) fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Records a scan of another client.
    pub(super) fn foreign_scan(&self) {
        self.now.send_if_modified(|activity| {
            let news = activity.scan.is_none();
            activity.scan.get_or_insert(Scan {
                kind: ScanKind::Foreign,
                began: Instant::now(),
                expected: Duration::ZERO,
                orphaned: true,
            });
            news
        });
    }

    /// The instrument was found idle, which ends an orphaned scan.
    pub(super) fn seen_idle(&self) {
        self.now.send_if_modified(|activity| activity.scan.take_if(|scan| scan.orphaned).is_some());
    }

    /// The instrument is idle after an abort, which ends any scan.
    pub(super) fn stopped(&self) {
        self.now.send_if_modified(|activity| activity.scan.take().is_some());
    }

    pub(super) fn transfer(&self) -> TransferWatch<'_> {
        let transfer = Transfer { began: Instant::now(), arrived: 0, total: 0 };
        self.now.send_modify(|activity| activity.transfer = Some(transfer));
        TransferWatch(self)
    }
}

/// Held by the task that waits for the end of a scan.
pub(super) struct ScanWatch<'a> {
    activities: &'a Activities,
    scan: Scan,
    over: bool,
}

impl ScanWatch<'_> {
    /// The scan has ended, or never began.
    pub(super) fn over(mut self) {
        self.over = true;
    }
}

impl Drop for ScanWatch<'_> {
    fn drop(&mut self) {
        let mine = self.scan.began;
        self.activities.now.send_modify(|activity| match &mut activity.scan {
            // Another scan has begun since.
            Some(scan) if scan.began != mine => {}
            // The task gave up waiting. The scan itself may still be in progress.
            Some(scan) if !self.over => scan.orphaned = true,
            scan => *scan = None,
        });
    }
}

/// Held during a transfer.
pub(super) struct TransferWatch<'a>(&'a Activities);

impl TransferWatch<'_> {
    pub(super) fn arrived(&self, arrived: u64, total: u64) {
        self.0.now.send_modify(|activity| {
            if let Some(transfer) = &mut activity.transfer {
                (transfer.arrived, transfer.total) = (arrived, total);
            }
        });
    }
}

impl Drop for TransferWatch<'_> {
    fn drop(&mut self) {
        self.0.now.send_modify(|activity| activity.transfer = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_whose_end_nobody_waits_for_is_over_when_the_instrument_is_seen_idle() {
        let activities = Activities::default();
        let scan = activities.scan(ScanKind::Sweep, Duration::from_secs(4));
        activities.seen_idle();
        assert!(activities.is_scanning(), "a register that is not busy yet does not end a scan");
        drop(scan);
        assert!(activities.is_scanning());
        activities.seen_idle();
        assert!(!activities.is_scanning());
        activities.scan(ScanKind::Sweep, Duration::ZERO).over();
        assert!(!activities.is_scanning());
    }

    #[test]
    fn a_transfer_tells_how_far_it_is() {
        let activities = Activities::default();
        let watch = activities.watch();
        let transfer = activities.transfer();
        assert_eq!(watch.borrow().occupation().unwrap().progress, None);
        transfer.arrived(25, 100);
        let occupation = watch.borrow().occupation().unwrap();
        assert_eq!((occupation.operation, occupation.progress), ("transfer", Some(0.25)));
        assert!(occupation.eta_s.is_some());
        drop(transfer);
        assert_eq!(watch.borrow().occupation(), None);
    }
}
