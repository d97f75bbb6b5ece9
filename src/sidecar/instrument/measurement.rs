//! `/measurement`: sweeps, and the settings of the scan.

use axum::Json;
use axum::extract::State;

use crate::instrument::scpi::{Action, Query as Ask};
use crate::session::ScanTicket;
use crate::sidecar::problem::Problem;
use crate::sidecar::read::{Body, Query, refuse_reversed};
use crate::sidecar::state::{App, AppState};
use crate::sidecar::wire::instrument::{
    Done, MeasurementConfig, ReferencingStatus, Resolution, Set, Stabilization, StabilizationSet,
    SweepStarted, SweepStatus, SweepWavelengths,
};
use crate::sidecar::wire::setup::{
    MeasurementConfigBody, ResolutionQuery, StabilizationQuery, SweepWavelengthsBody, WaitQuery,
};

/// Starts a sweep. With `wait` the response is sent when the sweep has ended. The sweep continues if the client
/// disconnects.
pub(in crate::sidecar) async fn start_sweep(
    State(app): State<App>,
    Query(query): Query<WaitQuery>,
) -> Result<Json<SweepStarted>, Problem> {
    let scan = app.start_scan(Action::StartScan).await?;
    if !query.wait {
        return Ok(Json(SweepStarted { success: true, message: "Sweep initiated", is_complete: false }));
    }
    scan.finished().await?;
    Ok(Json(SweepStarted { success: true, message: "Sweep completed", is_complete: true }))
}

/// Aborts the scan in progress.
pub(in crate::sidecar) async fn abort_sweep(State(app): State<App>) -> Result<Json<Done>, Problem> {
    app.session.abort().await??;
    app.forget_answers().await;
    Ok(Json(Done { success: true, message: "Sweep aborted".to_owned() }))
}

/// Returns whether a sweep is in progress.
pub(in crate::sidecar) async fn sweep_status(State(app): State<App>) -> Result<Json<SweepStatus>, Problem> {
    let register = app.condition().await?;
    Ok(Json(SweepStatus {
        is_sweeping: !register.is_idle(),
        is_complete: register.is_idle(),
        condition_register: register.0,
    }))
}

/// Returns whether a reference scan is in progress.
pub(in crate::sidecar) async fn referencing(
    State(app): State<App>,
) -> Result<Json<ReferencingStatus>, Problem> {
    let register = app.condition().await?;
    let is_referencing = register.has(6) || register.has(7);
    Ok(Json(ReferencingStatus { is_referencing, condition_register: register.0 }))
}

impl AppState {
    async fn range(&self) -> Result<Json<SweepWavelengths>, Problem> {
        let instrument = self.instrument();
        Ok(Json(SweepWavelengths {
            start_wavelength_nm: instrument.ask(&Ask::scan_start_nm()).await?,
            stop_wavelength_nm: instrument.ask(&Ask::scan_stop_nm()).await?,
        }))
    }

    /// Starts a scan. Every response sent from now on is based on queries after its start.
    pub(super) async fn start_scan(&self, action: Action) -> Result<ScanTicket, Problem> {
        let started = self.session.start_scan(action).await;
        self.forget_answers().await;
        Ok(started??)
    }

    async fn measurement_config(&self, set: Set) -> Result<Json<MeasurementConfig>, Problem> {
        let instrument = self.instrument();
        let resolution_pm = instrument.ask(&Ask::resolution_pm()).await?;
        let found = instrument.ask(&Ask::stabilization()).await?;
        Ok(Json(MeasurementConfig {
            resolution_pm,
            stabilization_output: found.output,
            stabilization_duration: found.seconds,
            set,
        }))
    }
}

/// Returns the range of the scan.
pub(in crate::sidecar) async fn wavelengths(
    State(app): State<App>,
) -> Result<Json<SweepWavelengths>, Problem> {
    app.range().await
}

/// Sets the range of the scan, start before stop. Returns both as read from the instrument.
pub(in crate::sidecar) async fn set_wavelengths(
    State(app): State<App>,
    Body(body): Body<SweepWavelengthsBody>,
) -> Result<Json<SweepWavelengths>, Problem> {
    let actions = [
        body.start_wavelength_nm.map(|nm| Action::SetScanStart { nm }),
        body.stop_wavelength_nm.map(|nm| Action::SetScanStop { nm }),
    ];
    if actions.iter().all(Option::is_none) {
        return Err(Problem::bad_request("give start_wavelength_nm, stop_wavelength_nm or both"));
    }
    refuse_reversed(
        ("start_wavelength_nm", body.start_wavelength_nm),
        ("stop_wavelength_nm", body.stop_wavelength_nm),
    )?;
    app.change(actions.into_iter().flatten()).await?;
    app.range().await
}

/// Returns the sampling step of the scan.
pub(in crate::sidecar) async fn resolution(State(app): State<App>) -> Result<Json<Resolution>, Problem> {
    let resolution_pm = app.instrument().ask(&Ask::resolution_pm()).await?;
    Ok(Json(Resolution { resolution_pm, success: None }))
}

/// Sets the sampling step of the scan.
pub(in crate::sidecar) async fn set_resolution(
    State(app): State<App>,
    Query(query): Query<ResolutionQuery>,
) -> Result<Json<Resolution>, Problem> {
    app.change([Action::SetResolution { pm: query.resolution_pm }]).await?;
    let resolution_pm = app.instrument().ask(&Ask::resolution_pm()).await?;
    Ok(Json(Resolution { resolution_pm, success: Some(true) }))
}

/// Returns the stabilization: output after a scan, and settling time before it.
pub(in crate::sidecar) async fn stabilization(
    State(app): State<App>,
) -> Result<Json<Stabilization>, Problem> {
    super::detector::stabilization(State(app)).await
}

/// Sets the stabilization.
pub(in crate::sidecar) async fn set_stabilization(
    State(app): State<App>,
    Query(query): Query<StabilizationQuery>,
) -> Result<Json<StabilizationSet>, Problem> {
    if !(0.0..=60.0).contains(&query.duration_seconds) {
        let message = format!("duration_seconds {} is not allowed (0-60 seconds)", query.duration_seconds);
        return Err(Problem::bad_request(&message));
    }
    app.change([Action::SetStabilization { output: query.output, seconds: query.duration_seconds }]).await?;
    let found = app.instrument().ask(&Ask::stabilization()).await?;
    Ok(Json(StabilizationSet { success: true, output: found.output, duration_seconds: found.seconds }))
}

/// Returns the settings of the scan.
pub(in crate::sidecar) async fn config(State(app): State<App>) -> Result<Json<MeasurementConfig>, Problem> {
    app.measurement_config(Set::default()).await
}

/// Sets the settings of the scan, each if given.
pub(in crate::sidecar) async fn set_config(
    State(app): State<App>,
    Body(body): Body<MeasurementConfigBody>,
) -> Result<Json<MeasurementConfig>, Problem> {
    let mut actions: Vec<Action> =
        body.resolution_pm.map(|pm| Action::SetResolution { pm }).into_iter().collect();
    if body.stabilization_output.is_some() || body.stabilization_duration.is_some() {
        // One command sets both values; a value that is not given is kept.
        let present = app.instrument().ask(&Ask::stabilization()).await?;
        let output = body.stabilization_output.unwrap_or(present.output);
        let seconds = body.stabilization_duration.unwrap_or(present.seconds);
        actions.push(Action::SetStabilization { output, seconds });
    }
    app.change(actions).await?;
    app.measurement_config(Set::done("Measurement configured successfully".to_owned())).await
}
