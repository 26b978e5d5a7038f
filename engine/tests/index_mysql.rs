//! The index on a real MySQL server: the one that `BINTRAIL_TEST_MYSQL` names (`host:port`, root without
//! password), or else one that `scripts/servers` starts for each test. Each test makes databases of
//! its own and drops them, and runs alone: the settings are the whole server's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod index;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bintrail_engine::dsn::{IndexDsn, MySqlDsn};
use bintrail_engine::index::{ErrorKind, Index};
use bintrail_engine::secret::Secret;
use bintrail_engine::status::{Limits, Report};
use bintrail_engine::tls::SslMode;
use index::{ALL_IDS, Backend, Builder, IDS, T0, column, source};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row, Value};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify};

const IMAGE: Option<&str> = Some(r#"{"id":1}"#);

/// A running server, taken down with it when it was started for it.
struct Server {
    dsn: MySqlDsn,
    name: Option<String>,
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/servers");

impl Server {
    fn start() -> Self {
        let dsn = |address: &str| MySqlDsn::parse(&format!("root@tcp({address})/")).unwrap();
        if let Ok(address) = std::env::var("BINTRAIL_TEST_MYSQL") {
            return Self {
                dsn: dsn(&address),
                name: None,
            };
        }
        let name = format!("index-{}", std::process::id());
        let output = Command::new(SCRIPT)
            .args(["up", "mysql97", "--name", &name])
            .output()
            .expect("scripts/servers runs");
        assert!(output.status.success(), "scripts/servers up: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let port = text
            .lines()
            .find_map(|line| line.strip_prefix("port="))
            .unwrap();
        Self {
            dsn: dsn(&format!("127.0.0.1:{port}")),
            name: Some(name),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let down = Command::new(SCRIPT).args(["down", name]).output();
            assert!(down.is_ok_and(|output| output.status.success()));
        }
    }
}

struct MySql {
    server: MySqlDsn,
    dsn: IndexDsn,
}

impl MySql {
    fn new(server: MySqlDsn) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut index = server.clone();
        index.database = Some(format!("bintrail_`t{}_{number}", std::process::id()));
        Self {
            server,
            dsn: IndexDsn::MySql(index.into()),
        }
    }

    fn index(&self) -> MySqlDsn {
        match &self.dsn {
            IndexDsn::MySql(dsn) => (**dsn).clone(),
            IndexDsn::Sqlite(_) => unreachable!(),
        }
    }

    fn quoted(&self) -> String {
        let name = self.index().database.unwrap();
        format!("`{}`", name.replace('`', "``"))
    }

    async fn connect(&self) -> Conn {
        let options = OptsBuilder::default()
            .ip_or_hostname(self.server.host.clone())
            .tcp_port(self.server.port)
            .user(Some(self.server.user.clone()))
            .pass(Some(self.server.password.expose().to_owned()))
            .prefer_socket(Some(false));
        Conn::new(options).await.unwrap()
    }

    /// Runs it with the rows loaded, then with the rows inserted.
    async fn test(test: impl AsyncFn(&Self)) {
        static ALONE: Mutex<()> = Mutex::const_new(());
        let _alone = ALONE.lock().await;
        let server = Server::start();
        for loads in ["ON", "OFF"] {
            let mysql = Self::new(server.dsn.clone());
            mysql.set("local_infile", loads).await;
            test(&mysql).await;
            mysql.drop().await;
        }
    }

    async fn set(&self, name: &str, value: &str) {
        self.run(&format!("SET GLOBAL {name} = {value}")).await;
    }

    async fn run(&self, sql: &str) {
        let mut conn = self.connect().await;
        conn.query_drop(sql).await.unwrap();
        conn.disconnect().await.unwrap();
    }

    /// A source with one covered row, and what to write next.
    async fn started(&self) -> (Index, u32, u32, Builder) {
        let index = Index::open(&self.dsn, true).await.unwrap();
        let attached = index.attach(&index::source("one")).await.unwrap();
        let source_id = attached.source_id;
        let table = index::table("t", &["id"]);
        let table_id = index.register_table(source_id, &table).await.unwrap();
        let mut builder = Builder::new(attached.state.next_change_id);
        builder.row(table_id, None, None, IMAGE).end();
        index.write(source_id, builder.covered()).await.unwrap();
        (index, source_id, table_id, builder)
    }

    async fn drop(&self) {
        let sql = format!("DROP DATABASE IF EXISTS {}", self.quoted());
        self.run(&sql).await;
    }
}

impl index::Backend for MySql {
    fn dsn(&self) -> &IndexDsn {
        &self.dsn
    }

    async fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let mut conn = self.connect().await;
        conn.query_drop(format!("USE {}", self.quoted()))
            .await
            .unwrap();
        let rows: Vec<Row> = conn.query(sql).await.unwrap();
        conn.disconnect().await.unwrap();
        let cell = |value| match value {
            Value::NULL => None,
            Value::Bytes(bytes) => Some(String::from_utf8(bytes).unwrap()),
            other => panic!("unexpected {other:?}"),
        };
        rows.into_iter()
            .map(|row| row.unwrap().into_iter().map(cell).collect())
            .collect()
    }
}

#[tokio::test]
async fn opens() {
    MySql::test(async |mysql| index::opens(mysql).await).await;
}

#[tokio::test]
async fn keeps_definitions() {
    MySql::test(async |mysql| index::keeps_definitions(mysql).await).await;
}

#[tokio::test]
async fn files_statements() {
    MySql::test(async |mysql| index::files_statements(mysql).await).await;
}

#[tokio::test]
async fn answers() {
    MySql::test(async |mysql| index::answers(mysql).await).await;
}

#[tokio::test]
async fn answers_far_apart() {
    MySql::test(async |mysql| index::answers_far_apart(mysql).await).await;
}

#[tokio::test]
async fn moves() {
    MySql::test(async |mysql| index::moves(mysql).await).await;
}

#[tokio::test]
async fn resumes() {
    MySql::test(async |mysql| index::resumes(mysql).await).await;
}

#[tokio::test]
async fn refuses() {
    MySql::test(async |mysql| index::refuses(mysql).await).await;
}

#[tokio::test]
async fn locks() {
    MySql::test(async |mysql| {
        let user = mysql.server.user.clone();
        index::locks(mysql, &format!(" of {user}@")).await;
    })
    .await;
}

#[tokio::test]
async fn shows() {
    MySql::test(async |mysql| index::shows(mysql).await).await;
}

#[tokio::test]
async fn decides_xa() {
    MySql::test(async |mysql| index::decides_xa(mysql).await).await;
}

#[tokio::test]
async fn reports() {
    MySql::test(async |mysql| index::reports(mysql).await).await;
}

#[tokio::test]
async fn tells() {
    MySql::test(async |mysql| index::tells(mysql).await).await;
}

/// The server counts the rows that it reads for a report: a hundred times the rows, and hardly more of them.
#[tokio::test]
async fn a_report_reads_little_however_much_there_is() {
    MySql::test(async |mysql| {
        let (index, one, _, mut builder) = mysql.started().await;
        let reader = Index::open(mysql.dsn(), false).await.unwrap();
        let mut reads = Vec::new();
        for count in [250, 25_000] {
            index::fill(&index, one, &mut builder, count, 1000).await;
            // Only what the reader asks is counted, and not its first look at each table.
            for _ in 0..2 {
                let read = async || -> u64 {
                    let status = mysql.query("SHOW GLOBAL STATUS LIKE 'Handler_read%'").await;
                    let numbers = status.iter().map(|row| row[1].as_ref().unwrap());
                    numbers.map(|number| number.parse::<u64>().unwrap()).sum()
                };
                let before = read().await;
                Report::read(&reader, Limits::default()).await.unwrap();
                reads.push(read().await - before);
            }
        }
        assert!(reads[3] < reads[1] + 500, "{reads:?}");
        reader.close().await.unwrap();
        index.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_server_that_stops_taking_loads_gets_inserts() {
    MySql::test(async |mysql| {
        let (index, source_id, table_id, mut builder) = mysql.started().await;
        mysql.set("local_infile", "OFF").await;
        builder.row(table_id, None, None, IMAGE).end();
        index.write(source_id, builder.covered()).await.unwrap();
        assert_eq!(column(mysql, IDS).await, ["1", "2"]);
        index.close().await.unwrap();
    })
    .await;
}

/// The connection is lost, with a part of a transaction written: attach, and all is as covered.
#[tokio::test]
async fn a_lost_connection_is_made_anew() {
    MySql::test(async |mysql| {
        let (index, source_id, table_id, mut builder) = mysql.started().await;
        builder.row(table_id, None, None, IMAGE);
        index.write(source_id, builder.take()).await.unwrap();
        let database = mysql.index().database.unwrap();
        let sql = format!("SELECT id FROM information_schema.processlist WHERE db = '{database}'");
        let ours = column(mysql, &sql).await;
        for id in &ours {
            // The one that asks is in the list too, and gone.
            let mut conn = mysql.connect().await;
            let _ = conn.query_drop(format!("KILL {id}")).await;
            conn.disconnect().await.unwrap();
        }
        builder.row(table_id, None, None, IMAGE).end();
        let error = index.write(source_id, builder.covered()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
        assert!(error.is_retriable());
        let state = index.attach(&source("one")).await.unwrap().state;
        assert_eq!(state.next_change_id, 2);
        assert_eq!(column(mysql, ALL_IDS).await, ["1"]);
        let mut builder = Builder::new(2);
        builder.row(table_id, None, None, IMAGE).end();
        index.write(source_id, builder.covered()).await.unwrap();
        assert_eq!(column(mysql, IDS).await, ["1", "2"]);
        index.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn rows_are_partitioned_by_the_hour() {
    MySql::test(async |mysql| {
        let (index, source_id, table_id, mut builder) = mysql.started().await;
        for hours in [1, 30, -5, 99 * 24 * 365] {
            builder
                .row(table_id, None, None, IMAGE)
                .end_at(T0 + hours * 3_600_000_000);
            index.write(source_id, builder.covered()).await.unwrap();
        }
        for (filter, expected) in [
            (
                "committed_at >= '2026-11-22 08:00' AND committed_at < '2026-11-22 09:00'",
                1,
            ),
            (
                "committed_at >= '2026-11-22 09:00' AND committed_at < '2026-11-22 10:00'",
                1,
            ),
        ] {
            let count = format!("SELECT COUNT(*) FROM row_changes WHERE {filter}");
            assert_eq!(column(mysql, &count).await, [expected.to_string()]);
        }
        let names = column(
            mysql,
            "SELECT partition_name FROM information_schema.partitions
             WHERE table_schema = DATABASE() AND table_name = 'row_changes'
             ORDER BY partition_ordinal_position",
        )
        .await;
        assert_eq!(names.last().map(String::as_str), Some("later"));
        assert_eq!(column(mysql, ALL_IDS).await.len(), 5);
        let plan = mysql
            .query(
                "EXPLAIN FORMAT=TRADITIONAL SELECT change_id, event_timestamp FROM binlog_events
                 WHERE event_timestamp BETWEEN '2026-11-22 08:10' AND '2026-11-22 08:50'",
            )
            .await;
        let partitions: Vec<_> = plan
            .iter()
            .filter(|step| step[2].as_deref() == Some("r"))
            .map(|step| step[3].clone().unwrap())
            .collect();
        assert_eq!(partitions.len(), 1, "{plan:?}");
        assert!(!partitions[0].contains(','), "{plan:?}");
        let plan = column(
            mysql,
            "EXPLAIN FORMAT=TREE SELECT * FROM binlog_events ORDER BY change_id DESC LIMIT 5",
        )
        .await;
        // Not one that starts from the transactions: for each of them it would walk the rows.
        assert!(plan[0].find(" on r ") < plan[0].find(" on t "), "{plan:?}");
        index.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn names_what_is_wrong_with_the_server() {
    MySql::test(async |mysql| {
        let kind = async |change: &dyn Fn(&mut MySqlDsn)| {
            let mut dsn = mysql.index();
            change(&mut dsn);
            let error = Index::open(&IndexDsn::MySql(dsn.into()), true)
                .await
                .unwrap_err();
            let text = error.to_string();
            assert!(!text.contains('\n') && !text.contains("s3cret"), "{text}");
            error.kind()
        };
        let secret = "s3cret".to_owned();
        assert_eq!(
            kind(&|dsn| dsn.password = Secret::new(secret.clone())).await,
            ErrorKind::AccessDenied
        );
        assert_eq!(kind(&|dsn| dsn.port = 1).await, ErrorKind::Unreachable);
        let nowhere = "no-such-host.invalid";
        assert_eq!(
            kind(&|dsn| dsn.host = nowhere.into()).await,
            ErrorKind::Unreachable
        );
        // Its certificate is its own.
        assert_eq!(
            kind(&|dsn| dsn.tls.mode = Some(SslMode::VerifyCa)).await,
            ErrorKind::Tls
        );

        let (index, source_id, table_id, mut builder) = mysql.started().await;
        mysql.set("super_read_only", "ON").await;
        builder.row(table_id, None, None, IMAGE).end();
        let error = index.write(source_id, builder.covered()).await.unwrap_err();
        mysql.set("super_read_only", "OFF").await;
        mysql.set("read_only", "OFF").await;
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        index.close().await.unwrap();
        for mode in [SslMode::Required, SslMode::Disabled] {
            let mut dsn = mysql.index();
            dsn.tls.mode = Some(mode);
            let index = Index::open(&IndexDsn::MySql(dsn.into()), false)
                .await
                .unwrap();
            index.close().await.unwrap();
        }
    })
    .await;
}

/// All that goes into the index stays out of the server's binary log, or it is said why it cannot.
#[tokio::test]
async fn a_server_that_does_not_log_its_index() {
    MySql::test(async |mysql| {
        let mut dsn = mysql.index();
        dsn.unlogged = true;
        let unlogged = MySql {
            server: mysql.server.clone(),
            dsn: IndexDsn::MySql(dsn.clone().into()),
        };
        let before = place(mysql).await;
        let (index, source_id, table_id, mut builder) = unlogged.started().await;
        assert_eq!(place(mysql).await, before);
        builder.row(table_id, None, None, IMAGE).end();
        index.write(source_id, builder.covered()).await.unwrap();
        index.close().await.unwrap();
        assert_eq!(place(mysql).await, before);
        assert_eq!(column(mysql, IDS).await, ["1", "2"]);

        mysql.run("CREATE USER IF NOT EXISTS unprivileged").await;
        mysql.run("GRANT ALL ON *.* TO unprivileged").await;
        mysql
            .run("REVOKE SUPER, SYSTEM_VARIABLES_ADMIN, SESSION_VARIABLES_ADMIN ON *.* FROM unprivileged")
            .await;
        dsn.user = "unprivileged".to_owned();
        let error = Index::open(&IndexDsn::MySql(dsn.into()), true).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AccessDenied);
        assert!(error.to_string().contains("SESSION_VARIABLES_ADMIN"), "{error}");
    })
    .await;
}

/// The file and position that a server's binary log has come to.
async fn place(mysql: &MySql) -> Vec<String> {
    let mut conn = mysql.connect().await;
    let row: Option<Row> = conn.query_first("SHOW BINARY LOG STATUS").await.unwrap();
    conn.disconnect().await.unwrap();
    let row = row.unwrap();
    [0, 1].map(|at| row.get::<String, _>(at).unwrap()).to_vec()
}

/// A row beyond max_allowed_packet is loaded; it cannot be inserted, and that is said.
#[tokio::test]
async fn a_row_larger_than_a_packet() {
    MySql::test(async |mysql| {
        let image = format!(r#"{{"id":"{}"}}"#, "x".repeat(3 << 20));
        mysql.set("max_allowed_packet", "1048576").await;
        let (index, source_id, table_id, mut builder) = mysql.started().await;
        mysql.set("max_allowed_packet", "DEFAULT").await;
        builder.row(table_id, None, None, Some(&image)).end();
        let result = index.write(source_id, builder.covered()).await;
        let loads = column(mysql, "SELECT CONCAT('', @@local_infile)").await;
        if loads == ["1"] {
            result.unwrap();
            let length =
                "SELECT CONCAT('', LENGTH(row_after)) FROM row_changes WHERE change_id = 2";
            assert_eq!(column(mysql, length).await, [image.len().to_string()]);
        } else {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
            assert_eq!(column(mysql, ALL_IDS).await, ["1"]);
        }
        // What is never loaded.
        let mut wide = index::table("wide", &["a"]);
        wide.columns[0].column_type = "x".repeat(2 << 20);
        let error = index.register_table(source_id, &wide).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        index.close().await.unwrap();
    })
    .await;
}

/// The network fails so that the server does not see it, and keeps the lock for a connection that is
/// no more: the same process gets its source back, another one does not.
#[tokio::test]
async fn a_connection_the_server_believes_in_gives_the_lock_back() {
    MySql::test(async |mysql| {
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut dsn = mysql.index();
        let server = (dsn.host.clone(), dsn.port);
        dsn.port = proxy.local_addr().unwrap().port();
        dsn.host = "127.0.0.1".into();
        let cut = Arc::new(Notify::new());
        let cut_here = Arc::clone(&cut);
        let proxying = tokio::spawn(async move {
            // Held open to the server, whatever becomes of the client.
            let mut servers = Vec::new();
            loop {
                let (mut client, _) = proxy.accept().await.unwrap();
                let mut to = TcpStream::connect(server.clone()).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut to) => {}
                    () = cut_here.notified() => {}
                }
                servers.push(to);
            }
        });
        let index = Index::open(&IndexDsn::MySql(dsn.into()), true)
            .await
            .unwrap();
        let one = index.attach(&source("one")).await.unwrap().source_id;
        cut.notify_one();
        let error = index.keep_alive().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
        let other = Index::open(&mysql.dsn, true).await.unwrap();
        let error = other.attach(&source("one")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
        index.save_error(one, Some("lost")).await.unwrap();
        index.attach(&source("one")).await.unwrap();
        let error = other.attach(&source("one")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
        index.close().await.unwrap();
        other.close().await.unwrap();
        proxying.abort();
    })
    .await;
}
