//! Memory of a program that works for weeks with many short threads.

/// The C library reads these variables when a program starts.
///
/// - Each thread would get its own heap, up to eight per processor, and free memory of one heap cannot be used by the others.
/// - After the first large buffer, the C library would keep up to twice its size of free memory in each heap. A server would
///   hold the memory of its last trace until it ends. A fixed threshold returns free memory to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SETTINGS: [(&str, &str); 2] = [("MALLOC_ARENA_MAX", "2"), ("MALLOC_TRIM_THRESHOLD_", "131072")];

/// Limits the number of heaps and their free memory, so that the memory does not grow. The limits must be set before a program
/// starts, so this program starts itself again, as the same process. Call this before any other thread starts. Limits in the
/// environment take precedence.
pub fn limit_heaps() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::os::unix::process::CommandExt as _;
        let missing: Vec<_> =
            SETTINGS.into_iter().filter(|(name, _)| std::env::var_os(name).is_none()).collect();
        let mut words = std::env::args_os();
        let Some(name) = words.next().filter(|_| !missing.is_empty()) else { return };
        // The path of the file, not `/proc/self/exe`: process lists would call the program `exe`.
        let Ok(file) = std::env::current_exe() else { return };
        // Where that is not possible the program goes on as it is.
        let _ = std::process::Command::new(file).arg0(name).args(words).envs(missing).exec();
    }
}
