//! Time zones for tests, independent of the local one.

use chrono::{
    DateTime, Datelike, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone,
    Utc,
};

/// A time zone with one change of clocks, from one offset to another, in minutes east of UTC.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    at: NaiveDateTime,
    before_min: i32,
    after_min: i32,
}

impl Zone {
    pub(crate) fn new(at: &str, before_min: i32, after_min: i32) -> Self {
        Self { at: NaiveDateTime::parse_from_str(at, "%Y-%m-%dT%H:%M").unwrap(), before_min, after_min }
    }
}

impl Zone {
    /// Central Europe around a moment of 2026.
    pub(crate) fn central_europe(at: DateTime<Utc>) -> Self {
        match at.month() {
            ..=6 => Self::new("2026-03-29T01:00", 60, 120),
            _ => Self::new("2026-10-25T01:00", 120, 60),
        }
    }
}

impl TimeZone for Zone {
    type Offset = FixedOffsetOf;

    fn from_offset(offset: &FixedOffsetOf) -> Self {
        offset.1.clone()
    }
    fn offset_from_local_date(&self, _: &NaiveDate) -> MappedLocalTime<FixedOffsetOf> {
        unreachable!("only moments are turned into local times")
    }
    fn offset_from_local_datetime(&self, _: &NaiveDateTime) -> MappedLocalTime<FixedOffsetOf> {
        unreachable!("only moments are turned into local times")
    }
    fn offset_from_utc_date(&self, day: &NaiveDate) -> FixedOffsetOf {
        self.offset_from_utc_datetime(&day.and_time(NaiveTime::MIN))
    }
    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> FixedOffsetOf {
        let minutes = if *utc < self.at { self.before_min } else { self.after_min };
        FixedOffsetOf(FixedOffset::east_opt(minutes * 60).unwrap(), self.clone())
    }
}

#[derive(Debug, Clone)]
pub(crate) struct FixedOffsetOf(FixedOffset, Zone);

impl Offset for FixedOffsetOf {
    fn fix(&self) -> FixedOffset {
        self.0
    }
}
