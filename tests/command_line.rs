//! The transcripts in `command_line/` are what a person sees; run again, they must read the same.
//! `TRYCMD=overwrite cargo test --test command_line` writes them anew, to be read before committing.

#[test]
fn the_command_line_says_what_its_transcripts_say() {
    trycmd::TestCases::new().case("tests/command_line/*.trycmd");
}
