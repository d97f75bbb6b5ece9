//! Memory of a program that works for weeks with many short threads.

/// The C library reads this variable when a program starts.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: &str = "MALLOC_ARENA_MAX";

/// Limits the number of heaps, so that the memory does not grow. The C library would give each thread its own heap, up
/// to eight per processor, and free memory of one heap cannot be used by the others. The limit must be set before a
/// program starts, so this program starts itself again, as the same process. Call this before any other thread starts.
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
