//! The operation that records references.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::acquire::one_or_many;
use crate::measurement::Detector;
use crate::units::{Decibels, Minutes, ReferenceSweeps};

/// The action if a new reference is needed and no person is present to connect the patch cord.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnattendedReference {
    /// Fail, because with a reference of the device every transmission is 0 dB.
    Fail,
    /// Take it nevertheless: the author of the recipe knows that the path is correct.
    Recreate,
}

/// The action if an existing reference may not be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IfStale {
    /// Take a new one.
    #[default]
    Measure,
    /// Ask the operator: a new one, the existing one (if it fits the scan), or stop. If no person is present,
    /// `unattended` decides.
    Ask,
    /// Fail, because references are taken elsewhere.
    Refuse,
}

/// A measurement of the drift since a reference was taken, at a detector whose path stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftCheck {
    /// The detector: a tap of the laser, for example. It receives light during the scan, and nobody changes its path.
    pub detector: Detector,
    /// The largest change of its mean power since the reference was taken.
    pub max_drift_db: Decibels,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateReferenceFields {
    /// A single detector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detector: Option<Detector>,
    /// Several of them, in this order. The instrument records the reference of one detector in one scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detectors: Option<Vec<Detector>>,
    /// The connection that the operator must make. The program asks for it before each scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connect: Option<String>,
    /// Largest age of an existing reference. A younger one is kept without a question if it has the same range and
    /// sampling step. A run must have recorded that its instrument, lasers and powers are the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age_min: Option<Minutes>,
    /// Keeps an existing reference only if the mean power at another detector has changed by at most `max_drift_db` since
    /// then: `{ detector: tap, max_drift_db: 0.1 }`. This takes one more scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<DriftCheck>,
    /// The number of sweeps of the reference: 1 (TF) or 4 (TF/PDL). The instrument must be set to this kind. A reference
    /// with another number of sweeps is not accepted. Default: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sweeps: Option<ReferenceSweeps>,
    /// Action if an existing reference is too old, has drifted, or belongs to other conditions. Default: `measure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    if_stale: Option<IfStale>,
    /// Action if a new reference is needed and no person is present. Default: `recreate` on the simulator, `fail` on
    /// a real instrument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unattended: Option<UnattendedReference>,
}

/// Records the references of detectors. A transmission function is relative to the reference of its detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "CreateReferenceFields", into = "CreateReferenceFields")]
#[schemars(with = "CreateReferenceFields")]
pub struct CreateReference {
    /// Of which detectors, in this order.
    pub detectors: Vec<Detector>,
    /// The connection that the operator must make.
    pub connect: Option<String>,
    /// Largest age of an existing reference.
    pub max_age_min: Option<Minutes>,
    /// How the drift since the reference is measured.
    pub check: Option<DriftCheck>,
    /// The number of sweeps of the reference.
    pub sweeps: Option<ReferenceSweeps>,
    /// Action if an existing reference may not be used.
    pub if_stale: Option<IfStale>,
    /// Action if a new reference is needed and no person is present.
    pub unattended: Option<UnattendedReference>,
}

/// A single detector is stored in `detector`, so that programs of earlier versions can read it.
impl From<CreateReference> for CreateReferenceFields {
    fn from(operation: CreateReference) -> Self {
        let CreateReference { detectors, connect, max_age_min, check, sweeps, if_stale, unattended } =
            operation;
        let (detector, detectors) = match detectors[..] {
            [one] => (Some(one), None),
            _ => (None, Some(detectors)),
        };
        Self { detector, detectors, connect, max_age_min, check, sweeps, if_stale, unattended }
    }
}

impl TryFrom<CreateReferenceFields> for CreateReference {
    type Error = String;

