//! `ctp10 status` and `ctp10 off`: through the program that holds the instrument, if there is one, otherwise directly
//! to the instrument.

use std::pin::pin;
use std::time::Duration;

use serde_json::{Value, json};

use super::choose::{Choice, choose};
use super::setup;
use crate::cli::{InstrumentArgs, StatusArgs, WithRealArgs};
use crate::config::Config;
use crate::equipment::{Live, MadeSafe};
use crate::error::{ExitCode, Failure, chain};
use crate::http::{AllowedHosts, Client, Header, HttpRequest};
use crate::instrument::scpi::{Identity, Query};
use crate::instrument::{Address, InstrumentStatus};
use crate::session::{EmergencyStop, Session, Setup, find_holder};
use crate::terminal::output::{errln, outln};
use crate::terminal::simulated_mark;

/// Time within which the other program must abort and turn ten lasers off. After that it is not relied on.
const OFF_LIMIT: Duration = Duration::from_secs(120);
/// After this time without a reply, the other program may hang: the lasers are turned off from here at the same time.
const OFF_PATIENCE: Duration = Duration::from_secs(3);
/// Time within which the other program must tell what it knows.
const STATUS_LIMIT: Duration = Duration::from_secs(5);

/// Sends a request to the program that holds an instrument; `None` if there is none, or if it does not reply.
async fn ask_runner(address: &Address, method: &str, path: &str, limit: Duration) -> Option<Value> {
    let holder = find_holder(address)?;
    let url = url::Url::parse(&format!("{}{path}", holder.sidecar.as_ref()?)).ok()?;
    let host = url.authority().to_owned();
    let client = Client::new(AllowedHosts::try_from(vec![host]).ok()?);
    let headers: Vec<Header> =
        holder.token.as_deref().map(Header::bearer).transpose().ok()?.into_iter().collect();
    let request = HttpRequest { method, url: &url, json: None, headers: &headers, limit };
    match client.send(request).await {
        Ok(reply) if reply.is_success() => reply.value().ok(),
        Ok(reply) => {
            errln!("{holder} replied with status {}: connecting to the instrument directly", reply.status);
            None
        }
        Err(error) => {
            errln!("{holder} does not reply ({error}): connecting to the instrument directly");
            None
        }
    }
}

fn remote(choice: &Choice) -> Option<Address> {
    match choice {
        Choice::Remote(address) => Some(address.clone()),
        Choice::Simulated(_) => None,
    }
}

pub(super) async fn status(args: &StatusArgs, config: &Config) -> Result<(), Failure> {
    let choice = choose(&args.instrument, None, config)?;
    if let Some(address) = remote(&choice)
        && let Some(told) = ask_runner(&address, "GET", "/instrument", STATUS_LIMIT).await
        && told["connected"] == true
        && !told["age_s"].is_null()
    {
        return tell(&as_known(&told), args.json);
    }
    let (reached, identity) = choice.reach(config).await?;
    let status = reached.instrument.status().await;
    let status = status.map_err(|error| Failure::new(ExitCode::Instrument, chain(&error)))?;
    tell(&as_json(&reached.target.to_string(), &identity, &status), args.json)
}

/// The reply of the other program, with the field names of `status`.
fn as_known(told: &Value) -> Value {
    let mut known = told.clone();
    known["idle"] = json!(told["condition_register"] == 0);
    known
}

fn tell(status: &Value, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return super::print_json(status);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let simulated = simulated_mark(status["simulated"] == true);
    outln!("{} at {}{simulated}", text(&status["identity"]), text(&status["address"]));
    if Query::identity().read(&text(&status["identity"])).is_some_and(|identity| !identity.is_ctp10()) {
        outln!("warning: this instrument is not a CTP10");
    }
    outln!("{}", text(&status["condition"]));
    if let Some(run) = status["run"].as_str() {
        outln!("in use by run {run}");
    }
    for laser in status["lasers"].as_array().into_iter().flatten() {
        outln!(
            "laser {:>2}  {:<28} {:<3}  {} dBm  {} nm",
            laser["laser"],
            text(&laser["identity"]),
            if laser["on"] == true { "on" } else { "off" },
            laser["power_dbm"],
            laser["wavelength_nm"]
        );
    }
    for laser in status["silent_lasers"].as_array().into_iter().flatten() {
        outln!("laser {laser:>2}  does not reply: it may be on");
    }
    Ok(())
}

fn as_json(address: &str, identity: &Identity, status: &InstrumentStatus) -> serde_json::Value {
    let lasers: Vec<_> = status
        .lasers
        .iter()
        .map(|laser| {
            json!({
                "laser": laser.laser, "identity": laser.identity.to_string(), "on": laser.on,
                "power_dbm": laser.power_dbm, "wavelength_nm": laser.wavelength_nm,
            })
        })
        .collect();
    json!({
        "address": address, "identity": identity.to_string(), "simulated": identity.simulated(),
        "condition": status.condition.to_string(), "condition_register": status.condition.0,
        "idle": status.condition.is_idle(), "lasers": lasers, "silent_lasers": status.silent,
    })
}

