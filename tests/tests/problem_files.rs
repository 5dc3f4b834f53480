//! No file makes the reader panic, hang, or allocate beyond its bound.

use peak_alloc::PeakAlloc;
use std::io::Cursor;
use twolayer_tests::mutation::{ARRAYS, Archive, corpus, foreign, liar, try_mutants};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One test, so that nothing else allocates at the same time. `cargo xtask mutate` tries more.
#[test]
fn damaged_files_are_refused_and_no_more() {
    let check = |file: &Archive, guesses_names| {
        twolayer_cli::check_problem(Cursor::new(file.bytes()), guesses_names, ARRAYS)
    };
    let verdicts: Vec<_> = corpus().iter().map(|file| check(file, false)).collect();
    let (sound, faulty) = verdicts.split_at(16);
    assert!(sound.iter().all(Result::is_ok), "{sound:?}");
    assert!(faulty.iter().all(Result::is_err), "{faulty:?}");

    // The same where names are guessed, and more.
    for file in corpus()[..16].iter().chain(&foreign()) {
        assert_eq!(check(file, true), Ok(()));
    }
    for file in foreign() {
        assert!(check(&file, false).is_err());
    }

    // Without a limit on memory the file's own length is one.
    let liar = liar();
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let verdict = twolayer_cli::check_problem(Cursor::new(liar), false, u64::MAX);
    assert!(verdict.unwrap_err().contains("A1 claims 3200000"));
    assert!(MEMORY.peak_usage() - before < 1 << 20);

    let summary = try_mutants(&MEMORY, 0, 6000).unwrap();
    println!("{summary:?}");
    assert_eq!(summary.files, 6000);
    // A mutator that spoils everything at once, or nothing, tests little.
    let part = summary.accepted as f64 / summary.files as f64;
    assert!((0.02..0.6).contains(&part), "{part} are sound");
}
