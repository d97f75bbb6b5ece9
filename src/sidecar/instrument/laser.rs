//! `/rlaser/{1–10}`: static control of single lasers.

use axum::Json;
use axum::extract::State;

use crate::instrument::scpi::{Action, Identity, Query as Ask};
use crate::sidecar::problem::Problem;
use crate::sidecar::read::{Body, Path, Query};
use crate::sidecar::state::App;
use crate::sidecar::wire::instrument::{
    LaserConfig, LaserConfigured, LaserIdentity, LaserPower, LaserState, LaserSwitched, LaserWavelength, Set,
};
use crate::sidecar::wire::setup::{LaserConfigBody, LaserPath, LaserPowerQuery, LaserWavelengthQuery};

/// Returns the settings of a laser.
pub(in crate::sidecar) async fn config(
    State(app): State<App>,
    Path(LaserPath { laser }): Path<LaserPath>,
) -> Result<Json<LaserConfig>, Problem> {
    let instrument = app.instrument();
    Ok(Json(LaserConfig {
        laser_number: laser,
        id: instrument.ask(&Ask::laser_identity(laser)).await?.to_string(),
        wavelength_nm: instrument.ask(&Ask::laser_wavelength_nm(laser)).await?,
        power_dbm: instrument.ask(&Ask::laser_power_dbm(laser)).await?,
        is_on: instrument.ask(&Ask::laser_output(laser)).await?,
    }))
}

/// Sets power, wavelength and output, each if given. `off` is sent first, `on` last.
pub(in crate::sidecar) async fn set_config(
    State(app): State<App>,
    Path(LaserPath { laser }): Path<LaserPath>,
    Body(body): Body<LaserConfigBody>,
) -> Result<Json<LaserConfigured>, Problem> {
    let switch = |wanted: bool| {
        body.power_state.filter(|on| *on == wanted).map(|on| Action::SetLaserOutput { laser, on })
    };
    let actions = [
        switch(false),
        body.wavelength_nm.map(|nm| Action::SetLaserWavelength { laser, nm }),
        body.power_dbm.map(|dbm| Action::SetLaserPower { laser, dbm }),
        switch(true),
    ];
    app.change(actions.into_iter().flatten()).await?;
    let message = format!("Laser {laser} configured successfully");
    Ok(Json(LaserConfigured { success: true, message, config: body }))
}

/// Returns the identity of a laser.
pub(in crate::sidecar) async fn identity(
    State(app): State<App>,
    Path(LaserPath { laser }): Path<LaserPath>,
) -> Result<Json<LaserIdentity>, Problem> {
    let identity = app.instrument().ask(&Ask::laser_identity(laser)).await?;
    let id = identity.to_string();
    let Identity { maker, model, serial, firmware } = identity;
    let known = |part: String| Some(part).filter(|part| !part.is_empty());
    Ok(Json(LaserIdentity {
        laser_number: laser,
        id,
        manufacturer: known(maker),
        model: known(model),
        serial: known(serial),
        firmware: known(firmware),
    }))
}

/// Returns the power of a laser.
pub(in crate::sidecar) async fn power(
    State(app): State<App>,
    Path(LaserPath { laser }): Path<LaserPath>,
) -> Result<Json<LaserPower>, Problem> {
    let power_dbm = app.instrument().ask(&Ask::laser_power_dbm(laser)).await?;
    Ok(Json(LaserPower { laser_number: laser, power_dbm, set: Set::default() }))
}

/// Sets the power of a laser.
pub(in crate::sidecar) async fn set_power(
    State(app): State<App>,
    Path(LaserPath { laser }): Path<LaserPath>,
    Query(query): Query<LaserPowerQuery>,
) -> Result<Json<LaserPower>, Problem> {
    app.change([Action::SetLaserPower { laser, dbm: query.power_dbm }]).await?;
    let power_dbm = app.instrument().ask(&Ask::laser_power_dbm(laser)).await?;
    let set = Set::done(format!("Laser {laser} power set to {power_dbm} dBm"));
    Ok(Json(LaserPower { laser_number: laser, power_dbm, set }))
}

/// Returns the wavelength of a laser.
pub(in crate::sidecar) async fn wavelength(
    State(app): State<App>,
    Path(LaserPath { laser }): Path<LaserPath>,
) -> Result<Json<LaserWavelength>, Problem> {
    let wavelength_nm = app.instrument().ask(&Ask::laser_wavelength_nm(laser)).await?;
    Ok(Json(LaserWavelength { laser_number: laser, wavelength_nm, set: Set::default() }))
}

/// Sets the wavelength of a laser.
pub(in crate::sidecar) async fn set_wavelength(
    State(app): State<App>,
    Path(LaserPath { laser }): Path<LaserPath>,
    Query(query): Query<LaserWavelengthQuery>,
) -> Result<Json<LaserWavelength>, Problem> {
    app.change([Action::SetLaserWavelength { laser, nm: query.wavelength_nm }]).await?;
    let wavelength_nm = app.instrument().ask(&Ask::laser_wavelength_nm(laser)).await?;
    let set = Set::done(format!("Laser {laser} wavelength set to {wavelength_nm} nm"));
    Ok(Json(LaserWavelength { laser_number: laser, wavelength_nm, set }))
}

/// Returns whether the output of a laser is on.
pub(in crate::sidecar) async fn state(
    State(app): State<App>,
    Path(LaserPath { laser }): Path<LaserPath>,
) -> Result<Json<LaserState>, Problem> {
    let is_on = app.instrument().ask(&Ask::laser_output(laser)).await?;
    Ok(Json(LaserState { laser_number: laser, is_on, state: is_on }))
}

/// Turns a laser on.
pub(in crate::sidecar) async fn on(
    State(app): State<App>,
    Path(LaserPath { laser }): Path<LaserPath>,
) -> Result<Json<LaserSwitched>, Problem> {
    switch(&app, laser, true).await
}

/// Turns a laser off.
pub(in crate::sidecar) async fn off(
    State(app): State<App>,
    Path(LaserPath { laser }): Path<LaserPath>,
) -> Result<Json<LaserSwitched>, Problem> {
    switch(&app, laser, false).await
}

async fn switch(app: &App, laser: u8, on: bool) -> Result<Json<LaserSwitched>, Problem> {
    app.change([Action::SetLaserOutput { laser, on }]).await?;
    let is_on = app.instrument().ask(&Ask::laser_output(laser)).await?;
    if is_on != on {
        let state = if is_on { "on" } else { "off" };
        return Err(Problem::bad_gateway(format!("laser {laser} was switched, but it is still {state}")));
    }
    let message = format!("Laser {laser} turned {}", if on { "ON" } else { "OFF" });
    Ok(Json(LaserSwitched { success: true, message, laser_number: laser, is_on }))
}
