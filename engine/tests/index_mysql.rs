//! The index on a real MySQL server, named by `BINTRAIL_TEST_MYSQL` (a DSN of a user that may
//! create databases). Each test makes a database of its own and drops it.

#[expect(clippy::unwrap_used, reason = "helpers of tests")]
mod index;

use std::sync::atomic::{AtomicU32, Ordering};

use bintrail_engine::dsn::{IndexDsn, MySqlDsn, SslMode};
use bintrail_engine::index::{ErrorKind, Index};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row, Value};

struct MySql {
    server: MySqlDsn,
    dsn: IndexDsn,
}

impl MySql {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let server = std::env::var("BINTRAIL_TEST_MYSQL")
            .expect("BINTRAIL_TEST_MYSQL names the server to test on");
        let server = MySqlDsn::parse(&server).unwrap();
        let mut index = server.clone();
        index.database = Some(format!("bintrail_`t{}_{number}", std::process::id()));
        Self {
            server,
            dsn: IndexDsn::MySql(index),
        }
    }

    fn index(&self) -> MySqlDsn {
        match &self.dsn {
            IndexDsn::MySql(dsn) => dsn.clone(),
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

    /// Runs it all with the rows loaded, then with the rows inserted.
    async fn test(test: impl AsyncFn(&Self)) {
        let mysql = Self::new();
        test(&mysql).await;
        mysql.drop().await;
    }

    async fn drop(&self) {
        let mut conn = self.connect().await;
        let sql = format!("DROP DATABASE IF EXISTS {}", self.quoted());
        conn.query_drop(sql).await.unwrap();
        conn.disconnect().await.unwrap();
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
    MySql::test(async |mysql| index::opens(mysql, "UPDATE index_version SET version = 99").await)
        .await;
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
