//! `/tls/{1–4}`: the tunable laser sources (TLS) of the scan.

use axum::Json;
use axum::extract::State;

use crate::instrument::scpi::{Action, Query as Ask};
use crate::sidecar::problem::Problem;
use crate::sidecar::read::{Body, Path, Query, refuse_reversed};
use crate::sidecar::state::App;
use crate::sidecar::wire::instrument::{
    Set, TlsConfig, TlsConfigured, TlsPower, TlsSpeed, TlsTrigger, TlsWavelength,
};
use crate::sidecar::wire::setup::{
    TlsConfigBody, TlsPath, TlsPowerQuery, TlsSpeedQuery, TlsTriggerQuery, TlsWavelengthQuery,
};

/// Converts a speed to the integer that clients expect.
#[expect(clippy::cast_possible_truncation, reason = "a few hundred nm/s")]
fn whole(speed_nm_s: f64) -> i64 {
    speed_nm_s.round() as i64
}

/// Returns all settings of a TLS.
pub(in crate::sidecar) async fn config(
    State(app): State<App>,
    Path(TlsPath { tls }): Path<TlsPath>,
) -> Result<Json<TlsConfig>, Problem> {
    let instrument = app.instrument();
    Ok(Json(TlsConfig {
        channel: tls,
        start_wavelength_nm: instrument.ask(&Ask::tls_start_nm(tls)).await?,
        stop_wavelength_nm: instrument.ask(&Ask::tls_stop_nm(tls)).await?,
        sweep_speed_nmps: whole(instrument.ask(&Ask::tls_speed_nm_s(tls)).await?),
        laser_power_dbm: instrument.ask(&Ask::tls_power_dbm(tls)).await?,
        trigin: instrument.tls_trigger(tls).await?.unwrap_or(0),
        identifier: instrument.ask(&Ask::tls_laser(tls)).await?,
    }))
}

/// Sets the settings of a TLS, each if given.
pub(in crate::sidecar) async fn set_config(
    State(app): State<App>,
    Path(TlsPath { tls }): Path<TlsPath>,
    Body(body): Body<TlsConfigBody>,
) -> Result<Json<TlsConfigured>, Problem> {
    refuse_reversed(
        ("start_wavelength_nm", body.start_wavelength_nm),
        ("stop_wavelength_nm", body.stop_wavelength_nm),
    )?;
    // The laser comes first, because the ranges of the other settings depend on it.
    let actions = [
        body.identifier.map(|laser| Action::SetTlsLaser { tls, laser }),
        body.start_wavelength_nm.map(|nm| Action::SetTlsStart { tls, nm }),
        body.stop_wavelength_nm.map(|nm| Action::SetTlsStop { tls, nm }),
        body.sweep_speed_nmps.map(|speed| Action::SetTlsSpeed { tls, nm_s: f64::from(speed) }),
        body.laser_power_dbm.map(|dbm| Action::SetTlsPower { tls, dbm }),
        body.trigin.map(|trigger| Action::SetTlsTrigger { tls, trigger }),
    ];
    app.change(actions.into_iter().flatten()).await?;
    Ok(Json(TlsConfigured {
        success: true,
        message: format!("TLS{tls} configured successfully"),
        config: body,
    }))
}

/// Returns the range of a TLS.
pub(in crate::sidecar) async fn wavelength(
    State(app): State<App>,
    Path(TlsPath { tls }): Path<TlsPath>,
) -> Result<Json<TlsWavelength>, Problem> {
    Ok(Json(read_wavelength(&app, tls).await?))
}

async fn read_wavelength(app: &App, tls: u8) -> Result<TlsWavelength, Problem> {
    let instrument = app.instrument();
    Ok(TlsWavelength {
        channel: tls,
        start_wavelength_nm: instrument.ask(&Ask::tls_start_nm(tls)).await?,
        stop_wavelength_nm: instrument.ask(&Ask::tls_stop_nm(tls)).await?,
        set: Set::default(),
    })
}

