//! The changes of a source in an index of each kind: whatever is asked comes to the same over both.

use std::cell::{Ref, RefCell};
use std::path::Path;

use bintrail_testkit::server::Server;

use crate::support::{Scratch, Stream, index_server};

/// A stream into an SQLite file, and one into a MySQL server.
pub(crate) struct Both {
    streams: RefCell<[Stream; 2]>,
    _keeper: Server,
}

impl Both {
    /// Starts them with what the source logs from now on.
    pub(crate) fn start(name: &str, source: &Server, scratch: &Scratch) -> Self {
        let keeper = index_server(&["--local-infile=ON"]);
        let (file, position) = source.position().unwrap();
        let position = position.to_string();
        let stream = |name: &str, keeper: Option<&Server>, id: &str| {
            let from = ["--start-file", &file, "--start-pos", &position];
            let arguments = [&from[..], &["--server-id", id]].concat();
            let mut stream = Stream::new(name, source, keeper, scratch, &arguments);
            stream.start();
            stream
        };
        Self {
            streams: RefCell::new([
                stream(name, None, "4100"),
                stream(&format!("{name}-mysql"), Some(&keeper), "4101"),
            ]),
            _keeper: keeper,
        }
    }

    /// The one into a MySQL server.
    pub(crate) fn on_mysql(&self) -> Ref<'_, Stream> {
        Ref::map(self.streams.borrow(), |streams| &streams[1])
    }

    /// Looks at one after the other.
    pub(crate) fn each(&self, look: impl Fn(&Stream)) {
        self.streams.borrow().iter().for_each(look);
    }

    pub(crate) fn catch_up(&self, source: &Server) {
        for stream in self.streams.borrow_mut().iter_mut() {
            stream.catch_up(source);
        }
    }

    pub(crate) fn terminate(&self) {
        self.streams
            .borrow_mut()
            .iter_mut()
            .for_each(Stream::terminate);
    }

    /// What a command that only reads prints, once both have all of the source.
    pub(crate) fn output(&self, source: &Server, arguments: &[&str]) -> String {
        self.catch_up(source);
        let printed = self
            .streams
            .borrow()
            .each_ref()
            .map(|stream| stream.output(arguments));
        self.same(&printed, arguments);
        printed.into_iter().next().unwrap()
    }

    /// Has `recover` write its SQL to a file: what it tells of it.
    pub(crate) fn write(&self, source: &Server, path: &Path, what: &[&str]) -> String {
        self.catch_up(source);
        let file = ["--output", path.to_str().unwrap()];
        let arguments = [&["recover"], what, &file].concat();
        let mut written = Vec::new();
        let told = self.streams.borrow().each_ref().map(|stream| {
            std::fs::remove_file(path).ok();
            let told = stream.output(&arguments);
            written.push(std::fs::read_to_string(path).unwrap());
            told
        });
        self.same(&told, what);
        self.same(&written, what);
        told.into_iter().next().unwrap()
    }

    fn same(&self, texts: &[String], of: &[&str]) {
        let [one, other] = texts else {
            panic!("{} texts", texts.len())
        };
        for (one, other) in one.lines().zip(other.lines()) {
            assert_eq!(one, other, "{of:?}");
        }
        assert_eq!(one.len(), other.len(), "{of:?}");
    }
}
