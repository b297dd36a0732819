//! Transmission parameters and the times derived from them (RFC 7252 §4.8).

use core::time::Duration;

/// Transmission parameters. The default is the table of RFC 7252 §4.8.
///
/// All nodes of a network are assumed to use the same values; the derived times tell how long
/// Message IDs must be remembered.
///
/// ```
/// use core::time::Duration;
/// use dunlin_coap::TransmissionParameters;
/// let parameters = TransmissionParameters::default();
/// assert_eq!(parameters.exchange_lifetime(), Duration::from_secs(247));
/// assert_eq!(parameters.non_lifetime(), Duration::from_secs(145));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransmissionParameters {
    /// ACK_TIMEOUT: shortest first timeout of a CON. Default 2 s.
    pub ack_timeout: Duration,
    /// ACK_RANDOM_FACTOR in thousandths, at least 1000: the first timeout is drawn from
    /// ACK_TIMEOUT to ACK_TIMEOUT times this factor. Default 1500, which is 1.5.
    pub ack_random_factor_per_mille: u16,
    /// MAX_RETRANSMIT: how often a CON is repeated. Default 4.
    pub max_retransmit: u8,
    /// NSTART: how many interactions may be outstanding with one peer. Default 1.
    pub nstart: u8,
    /// DEFAULT_LEISURE: time over which answers to a multicast are spread. Default 5 s.
    pub default_leisure: Duration,
    /// PROBING_RATE in bytes per second, towards a peer that does not answer. Default 1.
    pub probing_rate: u32,
    /// MAX_LATENCY: the longest time a datagram is assumed to travel. Default 100 s.
    pub max_latency: Duration,
}

impl TransmissionParameters {
    /// The defaults of RFC 7252 §4.8.
    pub const RFC_7252: Self = Self {
        ack_timeout: Duration::from_secs(2),
        ack_random_factor_per_mille: 1500,
        max_retransmit: 4,
        nstart: 1,
        default_leisure: Duration::from_secs(5),
        probing_rate: 1,
        max_latency: Duration::from_secs(100),
    };

    /// MAX_TRANSMIT_SPAN: from the first transmission of a CON to its last, at most. 45 s.
    pub fn max_transmit_span(&self) -> Duration {
        self.backed_off(self.max_retransmit)
    }

    /// MAX_TRANSMIT_WAIT: from the first transmission of a CON until giving up, at most. 93 s.
    pub fn max_transmit_wait(&self) -> Duration {
        self.backed_off(self.max_retransmit.saturating_add(1))
    }

    /// PROCESSING_DELAY: from receiving a CON to acknowledging it, at most; equal to ACK_TIMEOUT.
    pub fn processing_delay(&self) -> Duration {
        self.ack_timeout
    }

    /// MAX_RTT: 202 s.
    pub fn max_rtt(&self) -> Duration {
        self.max_latency
            .saturating_mul(2)
            .saturating_add(self.processing_delay())
    }

    /// EXCHANGE_LIFETIME: how long the Message ID of a CON is in use. 247 s.
    pub fn exchange_lifetime(&self) -> Duration {
        self.max_transmit_span().saturating_add(self.max_rtt())
    }

    /// NON_LIFETIME: how long the Message ID of a NON is in use. 145 s.
    pub fn non_lifetime(&self) -> Duration {
        self.max_transmit_span().saturating_add(self.max_latency)
    }

    /// The shortest and the longest first timeout, in microseconds.
    pub(crate) fn first_timeout_micros(&self) -> (u64, u64) {
        let shortest = u64::try_from(self.ack_timeout.as_micros()).unwrap_or(u64::MAX);
        let factor = u64::from(self.ack_random_factor_per_mille.max(1000));
        let longest = u128::from(shortest) * u128::from(factor) / 1000;
        (shortest, u64::try_from(longest).unwrap_or(u64::MAX))
    }

    fn backed_off(&self, transmissions: u8) -> Duration {
        let (_, longest) = self.first_timeout_micros();
        let factor = 1_u64
            .checked_shl(u32::from(transmissions))
            .map_or(u64::MAX, |power| power - 1);
        Duration::from_micros(longest.saturating_mul(factor))
    }
}

impl Default for TransmissionParameters {
    fn default() -> Self {
        Self::RFC_7252
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_times_are_those_of_the_table() {
        let parameters = TransmissionParameters::default();
        let seconds = Duration::from_secs;
        assert_eq!(parameters.max_transmit_span(), seconds(45));
        assert_eq!(parameters.max_transmit_wait(), seconds(93));
        assert_eq!(parameters.processing_delay(), seconds(2));
        assert_eq!(parameters.max_rtt(), seconds(202));
        assert_eq!(parameters.exchange_lifetime(), seconds(247));
        assert_eq!(parameters.non_lifetime(), seconds(145));
    }

    #[test]
    fn derived_times_follow_the_settings() {
        let parameters = TransmissionParameters {
            ack_timeout: Duration::from_secs(1),
            ack_random_factor_per_mille: 1000,
            max_retransmit: 2,
            ..TransmissionParameters::default()
        };
        assert_eq!(parameters.max_transmit_span(), Duration::from_secs(3));
        assert_eq!(parameters.max_transmit_wait(), Duration::from_secs(7));
    }

    #[test]
    fn absurd_settings_saturate() {
        let parameters = TransmissionParameters {
            ack_timeout: Duration::MAX,
            ack_random_factor_per_mille: u16::MAX,
            max_retransmit: u8::MAX,
            max_latency: Duration::MAX,
            ..TransmissionParameters::default()
        };
        assert_eq!(parameters.exchange_lifetime(), Duration::MAX);
        assert!(parameters.max_transmit_wait() >= parameters.max_transmit_span());
    }
}
