//! The inputs that the fuzzers have found, run again without a fuzzer.

use std::path::Path;

#[test]
fn every_input_of_the_corpora_passes() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    bintrail_fuzz_targets::replay(&corpora, bintrail_fuzz_targets::ENGINE);
}
