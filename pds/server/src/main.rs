//! The binary `pds`: a Personal Data Server of the AT Protocol.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // The allocator asks for pages of 2 MiB, of which a server that is mostly idle uses a few KiB each. Where the system does
    // not know the switch it has no such pages.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    pds_server::command::run()
}
