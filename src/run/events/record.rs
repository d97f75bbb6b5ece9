//! An event with its number and time: a line of the journal.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};

use super::RunEvent;

/// An event with its number and time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Counts the events of the run, from 1. An event that the journal does not keep has 0.
    pub n: u64,
    /// Time of the event.
    #[serde(serialize_with = "moment")]
    pub time: DateTime<Utc>,
    /// Duration of the run so far, s, all its processes together. This clock cannot be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<f64>,
    /// The event.
    #[serde(flatten)]
    pub event: RunEvent,
}

/// Writes a time as its own serialization would, which takes five times as long.
fn moment<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::InstrumentRecord;

    #[test]
    fn what_the_journal_keeps_of_the_start_can_be_read_again() {
        let event = RunEvent::Started {
            run: "abcdef".to_owned(),
            name: "test".to_owned(),
            folder: "runs/test".to_owned(),
            instrument: InstrumentRecord {
                address: "sim".to_owned(),
                simulated: true,
                identity: "EXFO,CTP10,SIMULATED-1,0.1.0".to_owned(),
                lasers: [(1, "EXFO,T100S-HP,0,6.06".to_owned())].into(),
            },
            instruments: Vec::new(),
            operations: Some(3),
            estimated_s: None,
            outline: Vec::new(),
            detectors: BTreeMap::new(),
        };
        let record = Record { n: 1, time: Utc::now(), elapsed_s: Some(0.5), event };
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
    }
}
