//! The commands: arguments to engine options, and results to output.

mod doctor;
mod files;
mod filter;
mod query;
mod recover;
mod rotate;
mod show;
mod status;

use std::io::{self, BufWriter};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bintrail_cli::flags::{IndexArgs, complete};
use bintrail_cli::stop;
use bintrail_cli::stream_flags::{SourceArgs, StreamArgs};
use bintrail_engine::Error;
use bintrail_engine::dsn::MySqlDsn;
use bintrail_engine::files::print_file;
use bintrail_engine::filter::Filter;
use bintrail_engine::index::Index;
use bintrail_engine::print::{Format, Printer};
use bintrail_engine::source::connection::ConnectOptions;
use bintrail_engine::stream::{Start, StreamOptions, checkpoint_every, stream};
use bintrail_engine::tail::{TailOptions, tail};
use bintrail_engine::telemetry::{Listener, Manager, Vitals};
use bintrail_engine::tls::TlsOptions;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::args::{Command, DecodeArgs, RowFormat, TailArgs, TargetArgs};

/// Runs a command to its end. An exit code that is not an error's is part of what it says.
pub(crate) async fn run(command: Command) -> Result<ExitCode, Error> {
    let done = match command {
        Command::Stream(args) => run_stream(args, stop::listen()?).await,
        Command::Query(args) => unless_closed(query::run(args).await),
        Command::Show(args) => unless_closed(show::run(args).await),
        Command::Recover(args) => unless_closed(recover::run(args).await),
        Command::Status(args) => unless_closed(status::run(&args).await),
        Command::Rotate(args) => rotate::run(args, stop::listen()?).await,
        Command::Init(args) => init(&args).await,
        Command::Index(args) => files::run(args, stop::listen()?).await,
        Command::Decode(args) => unless_closed(decode(args)),
        Command::Tail(args) => unless_closed(run_tail(args, stop::listen()?).await),
        Command::Doctor(args) => return doctor::run(&args).await,
    };
    done.map(|()| ExitCode::SUCCESS)
}

async fn run_stream(args: StreamArgs, stop: watch::Receiver<bool>) -> Result<(), Error> {
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "bintrail stream");
    let source = args.source.server.connect_options()?;
    let address = format!("{}:{}", source.host, source.port);
    let vitals = Vitals::new(
        &address,
        checkpoint_every(Duration::from_secs(args.pace.checkpoint)),
    );
    let options = StreamOptions {
        vitals: Arc::new(vitals),
        index: args.index.dsn()?,
        source,
        more_hosts: args.source.server.dsn()?.more_hosts,
        server_id: args.source.server.server_id,
        filter: args.source.server.keep.filter(),
        batch_size: args.pace.batch_size,
        memory: args.pace.memory,
        checkpoint: Duration::from_secs(args.pace.checkpoint),
        start: start(&args.source)?,
        reset: args.reset,
        write_timeout: (args.write_timeout > 0)
            .then(|| Duration::from_secs(args.write_timeout.into())),
        refuse_gaps: args.no_gap_fill,
        gap_timeout: Duration::from_secs(args.gap_timeout.into()),
    };
    // Before anything else: who finds the address taken has changed nothing.
    let listener = match args.metrics_addr {
        Some(address) => Some(Listener::bind(address).await?),
        None => None,
    };
    let mut helpers = JoinSet::new();
    if let Some(listener) = listener {
        helpers.spawn(listener.serve(Arc::clone(&options.vitals)));
    }
    let mut manager = None;
    match Manager::of_environment() {
        Ok(Some(found)) => {
            let found = Arc::clone(manager.insert(Arc::new(found)));
            helpers.spawn(found.keep_informed(Arc::clone(&options.vitals), stop.clone()));
        }
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(%error, "the service manager named in NOTIFY_SOCKET cannot be told of anything")
        }
    }
    let streamed = stream(&options, stop).await;
    // It may have stopped sooner than a helper could say so. They end with it.
    if let Some(manager) = manager {
        manager.stopping();
    }
    streamed
}

async fn init(args: &IndexArgs) -> Result<(), Error> {
    Index::open(&args.dsn()?, true).await?.close().await?;
    tracing::info!("the index is ready for `bintrail stream`");
    Ok(())
}

fn decode(args: DecodeArgs) -> Result<(), Error> {
    let mut printer = Printer::new(
        io::stdout(),
        format(args.format),
        Filter::default().with_system_schemas(),
    );
    for path in &args.files {
        let printed = print_file(path, &mut printer);
        // What stands before a fault in the file is good.
        printer.flush().map_err(Error::Output)?;
        if printed.is_err() {
            printer.report();
        }
        printed?;
    }
    printer.report();
    match printer.skipped {
        0 => Ok(()),
        events => Err(Error::LeftOut { events }),
    }
}

async fn run_tail(args: TailArgs, stop: watch::Receiver<bool>) -> Result<(), Error> {
    let options = TailOptions {
        source: args.source.server.connect_options()?,
        server_id: args.source.server.server_id,
        start: start(&args.source)?,
    };
    let mut printer = Printer::new(
        io::stdout(),
        format(args.format),
        args.source.server.keep.filter(),
    );
    let ended = tail(&options, &mut printer, stop).await;
    printer.report();
    ended
}

/// A reader that has seen enough is no error.
fn unless_closed(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn output() -> BufWriter<io::Stdout> {
    BufWriter::with_capacity(64 * 1024, io::stdout())
}

const fn format(format: RowFormat) -> Format {
    match format {
        RowFormat::Json => Format::Json,
        RowFormat::Mysqlbinlog => Format::Mysqlbinlog,
    }
}

/// To the server that `recover` changes; `None` where none is named.
fn target_options(args: &TargetArgs) -> Result<Option<ConnectOptions>, Error> {
    let Some(text) = &args.target_dsn else {
        return Ok(None);
    };
    let mut dsn = MySqlDsn::parse(text).map_err(|error| Error::Dsn {
        what: "--target-dsn",
        error,
    })?;
    if !dsn.more_hosts.is_empty() {
        return Err(Error::Usage(
            "--target-dsn: the target is on one host".to_owned(),
        ));
    }
    let flags = TlsOptions {
        mode: args.target_ssl_mode,
        ca: args.target_ssl_ca.clone(),
        cert: args.target_ssl_cert.clone(),
        key: args.target_ssl_key.clone(),
    };
    complete(
        &mut dsn,
        flags,
        "target-",
        args.target_password_file.as_deref(),
    )?;
    let mut options = ConnectOptions::new(&dsn.host, dsn.port, &dsn.user, dsn.password);
    options.tls = dsn.tls;
    Ok(Some(options))
}

fn start(args: &SourceArgs) -> Result<Option<Start>, Error> {
    Ok(match (&args.start_file, &args.start_gtid) {
        (Some(file), _) => Some(Start::Position(file.clone(), args.start_pos.unwrap_or(4))),
        (None, Some(gtids)) => Some(Start::behind(gtids)?),
        (None, None) => None,
    })
}
