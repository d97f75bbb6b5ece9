//! `/detector`: power, calibration wavelength, units, references.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::instrument::Ctp10;
use crate::instrument::scpi::{Action, Query as Ask, Reference};
use crate::measurement::{Detector, PowerUnit, SpectralUnit};
use crate::power::{Cause, PowerUpdate, UpdateSchedule};
use crate::sidecar::problem::Problem;
use crate::sidecar::read::{Body, Query};
use crate::sidecar::state::App;
use crate::sidecar::wire::instrument::{
    DetectorConfig, DetectorWavelength, DetectorWavelengthSet, Done, ReferenceResult, ReferenceStarted,
    ReferenceTaken, Stabilization, StabilizationSet,
};
use crate::sidecar::wire::power::Power;
use crate::sidecar::wire::setup::{
    DetectorConfigBody, DetectorQuery, DetectorStabilizationBody, DetectorWavelengthQuery, ModuleQuery,
    ReferenceQuery,
};
use crate::units::SPEED_OF_LIGHT_M_S;

/// A reference scan must end within this time.
const REFERENCE_LIMIT: Duration = Duration::from_secs(60);
/// Snapshots share the readings of watchers with at most this interval.
const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(50);

/// Returns the power of all four channels. The detectors cannot be read during a scan (409). A reading from before the scan
/// is not returned, because a client could not tell the two apart.
pub(in crate::sidecar) async fn snapshot(
    State(app): State<App>,
    Query(query): Query<ModuleQuery>,
) -> Result<Json<Power>, Problem> {
    let module = query.module.unwrap_or(app.options.defaults.module);
    let mut watch = app.session.endpoint().monitor.watch(module, SNAPSHOT_INTERVAL, &[]);
    let mut schedule = UpdateSchedule::new(SNAPSHOT_INTERVAL);
    loop {
        let occupation = match watch.next(&mut schedule).await {
            PowerUpdate::Reading(frame) => return Ok(Json(Power::from(&*frame))),
            PowerUpdate::Unavailable { reason, cause: Cause::Away } => {
                return Err(Problem::not_connected(&reason));
            }
            PowerUpdate::Unavailable { reason, cause: Cause::Refused } => {
                return Err(Problem::bad_gateway(reason));
            }
            PowerUpdate::Busy { occupation, .. }
            | PowerUpdate::Unavailable { cause: Cause::Busy(occupation), .. } => occupation,
        };
        // The next reading follows a transfer, as the reply to any other query does.
        if !occupation.is_transfer() {
            let message = format!(
                "the detectors cannot be read while a {} is in progress; live power (`/ws/power`) sends the last reading with its age",
                occupation.operation
            );
            return Err(Problem::conflict(message));
        }
    }
}

/// Returns the calibration wavelength of a detector.
pub(in crate::sidecar) async fn wavelength(
    State(app): State<App>,
    Query(query): Query<DetectorQuery>,
) -> Result<Json<DetectorWavelength>, Problem> {
    let detector = app.detector(query.module, query.channel);
    let wavelength_nm = app.instrument().ask(&Ask::detector_wavelength_nm(detector)).await?;
    Ok(Json(DetectorWavelength {
        module: detector.module,
        channel: detector.channel,
        wavelength_nm,
        frequency_thz: SPEED_OF_LIGHT_M_S / wavelength_nm * 1e-3,
    }))
}

/// Sets the calibration wavelength of a detector.
pub(in crate::sidecar) async fn set_wavelength(
    State(app): State<App>,
    Query(query): Query<DetectorWavelengthQuery>,
) -> Result<Json<DetectorWavelengthSet>, Problem> {
    let detector = app.detector(query.module, query.channel);
    app.change([Action::SetDetectorWavelength { detector, nm: query.wavelength_nm }]).await?;
    let wavelength_nm = app.instrument().ask(&Ask::detector_wavelength_nm(detector)).await?;
    let Detector { module, channel } = detector;
    Ok(Json(DetectorWavelengthSet { success: true, module, channel, wavelength_nm }))
}

/// Returns the settings of a detector.
pub(in crate::sidecar) async fn config(
    State(app): State<App>,
    Query(query): Query<DetectorQuery>,
) -> Result<Json<DetectorConfig>, Problem> {
    let detector = app.detector(query.module, query.channel);
    let instrument = app.instrument();
    let power_unit = instrument.probe(&Ask::power_unit(detector)).await?;
    let spectral_unit = instrument.probe(&Ask::spectral_unit(detector)).await?;
    Ok(Json(DetectorConfig {
        module: detector.module,
        channel: detector.channel,
        power_unit: power_unit.map(PowerUnit::symbol),
        spectral_unit: spectral_unit.map(|unit| match unit {
            SpectralUnit::Nm => "NM",
            SpectralUnit::Thz => "THz",
        }),
        resolution_pm: instrument.probe(&Ask::resolution_pm()).await?,
        wavelength_nm: instrument.probe(&Ask::detector_wavelength_nm(detector)).await?,
    }))
}

