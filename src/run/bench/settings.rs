//! Keeps the instrument at the settings that the run intends. The settings at the beginning are read. The settings
//! before and after each scan are compared. Settings that the instrument has forgotten are restored.

use std::collections::BTreeSet;

use super::Bench;
use crate::instrument::scpi::Action;
use crate::instrument::setting::Setting;
use crate::instrument::{ScanSettings, TLS};
use crate::operation::Operation;
use crate::run::events::RunEvent;
use crate::run::state::configuration::{Configuration, Difference, Doubts, Kept, Settings};
use crate::step::{Fault, FaultKind, Outcome};

/// Setting one value may change another. After this many rounds the settings cannot be restored.
const ROUNDS: usize = 3;
/// A message names at most this many settings.
const NAMED: usize = 10;

impl Bench {
    /// The settings that the run intends.
    pub(in crate::run) fn intended(&self) -> Configuration {
        let of_earlier = self.of_earlier.clone();
        of_earlier.unwrap_or_else(|| self.log.history(|history| history.intended.clone()))
    }

    /// The instrument is to have the settings of an earlier time; `None`: again those of the run.
    pub(in crate::run) fn intend_earlier(&mut self, of_earlier: Option<Configuration>) {
        self.of_earlier = of_earlier;
        self.may_have_forgotten = true;
    }

    /// A step of an earlier time was repeated.
    pub(in crate::run) fn note_earlier(&mut self, operation: &Operation, outcome: &Outcome) {
        if let Some(of_earlier) = &mut self.of_earlier {
            of_earlier.note(operation, outcome);
        }
    }

    /// Reads the settings before the run changes any of them, because a restart of the instrument would lose them.
    pub(super) async fn read_settings_at_beginning(&mut self, number: u64) -> Result<(), Fault> {
        while !self.log.history(|history| history.intended.is_known) {
            let intended = self.intended();
            let scan = self.scan_settings().await?;
            let mut found = self.found(&scan, &intended).await?;
            let unknown = |setting: &Setting| !found.iter().any(|found| found.setting() == Some(*setting));
            let lasers = self.uses.lasers.iter().copied().flat_map(Setting::of_laser);
            let detectors = self.uses.detectors.iter().copied().flat_map(Setting::of_detector);
            let others: BTreeSet<Setting> = lasers.chain(detectors).filter(unknown).collect();
            found.extend(self.read(others).await?);
            if self.link_was_lost() {
                // The instrument may have been restarted meanwhile.
                self.restore_if_forgotten(number).await?;
                continue;
            }
            let (news, _) = self.doubts.compare(&intended, found);
            self.doubts.clear();
            self.keep_settings(number, &news, true).await?;
        }
        Ok(())
    }

    /// Adds the doubts that a step has left.
    pub(in crate::run) fn doubt(&mut self, doubts: Doubts) {
        self.doubts.add(doubts);
    }

    /// Reads the settings that the run may have changed to unknown values.
    pub(in crate::run) async fn settle_doubts(&mut self, number: u64) -> Result<(), Fault> {
        let is_known = self.log.history(|history| history.intended.is_known);
        if !is_known || self.doubts.is_empty() {
            return Ok(());
        }
        let intended = self.intended();
        let scan = self.scan_settings().await?;
        let found = self.found(&scan, &intended).await?;
        let (news, _) = self.doubts.compare(&intended, found);
        self.doubts.clear();
        self.keep_settings(number, &news, false).await
    }

    /// Fails if the instrument does not have the intended settings: another client or the front panel has changed them.
    /// Adds the settings that were unknown to `intended`.
    pub(in crate::run) async fn compare_settings(
        &mut self,
        number: u64,
        scan: &ScanSettings,
        intended: &mut Configuration,
        doubts: &mut Doubts,
    ) -> Result<(), Fault> {
        let found = self.found(scan, intended).await?;
        let (news, differences) = doubts.compare(intended, found);
        intended.note_read(&commands(&news), false);
        self.keep_settings(number, &news, false).await?;
        if differences.is_empty() {
            return Ok(());
        }
        let message =
            format!("settings of the instrument differ from those of the run: {}", list(&differences));
        let hint = "another client or the front panel has changed it";
        Err(Fault::new(FaultKind::Instrument, message).hint(hint))
    }

    /// The values of a scan's settings, and of all other settings that the run knows.
    async fn found(&self, scan: &ScanSettings, configuration: &Configuration) -> Result<Vec<Action>, Fault> {
        let mut found = values(scan);
        let is_new = |setting: &Setting| !found.iter().any(|found| found.setting() == Some(*setting));
        let known = configuration.settings.values().filter_map(Action::setting);
        let lit = configuration.lit();
        let emits = |laser: &u8| lit.contains(laser) || scan.lasers().any(|of_scan| of_scan == *laser);
        let wanted = known.chain([Setting::ScanMode]).filter(|setting| match setting {
            // The settings of a dark laser do not matter.
            Setting::LaserPower(laser) | Setting::LaserWavelength(laser) => emits(laser),
            // An analog output does not affect a trace. A scan may select another laser for the static light.
            Setting::AnalogOutput(_) | Setting::FeedbackLaser => false,
            // Without a laser, the settings of a TLS do not matter. Scans switch the output of a laser.
            Setting::TlsLaser(_)
            | Setting::TlsStart(_)
            | Setting::TlsStop(_)
            | Setting::TlsSpeed(_)
            | Setting::TlsPower(_)
            | Setting::TlsTrigger(_)
            | Setting::LaserOutput(_) => false,
            Setting::ScanMode
            | Setting::ScanStart
            | Setting::ScanStop
            | Setting::Resolution
            | Setting::Stabilization
            | Setting::PowerUnit(_)
            | Setting::SpectralUnit(_)
            | Setting::DetectorWavelength(_)
            | Setting::DetectorTrigger(_) => true,
        });
        let wanted: BTreeSet<Setting> = wanted.filter(is_new).collect();
        found.extend(self.read(wanted).await?);
        Ok(found)
    }

