//! `bintrail-console`: the state of every stream into an index, and a search through its row changes, in a browser.

mod api;
mod args;
mod assets;
mod auth;
mod control;
mod doors;
mod guard;
mod live;
mod metrics;
mod pages;
mod random;
mod refusal;
mod routes;
mod server;
mod store;

use std::process::ExitCode;
use std::sync::Arc;

use bintrail_cli::{logging, stop};
use bintrail_engine::Error;

fn main() -> ExitCode {
    let args = args::read();
    logging::start(&args.log);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bintrail-console: cannot start: {error}");
            return ExitCode::from(1);
        }
    };
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bintrail-console: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

async fn run(args: args::Args) -> Result<(), Error> {
    let stop = stop::listen()?;
    let index = args.index.dsn()?;
    let store = Arc::new(store::Store::open(&args.console_store)?);
    let credentials = auth::Credentials::new(Arc::clone(&store), args.token_file.as_deref())?;
    // Before anything listens: what may not be listened on never is.
    let tls = server::tls(args.tls_cert.as_deref(), args.tls_key.as_deref())?;
    doors::check(args.listen, tls.is_some(), credentials.is_set())?;
    let listener = server::bind(args.listen).await?;
    let address = server::address(&listener)?;
    // After the address is taken: a second console by mistake touches no stream.
    let control = match args.control.control {
        true => Some(Arc::new(control::Control::start(
            &args.control,
            &args.console_store,
            &args.index,
            Arc::clone(&store),
        )?)),
        false => None,
    };
    let doors = doors::Doors {
        names: doors::Names::new(address, &args.allow_host),
        tls: tls.is_some(),
        open_metrics: args.open_metrics,
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let live = live::Live::new(index.clone());
    let poller = tokio::spawn(live.clone().poll());
    let state = routes::State::new(index, live, credentials, store, control, doors)?;
    match state.auth.setup_link() {
        // Not to the log, which may be kept where others read it.
        Some(path) => eprintln!(
            "bintrail-console: first run: set the operator's password at {scheme}://{address}{path}"
        ),
        None => tracing::info!("the console is at {scheme}://{address}/"),
    }
    server::serve(listener, tls, routes::router(state), stop).await;
    poller.abort();
    Ok(())
}