/// Sets the range of a TLS.
pub(in crate::sidecar) async fn set_wavelength(
    State(app): State<App>,
    Path(TlsPath { tls }): Path<TlsPath>,
    Query(query): Query<TlsWavelengthQuery>,
) -> Result<Json<TlsWavelength>, Problem> {
    let (start, stop) = (query.start_nm, query.stop_nm);
    refuse_reversed(("start_nm", Some(start)), ("stop_nm", Some(stop)))?;
    app.change([Action::SetTlsStart { tls, nm: start }, Action::SetTlsStop { tls, nm: stop }]).await?;
    let range = read_wavelength(&app, tls).await?;
    let (start, stop) = (range.start_wavelength_nm, range.stop_wavelength_nm);
    let set = Set::done(format!("TLS{tls} wavelength range set to {start}-{stop} nm"));
    Ok(Json(TlsWavelength { set, ..range }))
}

/// Returns the power of a TLS.
pub(in crate::sidecar) async fn power(
    State(app): State<App>,
    Path(TlsPath { tls }): Path<TlsPath>,
) -> Result<Json<TlsPower>, Problem> {
    let laser_power_dbm = app.instrument().ask(&Ask::tls_power_dbm(tls)).await?;
    Ok(Json(TlsPower { channel: tls, laser_power_dbm, set: Set::default() }))
}

/// Sets the power of a TLS.
pub(in crate::sidecar) async fn set_power(
    State(app): State<App>,
    Path(TlsPath { tls }): Path<TlsPath>,
    Query(query): Query<TlsPowerQuery>,
) -> Result<Json<TlsPower>, Problem> {
    app.change([Action::SetTlsPower { tls, dbm: query.power_dbm }]).await?;
    let laser_power_dbm = app.instrument().ask(&Ask::tls_power_dbm(tls)).await?;
    let set = Set::done(format!("TLS{tls} power set to {laser_power_dbm} dBm"));
    Ok(Json(TlsPower { channel: tls, laser_power_dbm, set }))
}

/// Returns the speed of a TLS.
pub(in crate::sidecar) async fn speed(
    State(app): State<App>,
    Path(TlsPath { tls }): Path<TlsPath>,
) -> Result<Json<TlsSpeed>, Problem> {
    let sweep_speed_nmps = whole(app.instrument().ask(&Ask::tls_speed_nm_s(tls)).await?);
    Ok(Json(TlsSpeed { channel: tls, sweep_speed_nmps, set: Set::default() }))
}

/// Sets the speed of a TLS.
pub(in crate::sidecar) async fn set_speed(
    State(app): State<App>,
    Path(TlsPath { tls }): Path<TlsPath>,
    Query(query): Query<TlsSpeedQuery>,
) -> Result<Json<TlsSpeed>, Problem> {
    app.change([Action::SetTlsSpeed { tls, nm_s: f64::from(query.speed_nmps) }]).await?;
    let sweep_speed_nmps = whole(app.instrument().ask(&Ask::tls_speed_nm_s(tls)).await?);
    let set = Set::done(format!("TLS{tls} speed set to {sweep_speed_nmps} nm/s"));
    Ok(Json(TlsSpeed { channel: tls, sweep_speed_nmps, set }))
}

/// Returns the trigger input of a TLS.
pub(in crate::sidecar) async fn trigger(
    State(app): State<App>,
    Path(TlsPath { tls }): Path<TlsPath>,
) -> Result<Json<TlsTrigger>, Problem> {
    Ok(Json(read_trigger(&app, tls).await?))
}

async fn read_trigger(app: &App, tls: u8) -> Result<TlsTrigger, Problem> {
    let trigin = app.instrument().tls_trigger(tls).await?.unwrap_or(0);
    let description = match trigin {
        0 => "Software trigger".to_owned(),
        port => format!("TRIG IN port {port}"),
    };
    Ok(TlsTrigger { channel: tls, trigin, description, set: Set::default() })
}

/// Sets the trigger input of a TLS.
pub(in crate::sidecar) async fn set_trigger(
    State(app): State<App>,
    Path(TlsPath { tls }): Path<TlsPath>,
    Query(query): Query<TlsTriggerQuery>,
) -> Result<Json<TlsTrigger>, Problem> {
    let Some(trigger) = u8::try_from(query.trigin).ok().filter(|trigger| *trigger <= 8) else {
        return Err(Problem::bad_request("Trigger must be 0-8"));
    };
    app.change([Action::SetTlsTrigger { tls, trigger }]).await?;
    let found = read_trigger(&app, tls).await?;
    let set = Set::done(format!("TLS{tls} trigger set to {}", found.trigin));
    Ok(Json(TlsTrigger { set, ..found }))
}
