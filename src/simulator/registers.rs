//! The bits of the status registers.

/// The standard event status register of IEEE 488.2.
pub(super) mod event {
    pub(in crate::simulator) const OPERATION_COMPLETE: u8 = 1;
    pub(in crate::simulator) const QUERY_ERROR: u8 = 4;
    pub(in crate::simulator) const DEVICE_ERROR: u8 = 8;
    pub(in crate::simulator) const EXECUTION_ERROR: u8 = 16;
    pub(in crate::simulator) const COMMAND_ERROR: u8 = 32;
    pub(in crate::simulator) const POWER_ON: u8 = 128;
}

/// The status byte of IEEE 488.2.
pub(super) mod status_byte {
    pub(in crate::simulator) const ERROR_AVAILABLE: u8 = 4;
    pub(in crate::simulator) const MESSAGE_AVAILABLE: u8 = 16;
    pub(in crate::simulator) const EVENT_SUMMARY: u8 = 32;
    pub(in crate::simulator) const SERVICE_REQUEST: u8 = 64;
    pub(in crate::simulator) const OPERATION_SUMMARY: u8 = 128;
}

/// The operation condition register of the CTP10.
pub(super) mod condition {
    pub(in crate::simulator) const SCANNING: u16 = 4;
    pub(in crate::simulator) const ANALYZING: u16 = 8;
    pub(in crate::simulator) const ABORTING: u16 = 16;
    pub(in crate::simulator) const REFERENCING: u16 = 64;
    pub(in crate::simulator) const WAITING_FOR_CONTROLLER: u16 = 256;
    pub(in crate::simulator) const UPDATING_SETUP: u16 = 512;
    pub(in crate::simulator) const UPDATING_DAISY_CHAIN: u16 = 1024;
}
