//! What keeps the instrument or its connection busy for longer than an exchange, known without asking it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::scpi::Condition;

/// Whoever waits for the end of a scan asks at least this often, once it is under way.
const SEEN_AGE: Duration = Duration::from_millis(150);

/// Which scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanKind {
    /// A sweep of the lasers.
    Sweep,
    /// A reference scan.
    Reference,
    /// A scan that somebody else started, for example at the front panel.
    Foreign,
}

/// A scan under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// Which.
    pub kind: ScanKind,
    /// Since when.
    pub began: Instant,
    /// How long it should take; zero when nobody knows.
    pub expected: Duration,
    /// Nobody waits for its end any more: whoever sees the instrument idle may say that it is over.
    orphaned: bool,
}

/// A trace on its way from the instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// Since when.
    pub began: Instant,
    /// Bytes that have arrived.
    pub arrived: u64,
    /// Bytes in all; 0 before the instrument has said so.
    pub total: u64,
}

/// What is going on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Activity {
    /// The scan under way: detectors and traces cannot be read meanwhile.
    pub scan: Option<Scan>,
    /// The transfer under way: its connection is taken meanwhile.
    pub transfer: Option<Transfer>,
}

/// An activity in the words of those who watch it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Occupation {
    /// `sweep`, `reference`, `scan` or `transfer`.
    pub operation: &'static str,
    /// Share done, 0 to 1, where it can be told.
    pub progress: Option<f64>,
    /// Time left, s, where it can be told.
    pub eta_s: Option<f64>,
}

impl Activity {
    /// What it is that takes its time; `None` when nothing does.
    #[must_use]
    pub fn occupation(&self) -> Option<Occupation> {
        self.scan.map(Scan::occupation).or_else(|| self.transfer.map(Transfer::occupation))
    }
}

impl Scan {
    /// Whether nobody waits for its end.
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
        Occupation { operation: "transfer", progress, eta_s }
    }
}

/// Where activities are announced and watched.
#[derive(Debug, Default)]
pub(super) struct Activities {
    now: watch::Sender<Activity>,
    /// What the register said last to whoever waits for the end of a scan.
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

    /// Keeps what the register said to whoever waits for the end of a scan.
    pub(super) fn see(&self, condition: Condition) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), condition));
    }

    /// What the register said a moment ago, while somebody waits for the end of a scan: nobody else need ask then.
    pub(super) fn seen(&self) -> Option<Condition> {
        let waited_for = self.now.borrow().scan.is_some_and(|scan| !scan.orphaned);
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.filter(|(at, _)| waited_for && at.elapsed() < SEEN_AGE).map(|(_, condition)| condition)
    }

    /// Announces a scan before its command is sent, so that no reading can be asked for behind it.
    pub(super) fn scan(&self, kind: ScanKind, expected: Duration) -> ScanWatch<'_> {
        let scan = Scan { kind, began: Instant::now(), expected, orphaned: false };
        self.now.send_modify(|activity| activity.scan = Some(scan));
        self.forget();
        ScanWatch { activities: self, scan, over: false }
    }

    /// What the register said is none of the present any more.
    pub(super) fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Somebody else's scan was noticed.
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

    /// The instrument was seen idle: a scan that nobody waits for is over.
    pub(super) fn seen_idle(&self) {
        self.now.send_if_modified(|activity| activity.scan.take_if(|scan| scan.orphaned).is_some());
    }

    /// The instrument is idle after an abort: whatever scanned is over.
    pub(super) fn stopped(&self) {
        self.now.send_if_modified(|activity| activity.scan.take().is_some());
    }

    pub(super) fn transfer(&self) -> TransferWatch<'_> {
        let transfer = Transfer { began: Instant::now(), arrived: 0, total: 0 };
        self.now.send_modify(|activity| activity.transfer = Some(transfer));
        TransferWatch(self)
    }
}

/// Held by whoever waits for the end of a scan.
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
            // Another one has begun since.
            Some(scan) if scan.began != mine => {}
            // The wait was given up: the scan itself may still be under way.
            Some(scan) if !self.over => scan.orphaned = true,
            scan => *scan = None,
        });
    }
}

/// Held while a transfer lasts.
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