/// Sets units and resolution, each if given. The response of GET can be sent back.
pub(in crate::sidecar) async fn set_config(
    State(app): State<App>,
    Query(query): Query<DetectorQuery>,
    Body(body): Body<DetectorConfigBody>,
) -> Result<Json<Done>, Problem> {
    let detector = app.detector(query.module, query.channel);
    let power = body.power_unit.as_ref().map(|given| {
        one_of(
            given,
            "power_unit",
            &[
                ("DBM", PowerUnit::Dbm),
                ("0", PowerUnit::Dbm),
                ("MW", PowerUnit::Mw),
                ("1", PowerUnit::Mw),
                ("DBMA", PowerUnit::Dbma),
                ("MA", PowerUnit::Ma),
            ],
        )
    });
    let (nm, thz) = (SpectralUnit::Nm, SpectralUnit::Thz);
    let words = [
        ("WAV", nm),
        ("FREQ", thz),
        ("NM", nm),
        ("THZ", thz),
        ("WAVELENGTH", nm),
        ("FREQUENCY", thz),
        ("0", nm),
        ("1", thz),
    ];
    let spectral = body.spectral_unit.as_ref().map(|given| one_of(given, "spectral_unit", &words));
    let actions = [
        power.transpose()?.map(|unit| Action::SetPowerUnit { detector, unit }),
        spectral.transpose()?.map(|unit| Action::SetSpectralUnit { detector, unit }),
        body.resolution_pm.map(|pm| Action::SetResolution { pm }),
    ];
    app.change(actions.into_iter().flatten()).await?;
    Ok(Json(Done { success: true, message: format!("Detector {detector} configured successfully") }))
}

fn one_of<T: Copy>(given: &Value, name: &str, words: &[(&str, T)]) -> Result<T, Problem> {
    let text = match given {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.as_f64().map(|number| number.to_string()).unwrap_or_default(),
        other => other.to_string(),
    };
    let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text));
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let allowed: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let allowed = allowed.join(", ");
        let problem = json!({
            "type": "literal_error", "loc": ["body", name], "msg": format!("allowed: {allowed}"), "input": given,
            "ctx": { "expected": allowed },
        });
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, vec![problem])
    })
}

/// Returns the stabilization: output after a scan, and settling time before it.
pub(in crate::sidecar) async fn stabilization(
    State(app): State<App>,
) -> Result<Json<Stabilization>, Problem> {
    let found = app.instrument().ask(&Ask::stabilization()).await?;
    Ok(Json(Stabilization { output: found.output, duration_seconds: found.seconds }))
}

/// Sets the stabilization.
pub(in crate::sidecar) async fn set_stabilization(
    State(app): State<App>,
    Body(body): Body<DetectorStabilizationBody>,
) -> Result<Json<StabilizationSet>, Problem> {
    app.change([Action::SetStabilization { output: body.output, seconds: body.duration_seconds }]).await?;
    let found = app.instrument().ask(&Ask::stabilization()).await?;
    Ok(Json(StabilizationSet { success: true, output: found.output, duration_seconds: found.seconds }))
}

/// Records a reference. The patch cord must be connected.
pub(in crate::sidecar) async fn reference(
    State(app): State<App>,
    Query(query): Query<ReferenceQuery>,
) -> Result<Json<ReferenceStarted>, Problem> {
    let detector = app.detector(query.module, query.channel);
    let scan = app.start_scan(Action::StartReference { detector }).await?;
    if !query.wait {
        let message = format!(
            "Reference creation initiated for detector {detector} (\"Reference created\" once /measurement/status/referencing is false)"
        );
        return Ok(Json(ReferenceStarted { success: true, message, is_complete: false, result: None }));
    }
    match tokio::time::timeout(REFERENCE_LIMIT, scan.finished()).await {
        Ok(ended) => ended?,
        Err(_) => {
            let message = format!("the reference of {detector} was not finished after 60 s");
            return Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, message));
        }
    }
    let Some(taken) = valid_reference(&app.instrument(), detector).await? else {
        return Err(Problem::bad_gateway(format!("the scan left no valid reference for {detector}")));
    };
    let (date, time) = date_and_time(&taken);
    let type_description = if taken.kind == 0 { "TF (1 sweep)" } else { "TF/PDL (4 sweeps)" };
    let result = ReferenceTaken { state: 1, r#type: taken.kind, type_description, date, time };
    let message = format!("Reference created successfully for detector {detector}");
    Ok(Json(ReferenceStarted { success: true, message, is_complete: true, result: Some(result) }))
}

async fn valid_reference(instrument: &Ctp10, detector: Detector) -> Result<Option<Reference>, Problem> {
    Ok(instrument.reference(detector).await?.filter(|reference| reference.valid))
}

fn date_and_time(reference: &Reference) -> (Option<String>, Option<String>) {
    let shown = |format: &str| reference.taken.map(|taken| taken.format(format).to_string());
    (shown("%Y%m%d"), shown("%H%M%S"))
}

/// Returns the reference of a detector.
pub(in crate::sidecar) async fn reference_result(
    State(app): State<App>,
    Query(query): Query<DetectorQuery>,
) -> Result<Json<ReferenceResult>, Problem> {
    let detector = app.detector(query.module, query.channel);
    let Detector { module, channel } = detector;
    let reference = valid_reference(&app.instrument(), detector).await?;
    let (date, time) = reference.as_ref().map(date_and_time).unwrap_or_default();
    let (state, kind) = (u8::from(reference.is_some()), reference.map(|reference| reference.kind));
    Ok(Json(ReferenceResult { module, channel, state, r#type: kind, date, time }))
}