/// Turns the lasers off and makes the named instruments safe. Neither waits for the other, and neither depends on the other.
pub(super) async fn off(args: &InstrumentArgs, config: &Config) -> Result<(), Failure> {
    let choice = choose(args, None, config)?;
    // The simulator is a reason to leave the real instruments alone.
    let live = if remote(&choice).is_some() { super::live(config) } else { Live::default() };
    let here = off_from_here(choice.clone(), &live, config);
    let done = match remote(&choice) {
        Some(address) => {
            let runner = ask_runner(&address, "POST", "/off", OFF_LIMIT);
            first_to_turn_off(runner, here, OFF_PATIENCE).await
        }
        None => Done::Here(Box::new(here.await)),
    };
    match done {
        Done::ByRunner(told) => told_off(&after_runner(&told, choice, &live, config).await),
        Done::Here(here) => here.tell(),
    }
}

/// Who has turned the lasers off.
enum Done {
    /// The program that holds the instrument: its reply.
    ByRunner(Value),
    /// This program.
    Here(Box<FromHere>),
}

/// Asks the other program, and does the same from here if there is no reply soon. The first one with a result counts: a
/// program that hangs must not delay the end, and the instrument may accept no second connection.
async fn first_to_turn_off(
    runner: impl Future<Output = Option<Value>>,
    here: impl Future<Output = FromHere>,
    patience: Duration,
) -> Done {
    let (mut runner, mut here) = (pin!(runner), pin!(here));
    if let Ok(told) = tokio::time::timeout(patience, &mut runner).await {
        return match told {
            Some(told) => Done::ByRunner(told),
            None => Done::Here(Box::new(here.await)),
        };
    }
    let waited = patience.as_secs();
    errln!("the program that holds the instrument has not replied for {waited} s: connecting directly too");
    tokio::select! {
        told = &mut runner => match told {
            Some(told) => Done::ByRunner(told),
            None => Done::Here(Box::new(here.await)),
        },
        done = &mut here => match done.is_dark() {
            true => Done::Here(Box::new(done)),
            false => runner.await.map_or_else(|| Done::Here(Box::new(done)), Done::ByRunner),
        },
    }
}

/// What this program has done itself.
struct FromHere {
    lasers: Result<EmergencyStop, Failure>,
    named: MadeSafe,
}

impl FromHere {
    fn is_dark(&self) -> bool {
        self.lasers.as_ref().is_ok_and(|done| done.unknown.is_empty())
    }

    fn tell(self) -> Result<(), Failure> {
        match self.lasers {
            Ok(done) => told_off(&EmergencyStop { named: self.named, ..done }),
            Err(failure) => {
                tell_named(&self.named);
                Err(failure)
            }
        }
    }
}

async fn off_from_here(choice: Choice, live: &Live, config: &Config) -> FromHere {
    let all = live.iter().map(|(name, _)| name.to_owned()).collect();
    let (lasers, named) = tokio::join!(lasers_off(choice, config), live.make_safe(&all));
    FromHere { lasers, named }
}

/// What the other program has not turned off or made safe is tried from here: its configuration may name other instruments.
async fn after_runner(told: &Value, choice: Choice, live: &Live, config: &Config) -> EmergencyStop {
    let lasers = |name: &str| serde_json::from_value(told[name].clone()).unwrap_or_default();
    let names = |name: &str| serde_json::from_value::<Vec<String>>(told[name].clone()).unwrap_or_default();
    let mut named = MadeSafe { safe: names("instruments_safe"), ..MadeSafe::default() };
    let rest = live.iter().map(|(name, _)| name.to_owned()).filter(|name| !named.safe.contains(name));
    let here = live.make_safe(&rest.collect()).await;
    let beyond = names("instruments_unknown").into_iter().filter(|name| live.get(name).is_none());
    named.unknown = here.unknown.into_iter().chain(beyond).collect();
    named.safe.extend(here.safe);
    named.trouble = here.trouble;
    let run = told["run"].as_str().map(str::to_owned);
    let aborted = told["aborted"] == true;
    let (off, unknown) = (lasers("lasers_off"), lasers("lasers_unknown"));
    or_directly(EmergencyStop { aborted, off, unknown, named, run }, choice, config).await
}

/// Turns the lasers off directly if the other program could not do so and has no connection. The instrument may accept only
/// one connection, so a program that has one keeps it.
async fn or_directly(done: EmergencyStop, choice: Choice, config: &Config) -> EmergencyStop {
    let Some(address) = remote(&choice).filter(|_| !done.unknown.is_empty()) else { return done };
    let told = ask_runner(&address, "GET", "/instrument", STATUS_LIMIT).await;
    if told.is_some_and(|told| told["connected"] == true) {
        return done;
    }
    errln!("the program that holds the instrument has no connection to it: connecting directly");
    match lasers_off(choice, config).await {
        Ok(direct) => EmergencyStop { named: done.named, run: done.run, ..direct },
        Err(failure) => {
            for finding in &failure.findings {
                errln!("{}", finding.message);
            }
            done
        }
    }
}

