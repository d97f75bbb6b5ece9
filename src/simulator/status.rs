//! The status registers of IEEE 488.2 and SCPI-99: the events that have occurred, and their summary in the status
//! byte. Like the error queue, they belong to the instrument and not to a connection.

use super::errors::Rejection;
use super::registers::{event, status_byte};

/// The registers.
#[derive(Debug)]
pub(super) struct Status {
    events: u8,
    /// `*ESE`.
    pub(super) event_enable: u8,
    /// `*SRE`.
    pub(super) service_enable: u8,
    operation_events: u16,
    /// `STATus:OPERation:ENABle`.
    pub(super) operation_enable: u16,
    /// `STATus:QUEStionable:ENABle`. The simulator has no questionable events.
    pub(super) questionable_enable: u16,
    /// `*OPC` was sent during a scan.
    completion_wanted: bool,
    /// Whether a reply to the present line has not been read yet.
    pub(super) message_available: bool,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            events: event::POWER_ON,
            event_enable: 0,
            service_enable: 0,
            operation_events: 0,
            operation_enable: 0,
            questionable_enable: 0,
            completion_wanted: false,
            message_available: false,
        }
    }
}

impl Status {
    /// Records an error by the class of its number.
    pub(super) fn error(&mut self, rejection: Rejection) {
        self.events |= match rejection.code_and_text().0 {
            -199..=-100 => event::COMMAND_ERROR,
            -299..=-200 => event::EXECUTION_ERROR,
            -499..=-400 => event::QUERY_ERROR,
            _ => event::DEVICE_ERROR,
        };
    }

    /// `*OPC`.
    pub(super) fn want_completion(&mut self, busy: bool) {
        if busy {
            self.completion_wanted = true;
        } else {
            self.events |= event::OPERATION_COMPLETE;
        }
    }

    /// A scan has ended.
    pub(super) fn complete(&mut self) {
        if std::mem::take(&mut self.completion_wanted) {
            self.events |= event::OPERATION_COMPLETE;
        }
    }

    /// Bits of the operation condition register were set.
    pub(super) fn operation(&mut self, condition: u16) {
        self.operation_events |= condition;
    }

    /// `*ESR?` reads and clears.
    pub(super) fn take_events(&mut self) -> u8 {
        std::mem::take(&mut self.events)
    }

    /// `STATus:OPERation:EVENt?` reads and clears.
    pub(super) fn take_operation_events(&mut self) -> u16 {
        std::mem::take(&mut self.operation_events)
    }

    /// `*CLS`: clears the events; the enable registers stay.
    pub(super) fn clear(&mut self) {
        (self.events, self.operation_events) = (0, 0);
        self.reset();
    }

    /// `*RST`: cancels a requested completion event. Nothing else changes.
    pub(super) fn reset(&mut self) {
        self.completion_wanted = false;
    }

    /// `STATus:PRESet`.
    pub(super) fn preset(&mut self) {
        (self.operation_enable, self.questionable_enable) = (0, 0);
    }

    /// The status byte for `*STB?`.
    pub(super) fn byte(&self, errors: bool) -> u8 {
        let mut byte = 0;
        for (bit, set) in [
            (status_byte::ERROR_AVAILABLE, errors),
            (status_byte::MESSAGE_AVAILABLE, self.message_available),
            (status_byte::EVENT_SUMMARY, self.events & self.event_enable != 0),
            (status_byte::OPERATION_SUMMARY, self.operation_events & self.operation_enable != 0),
        ] {
            byte |= if set { bit } else { 0 };
        }
        if byte & self.service_enable & !status_byte::SERVICE_REQUEST != 0 {
            byte | status_byte::SERVICE_REQUEST
        } else {
            byte
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_an_event_of_its_class_until_it_is_read() {
        let mut status = Status::default();
        assert_eq!(status.take_events(), event::POWER_ON);
        for (rejection, bit) in
            [(Rejection::UndefinedHeader, 32), (Rejection::OutOfRange, 16), (Rejection::System, 8)]
        {
            status.error(rejection);
            assert_eq!((status.take_events(), status.take_events()), (bit, 0), "{rejection:?}");
        }
    }

    #[test]
    fn the_status_byte_sums_up_what_is_enabled() {
        let mut status = Status::default();
        assert_eq!((status.byte(false), status.byte(true)), (0, 4));
        status.event_enable = event::COMMAND_ERROR;
        status.error(Rejection::Syntax);
        assert_eq!(status.byte(false), 32);
        status.service_enable = 32;
        assert_eq!(status.byte(false), 96);
        (status.operation_enable, status.service_enable) = (8, 0);
        status.operation(4);
        assert_eq!(status.byte(false), 32);
        status.operation(8);
        assert_eq!(status.byte(false), 160);
        status.clear();
        assert_eq!((status.byte(false), status.event_enable), (0, event::COMMAND_ERROR));
    }

    #[test]
    fn completion_is_told_when_the_scan_is_over() {
        let mut status = Status::default();
        status.clear();
        status.complete();
        assert_eq!(status.take_events(), 0);
        status.want_completion(true);
        assert_eq!(status.take_events(), 0);
        status.complete();
        assert_eq!(status.take_events(), event::OPERATION_COMPLETE);
        status.want_completion(false);
        assert_eq!(status.take_events(), event::OPERATION_COMPLETE);
    }
}
