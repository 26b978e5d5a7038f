//! Who else is a replica of the source, and under which server id.

use crate::source::dump::replica_uuid;

use super::finding::{Finding, Fix};
use super::source::About;

const CHECK: &str = "server_id";

/// A replica as the source lists it.
#[derive(Debug, Clone)]
pub(super) struct Replica {
    pub(super) server_id: u32,
    pub(super) host: Option<String>,
    pub(super) port: u16,
    pub(super) uuid: Option<String>,
}

/// `server_id` is the one that the stream would use; `streaming` whether one writes this source into the index now.
pub(super) fn judge(server_id: u32, about: &About, streaming: bool) -> Finding {
    if server_id == about.server_id {
        return own(server_id, another(server_id, about));
    }
    let Some(replicas) = &about.replicas else {
        return Finding::info(
            CHECK,
            format!(
                "{server_id}; the source does not show this account which ids its replicas have"
            ),
        );
    };
    let Some(same) = replicas.iter().find(|one| one.server_id == server_id) else {
        return Finding::ok(
            CHECK,
            format!("{server_id}, which no other replica of the source has"),
        );
    };
    if streaming {
        return Finding::ok(
            CHECK,
            format!("{server_id}, under which the stream into this index runs"),
        );
    }
    let who = match &same.host {
        Some(host) => format!("the replica at {host}:{}", same.port),
        None => "another replica".to_owned(),
    };
    let ours = replica_uuid(server_id);
    let finding = match &same.uuid {
        // MySQL goes by the uuid, MariaDB by the server id.
        Some(uuid) if *uuid != ours => Finding::warning(
            CHECK,
            format!(
                "{who} has the server id {server_id} too. This source tells them apart by their uuids; other tools \
                 and servers do not"
            ),
        ),
        _ => Finding::error(
            CHECK,
            format!(
                "{who} has the server id {server_id} too: the source ends the connection of one whenever the other \
                 comes (one that was just killed is listed for some seconds more)"
            ),
        ),
    };
    finding.fix(another(server_id, about))
}

/// The source's own id.
fn own(server_id: u32, fix: Fix) -> Finding {
    Finding::error(CHECK, format!("{server_id} is the source's own")).fix(fix)
}

/// The same, when nothing is known of other replicas.
pub(crate) fn own_server_id(server_id: u32) -> Finding {
    let next = server_id.checked_add(1).unwrap_or(1);
    own(server_id, Fix::Flag(format!("--server-id={next}")))
}

fn another(server_id: u32, about: &About) -> Fix {
    let taken = |id: u32| {
        id == about.server_id
            || about
                .replicas
                .iter()
                .flatten()
                .any(|replica| replica.server_id == id)
    };
    let free = (1..=u32::MAX)
        .map(|step| server_id.wrapping_add(step))
        .find(|id| *id > 0 && !taken(*id));
    Fix::Flag(format!("--server-id={}", free.unwrap_or(server_id)))
}
