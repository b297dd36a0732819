//! Which CPUs this process may use, and pinning a thread to one.

use std::io;
use std::time::Duration;

/// Numbers of the CPUs this process may use, ascending; at least one.
pub fn available_cpus() -> Vec<usize> {
    let mut set = empty();
    #[allow(unsafe_code)]
    // SAFETY: `set` is a local cpu_set_t and its true size is given.
    let result = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) };
    let cpus: Vec<usize> = (0..libc::CPU_SETSIZE as usize)
        .filter(|cpu| {
            #[allow(unsafe_code)]
            // SAFETY: `cpu` is below CPU_SETSIZE, the number of bits of a cpu_set_t.
            unsafe {
                libc::CPU_ISSET(*cpu, &set)
            }
        })
        .collect();
    if result != 0 || cpus.is_empty() {
        return vec![0];
    }
    cpus
}

/// Keeps the calling thread on one CPU.
///
/// # Errors
/// When the process may not use that CPU.
pub fn pin_to_cpu(cpu: usize) -> io::Result<()> {
    if cpu >= libc::CPU_SETSIZE as usize {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut set = empty();
    #[allow(unsafe_code)]
    // SAFETY: `cpu` is below CPU_SETSIZE, the number of bits of a cpu_set_t.
    unsafe {
        libc::CPU_SET(cpu, &mut set);
    }
    #[allow(unsafe_code)]
    // SAFETY: `set` is a local cpu_set_t and its true size is given; 0 is the calling thread.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The CPU time that the calling thread has taken so far.
pub fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    #[allow(unsafe_code)]
    // SAFETY: `time` is a local timespec; the clock exists on every Linux, so it is filled in.
    unsafe {
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time);
    }
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn empty() -> libc::cpu_set_t {
    #[allow(unsafe_code)]
    // SAFETY: cpu_set_t is an array of integers; all zeros is the empty set.
    unsafe {
        std::mem::zeroed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_stays_where_it_is_pinned() {
        let cpus = available_cpus();
        let last = *cpus.last().unwrap();
        std::thread::spawn(move || {
            pin_to_cpu(last).unwrap();
            assert_eq!(available_cpus(), [last]);
        })
        .join()
        .unwrap();
        assert!(pin_to_cpu(1 << 20).is_err());
    }
}
