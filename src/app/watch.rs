//! `ctp10 watch`

use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr};

use super::signals::stop_signal;
use crate::cli::WatchArgs;
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::http::HttpError;
use crate::watch::{Chosen, Service, ServiceError, watch as view};

pub(super) async fn watch(args: WatchArgs, config: &Config) -> Result<(), Failure> {
    if !std::io::stdout().is_terminal() {
        let hint = "`ctp10 runs show last` and `ctp10 status` also print to files";
        return Err(Failure::new(ExitCode::Usage, "`ctp10 watch` needs a terminal").hint(hint));
    }
    let (url, run) = match args.what {
        Some(what) if is_address(&what) => (what, None),
        run => (own_service(config), run),
    };
    let file =
        args.token_file.as_deref().or(config.read_token_file.as_deref()).or(config.token_file.as_deref());
    let token = super::serve::token(file, config.read_token.as_ref().or(config.token.as_ref()))?;
    let service = Service::new(&url, token.as_deref()).map_err(|error| refused(&error))?;
    // A wrong address, token or run is an error here, and not a line on the screen.
    service.probe(run.as_deref()).await.map_err(|error| refused(&error))?;
    let chosen = Chosen { run, module: args.module };
    let ended = async {
        stop_signal().await;
    };
    view(service, chosen, ended).await.map_err(|error| Failure::new(ExitCode::Failed, chain(&error)))
}

/// Names of runs contain no colon.
fn is_address(what: &str) -> bool {
    what.contains(':')
}

/// The address of this computer's service. A service that listens on all addresses is reached on loopback.
fn own_service(config: &Config) -> String {
    let listen = config.listen.as_deref().filter(|listen| *listen != "off").unwrap_or(super::serve::LISTEN);
    let address = match listen.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_unspecified() => {
            SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())).to_string()
        }
        _ => listen.to_owned(),
    };
    // Programs on this computer may leave the path prefix out.
    format!("http://{address}")
}

fn refused(error: &ServiceError) -> Failure {
    let failure = Failure::new(ExitCode::Usage, chain(error));
    match error {
        ServiceError::Http(HttpError::Unreachable { .. }) => failure.hint(
            "`ctp10 run` and `ctp10 serve` start the service; a run that has ended is shown by `ctp10 runs show last`",
        ),
        _ => failure,
    }
}
