//! What a shard counts.

use crate::api::OperateError;

macro_rules! counters {
    ($($field:ident = $name:literal;)*) => {
        /// Counters since the start.
        #[derive(Clone, Copy, Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $field: u64,)*
        }

        impl Counters {
            /// Name and value of each.
            pub(super) fn list(&self) -> Vec<(String, u64)> {
                vec![$(($name.to_owned(), self.$field),)*]
            }
        }
    };
}

counters! {
    registrations = "registrations_total";
    replaced = "registrations_replaced_total";
    updates = "updates_total";
    address_changes = "address_changes_total";
    deregistrations = "deregistrations_total";
    expiries = "expiries_total";
    removals = "removals_total";
    evictions = "evictions_total";
    refused_registrations = "registrations_refused_total{reason=\"invalid\"}";
    full = "registrations_refused_total{reason=\"full\"}";
    refused_identities = "registrations_refused_total{reason=\"identity\"}";
    behind = "registrations_refused_total{reason=\"store_behind\"}";
    file_blocks = "file_blocks_served_total";
    unknown_location = "requests_refused_total{reason=\"unknown_location\"}";
    unknown_path = "requests_refused_total{reason=\"unknown_path\"}";
    bad_method = "requests_refused_total{reason=\"method\"}";
    bad_block = "requests_refused_total{reason=\"block\"}";
    sends = "sends_total";
    refused_sends = "requests_refused_total{reason=\"send\"}";
    handovers = "handovers_total";
    challenges = "dtls_challenges_total";
    sessions_proven = "dtls_sessions_proven_total";
    operations = "operations_total";
    succeeded = "operations_ended_total{outcome=\"success\"}";
    device_errors = "operations_ended_total{outcome=\"device_error\"}";
    timeouts = "operations_ended_total{outcome=\"timeout\"}";
    resets = "operations_ended_total{outcome=\"reset\"}";
    undecodable = "operations_ended_total{outcome=\"undecodable\"}";
    ended = "operations_ended_total{outcome=\"registration_ended\"}";
    invalid = "operations_ended_total{outcome=\"invalid\"}";
    overloaded = "operations_ended_total{outcome=\"overloaded\"}";
    expired = "operations_ended_total{outcome=\"expired\"}";
    cancelled = "operations_ended_total{outcome=\"cancelled\"}";
    unknown = "operations_ended_total{outcome=\"unknown\"}";
    enqueued = "operations_queued_total";
    requeued = "operations_sent_again_total";
    notifications = "notifications_total";
    stale = "notifications_dropped_total{reason=\"stale\"}";
    undecodable_notifications = "notifications_dropped_total{reason=\"undecodable\"}";
    unknown_address = "notifications_dropped_total{reason=\"unknown_address\"}";
    unknown_token = "notifications_dropped_total{reason=\"unknown_token\"}";
    observations = "observations_made_total";
    observation_failures = "observations_failed_total";
}

impl Counters {
    /// The counter of operations that ended so.
    pub(super) fn of_error(&mut self, error: &OperateError) -> &mut u64 {
        match error {
            OperateError::Timeout => &mut self.timeouts,
            OperateError::Device { .. } => &mut self.device_errors,
            OperateError::Reset => &mut self.resets,
            OperateError::Undecodable(_) => &mut self.undecodable,
            OperateError::RegistrationEnded => &mut self.ended,
            OperateError::Overloaded | OperateError::QueueFull => &mut self.overloaded,
            OperateError::Unknown => &mut self.unknown,
            OperateError::Invalid(_) | OperateError::UnknownEndpoint => &mut self.invalid,
        }
    }
}
