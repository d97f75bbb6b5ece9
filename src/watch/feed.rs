//! Asks the service at regular intervals, and tells the view what has changed.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::replies::{Frame, Instrument, Run, Trace, Traces};
use super::seen::{Told, Wanted};
use super::service::{Service, ServiceError};
use super::{Chosen, Update};

/// Time between two requests for the state.
const EVERY: Duration = Duration::from_secs(1);
/// Seconds between two readings of the power.
const POWER_EVERY_S: f64 = 0.5;
/// A service that sends nothing for this time is asked again. It sends a heartbeat every 30 s.
const SILENCE: Duration = Duration::from_secs(60);
/// The module whose power is shown if nothing else is known.
const USUAL_MODULE: u8 = 4;

/// The tasks that ask the service. They end with the view.
#[derive(Debug)]
pub(super) struct Feed {
    wanted: watch::Sender<Wanted>,
    /// They end when this is dropped.
    _tasks: tokio::task::JoinSet<()>,
}

impl Feed {
    pub(super) fn start(service: Service, chosen: Chosen, updates: mpsc::Sender<Update>) -> Self {
        let Chosen { run, module } = chosen;
        let (wanted, wants) = watch::channel(Wanted::default());
        let (modules, of_module) = watch::channel(module.unwrap_or(USUAL_MODULE));
        let mut tasks = tokio::task::JoinSet::new();
        let told = Teller(updates);
        tasks.spawn(power(service.clone(), of_module, told.clone()));
        let modules = module.is_none().then_some(modules);
        let look = Look { service, run, modules, on_screen: None };
        tasks.spawn(state(look, wants, told));
        Self { wanted, _tasks: tasks }
    }

    /// Says what the view needs; the same again changes nothing.
    pub(super) fn want(&self, wanted: Wanted) {
        self.wanted.send_if_modified(|before| std::mem::replace(before, wanted) != wanted);
    }
}

/// Where the news go.
#[derive(Debug, Clone)]
struct Teller(mpsc::Sender<Update>);

impl Teller {
    /// Whether the view still listens.
    async fn tell(&self, told: Told) -> bool {
        self.0.send(Update::Told(Box::new(told))).await.is_ok()
    }
}

/// Instrument, run and trace: once a second, and at once if the view wants another trace.
async fn state(mut look: Look, mut wants: watch::Receiver<Wanted>, told: Teller) {
    let mut pace = tokio::time::interval(EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = pace.tick() => {}
            changed = wants.changed() => if changed.is_err() { return },
        }
        let wanted = *wants.borrow_and_update();
        let news = look.at(wanted).await.unwrap_or_else(|error| vec![Told::Trouble(error.to_string())]);
        for news in news {
            if !told.tell(news).await {
                return;
            }
        }
    }
}

/// Asks for the state.
#[derive(Debug)]
struct Look {
    service: Service,
    /// The run that a person has chosen.
    run: Option<String>,
    /// Where the module of the run's detectors goes, unless a person has chosen one.
    modules: Option<watch::Sender<u8>>,
    /// Run, trace and number of points on the screen, so that nothing is fetched twice.
    on_screen: Option<(String, u64, u64)>,
}

impl Look {
    async fn at(&mut self, wanted: Wanted) -> Result<Vec<Told>, ServiceError> {
        let instrument: Instrument = self.service.get("/instrument").await?;
        let named = self.run.clone();
        let id = named.or_else(|| instrument.run.clone()).or_else(|| instrument.last_run.clone());
        let mut news = vec![Told::Instrument(instrument)];
        let Some(id) = id else { return Ok(news) };
        let run: Run = self.service.get(&format!("/runs/{id}")).await?;
        if let (Some(modules), Some(module)) = (&self.modules, run.detectors.keys().find_map(|at| module(at)))
        {
            modules.send_if_modified(|before| std::mem::replace(before, module) != module);
        }
        let (id, newest) = (run.run.clone(), run.traces);
        news.push(Told::Run(Box::new(run)));
        let number = wanted.trace.unwrap_or(newest);
        if wanted.points == 0 || self.on_screen == Some((id.clone(), number, wanted.points)) {
            return Ok(news);
        }
        if let Some(trace) = self.trace(&id, number).await? {
            let on_screen = Some((id.clone(), trace.trace_index, wanted.points));
            if self.on_screen != on_screen {
                let path = format!("/runs/{id}/traces/{}/view?points={}", trace.trace_index, wanted.points);
                news.push(Told::Trace(trace, self.service.get(&path).await?));
                self.on_screen = on_screen;
            }
        }
        Ok(news)
    }

    /// The trace with this number, or the next one: a trace that was withdrawn leaves its number free.
    async fn trace(&self, id: &str, number: u64) -> Result<Option<Trace>, ServiceError> {
        let Some(before) = number.checked_sub(1) else { return Ok(None) };
        let path = format!("/runs/{id}/traces?after={before}&limit=1");
        Ok(self.service.get::<Traces>(&path).await?.traces.pop())
    }
}

/// The module of a detector, `4/1`.
fn module(detector: &str) -> Option<u8> {
    detector.split('/').next()?.parse().ok()
}

/// Live power, from the stream that all viewers share.
async fn power(service: Service, mut module: watch::Receiver<u8>, told: Teller) {
    loop {
        let path = format!("/power?module={}&interval={POWER_EVERY_S}", *module.borrow_and_update());
        tokio::select! {
            ended = readings(&service, &path, &told) => {
                let trouble = match ended {
                    Ok(()) => "the stream has ended".to_owned(),
                    Err(error) => error.to_string(),
                };
                if !told.tell(Told::NoPower(trouble)).await {
                    return;
                }
                tokio::time::sleep(EVERY).await;
            }
            changed = module.changed() => if changed.is_err() {
                // The module was chosen by a person and does not change.
                std::future::pending::<()>().await;
            },
        }
    }
}

async fn readings(service: &Service, path: &str, told: &Teller) -> Result<(), ServiceError> {
    let mut lines = service.lines(path, SILENCE).await?;
    while let Some(line) = lines.next().await? {
        let Some(data) = line.strip_prefix("data:") else { continue };
        let frame: Frame = serde_json::from_str(data).map_err(|error| ServiceError::NotUnderstood {
            path: path.to_owned(),
            cause: error.to_string(),
        })?;
        if !told.tell(Told::Power(frame)).await {
            return Ok(());
        }
    }
    Ok(())
}