/// Turns the lasers off over a connection of this program. The commands are sent before the question for the identity,
/// because an instrument that is silent may still listen.
async fn lasers_off(choice: Choice, config: &Config) -> Result<EmergencyStop, Failure> {
    let reached = choice.open(config).await?;
    let setup = Setup { live: Live::default(), ..setup(None, &WithRealArgs::default(), config)? };
    let session = Session::new(reached.instrument.clone(), reached.target.clone(), setup);
    let done = session.off("stopped by `ctp10 off`").await;
    if done.off.is_empty() && !done.aborted {
        // The reason why no instrument replies.
        reached.greet().await?;
    }
    Ok(done)
}

fn tell_named(named: &MadeSafe) {
    if !named.safe.is_empty() {
        outln!("safe: {}", named.safe.join(", "));
    }
    for trouble in &named.trouble {
        errln!("{trouble}");
    }
}

fn told_off(done: &EmergencyStop) -> Result<(), Failure> {
    let list = |lasers: &[u8]| lasers.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    if let Some(run) = &done.run {
        outln!("run {run} ended");
    }
    outln!(
        "lasers off: {}",
        match (done.off.as_slice(), done.unknown.as_slice()) {
            ([], []) => "there are none".to_owned(),
            ([], _) => "none".to_owned(),
            (off, _) => list(off),
        }
    );
    tell_named(&done.named);
    let refuse = |message: String| {
        Err(Failure::new(ExitCode::Instrument, message).hint("check the instrument's front panel"))
    };
    match (done.unknown.as_slice(), done.aborted) {
        ([], true) if done.named.unknown.is_empty() => Ok(()),
        ([], true) => refuse(format!(
            "could not confirm that these instruments are safe: {}",
            done.named.unknown.join(", ")
        )),
        ([], false) => refuse("the lasers are off, but the instrument is not idle".to_owned()),
        (unknown, _) => refuse(format!("could not confirm that these lasers are off: {}", list(unknown))),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    /// What this program has done, with these lasers off and these unknown.
    fn from_here(off: &[u8], unknown: &[u8]) -> FromHere {
        let done = EmergencyStop {
            aborted: true,
            off: off.to_vec(),
            unknown: unknown.to_vec(),
            named: MadeSafe::default(),
            run: None,
        };
        FromHere { lasers: Ok(done), named: MadeSafe::default() }
    }

    /// The other program replies only after this program has acted.
    async fn late(told: Option<Value>) -> Option<Value> {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        told
    }

    /// Who has turned the lasers off: the reply of the other program, or the lasers that are off from here.
    fn who(done: Done) -> Result<Value, Vec<u8>> {
        match done {
            Done::ByRunner(told) => Ok(told),
            Done::Here(here) => Err(here.lasers.map(|done| done.off).unwrap_or_default()),
        }
    }

    const LONG: Duration = Duration::from_secs(3600);
    const NONE: Duration = Duration::ZERO;

    #[tokio::test]
    async fn a_program_that_replies_soon_turns_the_lasers_off_alone() {
        let here = async { panic!("the instrument may accept no second connection") };
        let done = first_to_turn_off(late(Some(json!("told"))), here, LONG).await;
        assert_eq!(who(done), Ok(json!("told")));
        // Without a program, or after its refusal, nobody is waited for.
        let done = first_to_turn_off(ready(None), ready(from_here(&[1], &[])), LONG).await;
        assert_eq!(who(done), Err(vec![1]));
    }

    #[tokio::test]
    async fn a_program_that_hangs_does_not_delay_the_end() {
        let done = first_to_turn_off(pending(), ready(from_here(&[1, 2], &[])), NONE).await;
        assert_eq!(who(done), Err(vec![1, 2]));
        // A program that is only slow may hold the one connection that the instrument accepts.
        let done = first_to_turn_off(late(Some(json!("told"))), pending(), NONE).await;
        assert_eq!(who(done), Ok(json!("told")));
        // If it refuses late, the attempt from here still counts.
        let here = async {
            late(None).await;
            from_here(&[1], &[])
        };
        let done = first_to_turn_off(late(None), here, NONE).await;
        assert_eq!(who(done), Err(vec![1]));
    }

    #[tokio::test]
    async fn lasers_that_are_unknown_from_here_are_left_to_the_other_program() {
        let done = first_to_turn_off(late(Some(json!("told"))), ready(from_here(&[1], &[2])), NONE).await;
        assert_eq!(who(done), Ok(json!("told")));
        let done = first_to_turn_off(late(None), ready(from_here(&[1], &[2])), NONE).await;
        assert_eq!(who(done), Err(vec![1]));
    }
}
