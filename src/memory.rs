//! Memory of a program that works for weeks with many short threads.

/// The C library reads it when a program starts.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: &str = "MALLOC_ARENA_MAX";

/// Keeps memory from growing: the C library would give each thread a heap of its own, up to eight for each processor,
/// and what is free in one is of no use to the others. The limit holds for a program that starts with it, so this
/// program starts itself once more, as the same process. To be called before any other thread starts.
pub fn share_heaps() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::os::unix::process::CommandExt as _;
        let mut words = std::env::args_os();
        let Some(name) = words.next().filter(|_| std::env::var_os(ARENAS).is_none()) else { return };
        // The path of the file, not `/proc/self/exe`: process lists would call the program `exe`.
        let Ok(file) = std::env::current_exe() else { return };
        // Where that is not possible the program goes on as it is.
        let _ = std::process::Command::new(file).arg0(name).args(words).env(ARENAS, "2").exec();
    }
}
