//! Randomness from the operating system.

use dunlin_coap::Rng;

/// Random bits of the operating system, drawn 4 KiB at a time so that a token costs no system call.
///
/// Bits that were handed out are wiped from the buffer.
pub struct OsRng {
    buffer: [u8; Self::BUFFER],
    used: usize,
}

impl OsRng {
    const BUFFER: usize = 4096;

    /// A generator; the first bits are drawn when they are asked for.
    pub fn new() -> Self {
        Self {
            buffer: [0; Self::BUFFER],
            used: Self::BUFFER,
        }
    }

    fn refill(&mut self) {
        // Without randomness tokens and message ids could be guessed; nothing safe can go on.
        getrandom::fill(&mut self.buffer).expect("the operating system has no random bits");
        self.used = 0;
    }
}

impl Default for OsRng {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for OsRng {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OsRng")
    }
}

impl Rng for OsRng {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.used == Self::BUFFER {
                self.refill();
            }
            let count = rest.len().min(Self::BUFFER - self.used);
            let (head, tail) = rest.split_at_mut(count);
            let source = &mut self.buffer[self.used..self.used + count];
            head.copy_from_slice(source);
            source.fill(0);
            self.used += count;
            rest = tail;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ_across_refills() {
        let mut rng = OsRng::new();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..5000 {
            assert!(seen.insert(rng.next_u64()), "the same 64 bits twice");
        }
    }

    #[test]
    fn fills_more_than_the_buffer_holds() {
        let mut rng = OsRng::new();
        let mut bytes = vec![0; 3 * OsRng::BUFFER + 5];
        rng.fill(&mut bytes);
        let zeros = bytes.iter().filter(|byte| **byte == 0).count();
        assert!(zeros < bytes.len() / 64, "{zeros} zeros");
    }
}
