//! The routes of the instrument half: the paths of the Python service.

use crate::sidecar::api::Routes;
use crate::sidecar::instrument::{connection, detector, laser, measurement, scpi, tls, trace};
use crate::sidecar::{assets, login};

pub(super) fn instrument(routes: Routes) -> Routes {
    routes
        .section("Service")
        .look(
            "/session",
            login::session,
            "get_session",
            "What the token or the session of this client allows",
        )
        .look(
            "/",
            assets::root,
            "get_service",
            "Name and version of the service; for browsers, the dashboard",
        )
        .look(
            "/health",
            super::health,
            "get_health",
            "Whether the service is alive. Sends nothing to the instrument",
        )
        .open_get("/login", login::page, "get_login_page", "The page that asks for a token")
        .open_post("/login", login::log_in, "log_in", "Begins a session with one of the tokens")
        .open_post("/logout", login::log_out, "log_out", "Ends the session, and its open streams")
        .section("Connection")
        .look(
            "/connection/status",
            connection::status,
            "get_connection_status",
            "Whether an instrument is connected. Sends nothing to the instrument",
        )
        .post(
            "/connection/connect",
            connection::connect,
            "connect",
            "Connects to the instrument if it is not connected",
        )
        .post(
            "/connection/disconnect",
            connection::disconnect,
            "disconnect",
            "Closes the connection until the next connect request",
        )
        .get(
            "/connection/condition",
            connection::condition,
            "get_condition",
            "The operation condition register",
        )
        .post(
            "/connection/check_errors",
            connection::check_errors,
            "check_errors",
            "The instrument's error queue",
        )
        .section("Detectors")
        .get("/detector/snapshot", detector::snapshot, "get_power_snapshot", "The power of all four channels")
        .get(
            "/detector/wavelength",
            detector::wavelength,
            "get_detector_wavelength",
            "Wavelength that a detector's calibration is applied for",
        )
        .post(
            "/detector/wavelength",
            detector::set_wavelength,
            "set_detector_wavelength",
            "Sets the wavelength that a detector's calibration is applied for",
        )
        .get(
            "/detector/config",
            detector::config,
            "get_detector_config",
            "Units and resolution of a detector",
        )
        .post(
            "/detector/config",
            detector::set_config,
            "set_detector_config",
            "Sets the units and the resolution of a detector",
        )
        .get(
            "/detector/stabilization",
            detector::stabilization,
            "get_detector_stabilization",
            "Stabilization time before a scan, and laser output after it",
        )
        .post(
            "/detector/stabilization",
            detector::set_stabilization,
            "set_detector_stabilization",
            "Sets the stabilization time before a scan, and the laser output after it",
        )
        .post(
            "/detector/reference",
            detector::reference,
            "create_reference",
            "Records a reference; the patch cord must be connected",
        )
        .get(
            "/detector/reference/result",
            detector::reference_result,
            "get_reference",
            "The reference of a detector",
        )
        .get(
            "/detector/trace/metadata",
            trace::metadata,
            "get_detector_trace_metadata",
            "Information about a trace",
        )
        .get("/detector/trace/data", trace::data, "get_detector_trace_data", "A trace as JSON")
        .get("/detector/trace/binary", trace::binary, "get_detector_trace_binary", "A trace as an NPY file")
        .section("Sweeps")
        .post(
            "/measurement/sweep/start",
            measurement::start_sweep,
            "start_sweep",
            "Starts a sweep; with `wait` the reply is sent when it has ended",
        )
        .post("/measurement/sweep/abort", measurement::abort_sweep, "abort_sweep", "Aborts the active scan")
        .get(
            "/measurement/sweep/status",
            measurement::sweep_status,
            "get_sweep_status",
            "Whether a sweep is active",
        )
        .get(
            "/measurement/status/referencing",
            measurement::referencing,
            "get_referencing_status",
            "Whether a reference scan is active",
        )
        .get(
            "/measurement/sweep/wavelengths",
            measurement::wavelengths,
            "get_sweep_wavelengths",
            "Range of the scan",
        )
        .post(
            "/measurement/sweep/wavelengths",
            measurement::set_wavelengths,
            "set_sweep_wavelengths",
            "Sets the range of the scan; returns both limits as read back",
        )
        .get(
            "/measurement/resolution",
            measurement::resolution,
            "get_measurement_resolution",
            "Sampling step of the scan",
        )
        .post(
            "/measurement/resolution",
            measurement::set_resolution,
            "set_measurement_resolution",
            "Sets the sampling step of the scan",
        )
        .get(
            "/measurement/stabilization",
            measurement::stabilization,
            "get_measurement_stabilization",
            "Stabilization time before a scan, and laser output after it",
        )
        .post(
            "/measurement/stabilization",
            measurement::set_stabilization,
            "set_measurement_stabilization",
            "Sets the stabilization time before a scan, and the laser output after it",
        )
        .get("/measurement/config", measurement::config, "get_measurement_config", "The scan's settings")
        .post(
            "/measurement/config",
            measurement::set_config,
            "set_measurement_config",
            "Sets settings of the scan",
        )
        .section("Sources")
        .get("/tls/{channel}/config", tls::config, "get_tls_config", "All settings of a source")
        .post("/tls/{channel}/config", tls::set_config, "set_tls_config", "Sets settings of a source")
        .get("/tls/{channel}/wavelength", tls::wavelength, "get_tls_wavelength", "Range of a source")
        .post(
            "/tls/{channel}/wavelength",
            tls::set_wavelength,
            "set_tls_wavelength",
            "Sets the range of a source",
        )
        .get("/tls/{channel}/power", tls::power, "get_tls_power", "Power of a source")
        .post("/tls/{channel}/power", tls::set_power, "set_tls_power", "Sets the power of a source")
        .get("/tls/{channel}/speed", tls::speed, "get_tls_speed", "Speed of a source")
        .post("/tls/{channel}/speed", tls::set_speed, "set_tls_speed", "Sets the speed of a source")
        .get("/tls/{channel}/trigger", tls::trigger, "get_tls_trigger", "Trigger of a source")
        .post("/tls/{channel}/trigger", tls::set_trigger, "set_tls_trigger", "Sets the trigger of a source")
        .section("Lasers")
        .get("/rlaser/{laser_number}/config", laser::config, "get_laser_config", "All settings of a laser")
        .post(
            "/rlaser/{laser_number}/config",
            laser::set_config,
            "set_laser_config",
            "Sets power, wavelength and output of a laser",
        )
        .get("/rlaser/{laser_number}/id", laser::identity, "get_laser_identity", "Identity of a laser")
        .get("/rlaser/{laser_number}/power", laser::power, "get_laser_power", "Power of a laser")
        .post(
            "/rlaser/{laser_number}/power",
            laser::set_power,
            "set_laser_power",
            "Sets the power of a laser",
        )
        .get(
            "/rlaser/{laser_number}/wavelength",
            laser::wavelength,
            "get_laser_wavelength",
            "Wavelength of a laser",
        )
        .post(
            "/rlaser/{laser_number}/wavelength",
            laser::set_wavelength,
            "set_laser_wavelength",
            "Sets the wavelength of a laser",
        )
        .get(
            "/rlaser/{laser_number}/state",
            laser::state,
            "get_laser_state",
            "Whether the output of a laser is on",
        )
        .post("/rlaser/{laser_number}/on", laser::on, "turn_laser_on", "Turns a laser on")
        .post("/rlaser/{laser_number}/off", laser::off, "turn_laser_off", "Turns a laser off")
        .section("Service")
        .post("/scpi", scpi::send, "send_scpi", "Sends one raw SCPI line, if `allow_scpi` is set")
}
