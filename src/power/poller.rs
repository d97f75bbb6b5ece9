//! Polls one module at the shortest requested interval.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use super::{ChannelPower, Demands, PowerFrame, Published};
use crate::instrument::scpi::Query;
use crate::instrument::{Ctp10, Error, Presence};
use crate::measurement::{Detector, PowerUnit, unix_time_s};

/// Units and wavelength are read again at this interval, because a person may change them at the front panel.
const SETTINGS_AGE: Duration = Duration::from_secs(1);
/// A refused channel is tried again only after a setting has changed, and at most this often. Each refusal blocks the
/// link for the time of a query without a reply.
const REFUSED_AGE: Duration = Duration::from_secs(30);
/// An orphaned scan is checked at this interval.
const FOREIGN_SCAN_INTERVAL: Duration = Duration::from_millis(200);

pub(super) struct Poller {
    module: u8,
    instrument: Ctp10,
    published: watch::Sender<Published>,
    settings: Option<Settings>,
    /// Channels that cannot be read, with the reply of the instrument.
    refused: BTreeMap<u8, String>,
    refused_at: Option<(Instant, u64)>,
}

/// Settings that are read less often than the power.
struct Settings {
    asked: Instant,
    changes: u64,
    wavelength_nm: Option<f64>,
    units: BTreeMap<u8, PowerUnit>,
}

impl Poller {
    pub(super) fn new(module: u8, instrument: Ctp10, published: watch::Sender<Published>) -> Self {
        Self { module, instrument, published, settings: None, refused: BTreeMap::new(), refused_at: None }
    }

    pub(super) async fn poll(mut self, mut demands: watch::Receiver<Demands>) {
        loop {
            // Without watchers, wait for one.
            let interval = match demands.wait_for(|demands| demands.interval().is_some()).await {
                Ok(demands) => demands.interval().unwrap_or(SETTINGS_AGE),
                Err(_) => return,
            };
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            while demands.borrow_and_update().interval() == Some(interval) {
                tokio::select! {
                    // A watcher with a shorter interval takes effect at once.
                    changed = demands.changed() => if changed.is_err() { return },
                    _ = ticks.tick() => {
                        let channels = demands.borrow().channels();
                        self.turn(&channels).await;
                    }
                }
            }
        }
    }

    async fn turn(&mut self, channels: &[u8]) {
        self.forget_refusals();
        let changes = self.instrument.changes();
        match self.read(channels).await {
            Ok(frame) => {
                let refused = self.refused.values().next().filter(|_| frame.channels.is_empty()).cloned();
                let frame = Some(Arc::new(frame)).filter(|_| refused.is_none());
                self.published.send_replace(Published { frame, changes, refused });
            }
            Err(Error::Scanning { .. }) => self.look_at_scan().await,
            // The next turn tries again.
            Err(error @ (Error::NoReply { .. } | Error::OutOfStep { .. })) => {
                self.settings = None;
                self.published.send_modify(|published| published.refused = Some(error.to_string()));
            }
            // The link reports the error and reconnects. Until then no query makes sense.
            Err(error) => {
                tracing::debug!(module = self.module, %error, "no power");
                self.settings = None;
                let mut presence = self.instrument.presence();
                let _ = presence.wait_for(|presence| matches!(presence, Presence::Here(_))).await;
            }
        }
    }

    async fn read(&mut self, channels: &[u8]) -> Result<PowerFrame, Error> {
        let mark = self.instrument.mark().await?;
        let first = self.readable(channels).first().copied();
        if let Some(first) = first {
            let unit = self.ask(&Query::power_unit(self.detector(first)), first).await?;
            if self.are_settings_old(first, unit) {
                self.settings = Some(self.read_settings(channels).await?);
            }
        }
        let mut powers = BTreeMap::new();
        for channel in self.readable(channels) {
            let Some(value) = self.ask(&Query::power(self.detector(channel)), channel).await? else {
                continue;
            };
            let unit = self.settings.as_ref().and_then(|settings| settings.units.get(&channel));
            if let Some(unit) = unit.copied() {
                powers.insert(channel, ChannelPower { value: Some(value).filter(|v| v.is_finite()), unit });
            }
        }
        self.instrument.prove(mark).await?;
        Ok(PowerFrame {
            module: self.module,
            time_s: unix_time_s(),
            at: Instant::now(),
            wavelength_nm: self.settings.as_ref().and_then(|settings| settings.wavelength_nm),
            channels: powers,
        })
    }

    /// The channels that have not refused.
    fn readable(&self, channels: &[u8]) -> Vec<u8> {
        channels.iter().copied().filter(|channel| !self.refused.contains_key(channel)).collect()
    }

    fn are_settings_old(&self, first: u8, unit: Option<PowerUnit>) -> bool {
        self.settings.as_ref().is_none_or(|settings| {
            settings.asked.elapsed() >= SETTINGS_AGE
                || settings.changes != self.instrument.changes()
                || settings.units.get(&first).copied() != unit
        })
    }

    async fn read_settings(&mut self, channels: &[u8]) -> Result<Settings, Error> {
        // Read before the queries: if a setting changes meanwhile, the replies are out of date at once.
        let changes = self.instrument.changes();
        let mut units = BTreeMap::new();
        for channel in self.readable(channels) {
            if let Some(unit) = self.ask(&Query::power_unit(self.detector(channel)), channel).await? {
                units.insert(channel, unit);
            }
        }
        let first = units.keys().next().map(|channel| self.detector(*channel));
        let wavelength_nm = match first {
            Some(detector) => match self.instrument.ask(&Query::detector_wavelength_nm(detector)).await {
                Ok(nm) => Some(nm),
                Err(Error::Refused { .. }) => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        Ok(Settings { asked: Instant::now(), changes, wavelength_nm, units })
    }

    /// Reads a channel. A channel that refuses is left out from then on.
    async fn ask<R: Send + 'static>(&mut self, query: &Query<R>, channel: u8) -> Result<Option<R>, Error> {
        match self.instrument.ask(query).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error @ Error::Refused { .. }) => {
                // A scan of another client causes a refusal that does not depend on the channel.
                if !self.instrument.condition().await?.is_idle() {
                    return Err(Error::Scanning { command: query.text.clone() });
                }
                tracing::info!(module = self.module, channel, "cannot be read and is ignored");
                self.refused.insert(channel, error.to_string());
                self.refused_at = Some((Instant::now(), self.instrument.changes()));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn forget_refusals(&mut self) {
        let changes = self.instrument.changes();
        if self.refused_at.is_some_and(|(at, then)| then != changes && at.elapsed() >= REFUSED_AGE) {
            self.refused.clear();
            self.refused_at = None;
        }
    }

    /// The task that started a scan waits for its end. Only for an orphaned scan, the register is read here.
    async fn look_at_scan(&self) {
        let nobody_waits = self.instrument.activity().borrow().scan.is_some_and(|scan| scan.is_orphaned());
        if nobody_waits {
            tokio::time::sleep(FOREIGN_SCAN_INTERVAL).await;
            if let Err(error) = self.instrument.condition().await {
                tracing::debug!(%error, "the register cannot be read");
            }
        }
    }

    fn detector(&self, channel: u8) -> Detector {
        Detector { module: self.module, channel }
    }
}