    async fn read(&self, settings: BTreeSet<Setting>) -> Result<Vec<Action>, Fault> {
        let mut found = Vec::new();
        for setting in settings {
            self.beat()?;
            found.extend(self.instrument.read_setting(setting).await?);
        }
        Ok(found)
    }

    /// Records the settings that were read, because a resumed run intends the same.
    async fn keep_settings(&self, number: u64, values: &[Action], at_beginning: bool) -> Result<(), Fault> {
        if values.is_empty() && !at_beginning {
            return Ok(());
        }
        let commands = commands(values);
        self.log.emit_durable(RunEvent::SettingsRead { number, at_beginning, commands }).await
    }

    /// Restores the intended settings that the instrument has forgotten. Turns no light on.
    pub(in crate::run) async fn put_back_settings(&mut self) -> Result<(), Fault> {
        let intended = self.intended();
        let lost = self.put_back(&intended.settings).await?;
        if self.link_was_lost() {
            // The restoring begins again.
            return Ok(());
        }
        let unknown = intended.unknown();
        if let Some(text) = unknown.first().filter(|_| !lost.is_empty()) {
            let message = format!(
                "the instrument has lost its settings, and with them those that `{text}` may have set"
            );
            let hint = "add `effect: configure` to a raw command that sets something: then it is sent again";
            return Err(Fault::new(FaultKind::Refused, message).hint(hint));
        }
        if !lost.is_empty() {
            let message = format!("restored settings of the run: {}", list(&lost));
            self.log.emit(RunEvent::Warning { message })?;
        }
        Ok(())
    }

    /// Sets the settings that the instrument does not have any more. Gives these settings.
    pub(in crate::run) async fn put_back(&mut self, settings: &Settings) -> Result<Vec<Difference>, Fault> {
        let mut lost = Vec::new();
        let intends = self.intended();
        for round in 0..ROUNDS {
            let mut differences = Vec::new();
            for kept in settings.in_order() {
                self.beat()?;
                match kept {
                    Kept::Raw { action, .. } if round == 0 => self.instrument.act(&action).await?,
                    Kept::Raw { .. } => {}
                    Kept::Value(intended) => {
                        let Some(setting) = intended.setting() else { continue };
                        let found = self.instrument.read_setting(setting).await?;
                        if found.as_ref().is_none_or(|found| !found.sets_the_same(&intended)) {
                            self.instrument.act(&intended).await?;
                        }
                        let is_the_same = |found: &Action| intends.is_the_same(&intended, found);
                        let found = found.filter(|found| !is_the_same(found));
                        differences.extend(found.map(|found| Difference { intended, found }));
                    }
                }
            }
            if differences.is_empty() || self.link_was_lost() {
                return Ok(lost);
            }
            if round == 0 {
                lost = differences;
            } else if round + 1 == ROUNDS {
                let message = format!(
                    "the instrument does not accept the settings of the run again: {}",
                    list(&differences)
                );
                return Err(Fault::new(FaultKind::Instrument, message));
            }
        }
        Ok(lost)
    }
}

/// Settings as the commands that set them.
fn commands(values: &[Action]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn list(differences: &[Difference]) -> String {
    let named: Vec<String> = differences.iter().take(NAMED).map(ToString::to_string).collect();
    let more = differences.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!("; and {more} more") };
    format!("{}{more}", named.join("; "))
}

/// The settings of a scan as values.
fn values(scan: &ScanSettings) -> Vec<Action> {
    let stabilization = scan.stabilization;
    let mut values = vec![
        Action::SetScanStart { nm: scan.start_nm },
        Action::SetScanStop { nm: scan.stop_nm },
        Action::SetResolution { pm: scan.resolution_pm },
        Action::SetStabilization { output: stabilization.output, seconds: stabilization.seconds },
    ];
    for tls in TLS {
        let Some(known) = scan.tls.iter().find(|known| known.tls == tls) else {
            values.push(Action::SetTlsLaser { tls, laser: 0 });
            continue;
        };
        values.extend([
            Action::SetTlsLaser { tls, laser: known.laser },
            Action::SetTlsStart { tls, nm: known.start_nm },
            Action::SetTlsStop { tls, nm: known.stop_nm },
            Action::SetTlsSpeed { tls, nm_s: known.speed_nm_s },
            Action::SetTlsPower { tls, dbm: known.power_dbm },
            Action::SetTlsTrigger { tls, trigger: known.trigger_in },
        ]);
    }
    values
}
