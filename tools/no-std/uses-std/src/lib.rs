//! Must fail to build in the proof: shows that the proof can fail.
pub fn now() -> std::time::Instant {
    std::time::Instant::now()
}
