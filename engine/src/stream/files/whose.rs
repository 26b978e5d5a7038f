//! Whose files they are.

use std::path::Path;

use bintrail_proto::gtid_set::Uuid;

use super::super::derived_server_id;
use super::FilesOptions;
use super::survey::Survey;
use crate::error::Error;
use crate::index::record::{Flavor, Source, SourceStatus};
use crate::source::server::{Server, address};

/// The UUID of their server, as far as it is known without a look into them.
pub(super) fn told(
    options: &FilesOptions,
    server: Option<&Server>,
) -> Result<Option<String>, Error> {
    if let Some(server) = server {
        return Ok(Some(server.identity().server_uuid));
    }
    if let Some(uuid) = &options.server_uuid {
        let uuid: Uuid = uuid
            .parse()
            .map_err(|error| Error::Usage(format!("--server-uuid {uuid}: {error}")))?;
        return Ok(Some(uuid.to_string()));
    }
    Ok(auto_cnf(&options.directory))
}

/// The UUID that MySQL keeps in its data directory.
fn auto_cnf(directory: &Path) -> Option<String> {
    let text = std::fs::read_to_string(directory.join("auto.cnf")).ok()?;
    let uuid = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "server-uuid").then(|| value.trim())
    })?;
    uuid.parse::<Uuid>().ok().map(|uuid| uuid.to_string())
}

/// The source in the index that they belong to, or that is to be made for them.
///
/// # Errors
/// [`Error::Files`] when that cannot be told, or they are not all of one server.
pub(super) async fn source(
    told: Option<String>,
    files: &[Survey],
    server: Option<&mut Server>,
    statuses: &[SourceStatus],
) -> Result<Source, Error> {
    let [first, others @ ..] = files else {
        return Err(Error::Internal("there are no files".to_owned()));
    };
    for other in others {
        if (other.server_id, other.flavor) != (first.server_id, first.flavor) {
            return Err(Error::Files(format!(
                "{} was written by a server of server_id {} ({}), and {} by one of server_id {} ({}): index each \
                 server's files by themselves",
                first.name,
                first.server_id,
                first.version,
                other.name,
                other.server_id,
                other.version
            )));
        }
    }
    let own = |file: &Survey| file.own.map(|own| own.to_string());
    let uuid = match told.or_else(|| files.iter().find_map(own)) {
        Some(uuid) => uuid,
        None => {
            return Err(Error::Files(format!(
                "nothing tells which server wrote {}: give --source-dsn, to ask the server itself, or --server-uuid \
                 (`bintrail status` has that of a source in the index)",
                first.name
            )));
        }
    };
    if first.flavor == Flavor::MySql {
        for file in files {
            if let Some(own) = own(file).filter(|own| *own != uuid) {
                return Err(Error::Files(format!(
                    "{} was written by the server of server_uuid {own}, and not by {uuid}",
                    file.name
                )));
            }
        }
    }
    if let Some(server) = server {
        check_server(server, files).await?;
        return Ok(server.identity());
    }
    // What is known of where it is stays.
    let known = statuses
        .iter()
        .find(|status| status.source.server_uuid == uuid);
    let version = files.last().unwrap_or(first).version.clone();
    Ok(Source {
        server_uuid: uuid,
        flavor: first.flavor,
        version,
        host: known.map_or_else(String::new, |known| known.source.host.clone()),
        port: known.map_or(0, |known| known.source.port),
    })
}

/// Are they files of the server that is asked?
async fn check_server(server: &mut Server, files: &[Survey]) -> Result<(), Error> {
    let flavor = server.flavor();
    let server_id = server.settings.server_id;
    let address = address(server.options());
    for file in files {
        if (file.server_id, file.flavor) != (server_id, flavor) {
            return Err(Error::Files(format!(
                "{} was written by a server of server_id {} ({}), and {address} has server_id {server_id} ({})",
                file.name, file.server_id, file.version, server.settings.version
            )));
        }
    }
    // A server has executed what lies before each of its files.
    let before = files
        .iter()
        .rev()
        .find_map(|file| Some((file, file.before.as_ref()?)));
    if let Some((file, before)) = before {
        let executed = server.executed().await?;
        if let Some(missing) = before.missing_in(&executed) {
            return Err(Error::Files(format!(
                "the transactions {missing} lie before {}, and {address} has never had them: it is another server's",
                file.name
            )));
        }
    }
    // By name it is asked about the tables in them.
    let Some(logs) = server.binary_logs().await? else {
        return Ok(());
    };
    let last = files
        .iter()
        .rev()
        .find(|file| logs.iter().any(|log| log.name == file.name));
    if let Some(file) = last {
        let server_id = derived_server_id(server.options(), "index files, begun");
        let begun = server.begun(&file.name, server_id).await?;
        if begun.is_some_and(|begun| begun.at != file.created) {
            return Err(Error::Files(format!(
                "{address} has another {}, begun at another time: its binary logs were reset, or the file is another \
                 server's",
                file.name
            )));
        }
    }
    Ok(())
}
