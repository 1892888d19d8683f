//! The binary `pds`: a Personal Data Server of the AT Protocol.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    pds_server::command::run()
}
