//! The command `twolayer`.

use std::process::ExitCode;

fn main() -> ExitCode {
    twolayer_cli::main()
}
