//! Binlog files that are cut short, read as `bintrail decode` does: what stands before the cut is printed, and
//! the error tells where it is.

use std::fs;
use std::path::{Path, PathBuf};

use bintrail_engine::Error;
use bintrail_engine::files::print_file;
use bintrail_engine::filter::Filter;
use bintrail_engine::print::{Format, Printer};
use bintrail_proto::Kind;

fn print(path: &Path) -> (Vec<u8>, Option<Error>) {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, Format::Json, Filter::default());
    let error = print_file(path, &mut printer).err();
    assert_eq!(printer.skipped, 0);
    drop(printer);
    (out, error)
}

#[test]
fn a_file_cut_at_any_byte() {
    let name = "../proto/tests/data/mysql97/full-metadata/binlog";
    let whole = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    // Where each event ends, by the header's fields alone.
    let mut ends = vec![4];
    while let Some(size) = whole
        .get(ends[ends.len() - 1] + 9..)
        .and_then(<[u8]>::first_chunk::<4>)
    {
        let size = usize::try_from(u32::from_le_bytes(*size)).unwrap();
        ends.push(ends[ends.len() - 1] + size);
    }
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("binlog");
    fs::write(&path, &whole).unwrap();
    let (printed, error) = print(&path);
    assert!(error.is_none() && printed.split(|&byte| byte == b'\n').count() > 2);

    for len in 0..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let (before, error) = print(&path);
        assert!(printed.starts_with(&before), "at {len}");
        assert!(before.is_empty() || before.ends_with(b"\n"), "at {len}");
        if ends.contains(&len) {
            assert!(error.is_none(), "at {len}: {error:?}");
            continue;
        }
        let Some(Error::Binlog {
            position, error, ..
        }) = error
        else {
            panic!("at {len}: {error:?}");
        };
        assert_eq!(error.kind, Kind::Truncated, "at {len}");
        let start = ends
            .iter()
            .rev()
            .find(|&&end| end <= len)
            .copied()
            .unwrap_or(0);
        assert_eq!(position, start as u64, "at {len}");
        if len >= 4 {
            assert_eq!(error.offset, len - start, "at {len}");
        }
    }
}