    fn try_from(given: CreateReferenceFields) -> Result<Self, String> {
        let CreateReferenceFields {
            detector,
            detectors,
            connect,
            max_age_min,
            check,
            sweeps,
            if_stale,
            unattended,
        } = given;
        let detectors = one_or_many("detector", detector, detectors)?;
        if let Some(twice) = detectors.iter().enumerate().find(|(at, known)| detectors[..*at].contains(known))
        {
            return Err(format!("`detectors` contains {} twice", twice.1));
        }
        if let Some(check) = check.filter(|check| detectors.contains(&check.detector)) {
            let detector = check.detector;
            return Err(format!(
                "the detector {detector} of `check` gets a new reference here: the drift is measured at another detector, whose path stays as it is"
            ));
        }
        // Without an age, a new reference is always taken.
        let useless = [("check", check.is_some()), ("if_stale", if_stale.is_some())];
        match useless.into_iter().find(|(_, given)| *given && max_age_min.is_none()) {
            Some((field, _)) => {
                Err(format!("`{field}` needs `max_age_min`, which allows an existing reference"))
            }
            None => Ok(Self { detectors, connect, max_age_min, check, sweeps, if_stale, unattended }),
        }
    }
}

impl CreateReference {
    /// The number of sweeps, if each reference is recorded: those of each, and one for the check.
    #[must_use]
    pub fn scans(&self) -> u32 {
        let of_each = self.sweeps.map_or(1, |sweeps| usize::from(sweeps.get()));
        u32::try_from(self.detectors.len() * of_each + usize::from(self.check.is_some())).unwrap_or(u32::MAX)
    }

    /// The connection for one of the detectors, as a text for the operator. `name`: the detector as people know it.
    #[must_use]
    pub fn connection(&self, name: &str) -> Option<String> {
        let connect = self.connect.as_ref()?;
        Some(match self.detectors.len() {
            1 => format!("Connect: {connect}"),
            _ => format!("Connect {name}: {connect}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: serde_json::Value) -> Result<CreateReference, String> {
        serde_json::from_value(fields).map_err(|error| error.to_string())
    }

    #[test]
    fn one_detector_or_several_each_once_have_a_reference() {
        let of = |fields| read(fields).map(|reference| reference.detectors.len());
        assert_eq!(of(json!({ "detector": "4/1" })), Ok(1));
        assert_eq!(of(json!({ "detectors": ["4/1", "4/2"] })), Ok(2));
        assert_eq!(
            of(json!({ "detectors": ["4/1", "4/2", "4/1"] })),
            Err("`detectors` contains 4/1 twice".to_owned())
        );
        assert!(of(json!({ "detector": "4/1", "detectors": ["4/2"] })).unwrap_err().contains("only one of"));
        assert!(of(json!({ "detectors": [] })).unwrap_err().contains("is empty"));
        let scans = |fields| read(fields).map(|reference| reference.scans());
        assert_eq!(scans(json!({ "detectors": ["4/1", "4/2"], "sweeps": 4 })), Ok(8));
        assert!(scans(json!({ "detector": "4/1", "sweeps": 2 })).unwrap_err().contains("1 or 4"));
        assert!(of(json!({})).unwrap_err().contains("missing field `detector`"));
    }

    #[test]
    fn a_check_needs_another_detector_and_an_age() {
        let check = json!({ "detector": "4/3", "max_drift_db": 0.1 });
        let of = |fields| read(fields).map(|reference| reference.scans());
        assert_eq!(of(json!({ "detector": "4/1", "max_age_min": 480, "check": check })), Ok(2));
        let wrong = of(json!({ "detector": "4/3", "max_age_min": 480, "check": check })).unwrap_err();
        assert!(wrong.starts_with("the detector 4/3 of `check` gets a new reference here"), "{wrong}");
        for (field, value) in [("check", check), ("if_stale", json!("ask"))] {
            let wrong = of(json!({ "detector": "4/1", field: value })).unwrap_err();
            assert!(wrong.starts_with(&format!("`{field}` needs `max_age_min`")), "{wrong}");
        }
    }

    #[test]
    fn the_operator_is_told_the_detector_where_there_are_several() {
        let connection = |detectors: &[&str]| {
            let fields = json!({ "detectors": detectors, "connect": "cord from OUT" });
            read(fields).unwrap().connection("drop (4/2)").unwrap()
        };
        assert_eq!(connection(&["4/1"]), "Connect: cord from OUT");
        assert_eq!(connection(&["4/1", "4/2"]), "Connect drop (4/2): cord from OUT");
    }
}
