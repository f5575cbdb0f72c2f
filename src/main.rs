//! Arguments and exit code. Everything else is in the library.

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Large buffers come and go; glibc's allocator gives each of them back to the kernel, page by page.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    pinhole::cli::main()
}
