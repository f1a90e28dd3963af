//! Limits for shared links: how fast each end may be used.

use std::num::NonZeroU32;

use cabotage::{Bandwidth, EndLimits, Opened, RequestRate};
use cabotage_core::{Error, ErrorKind, Result};
use clap::Args;

#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct LimitArgs {
    /// Move at most so many bytes of bodies a second at each end: 200MiB/s, 100Mbit/s, none
    #[arg(long, value_name = "RATE", alias = "bwlimit")]
    bandwidth: Option<Bandwidth>,
    /// Bandwidth of SOURCE alone
    #[arg(long, value_name = "RATE")]
    source_bandwidth: Option<Bandwidth>,
    /// Bandwidth of DESTINATION alone
    #[arg(long, value_name = "RATE")]
    destination_bandwidth: Option<Bandwidth>,
    /// Send at most so many requests a second to each end; none lifts what the provider's profile says
    #[arg(long, value_name = "N")]
    requests_per_second: Option<RequestRate>,
    /// Requests a second to SOURCE alone
    #[arg(long, value_name = "N")]
    source_requests_per_second: Option<RequestRate>,
    /// Requests a second to DESTINATION alone
    #[arg(long, value_name = "N")]
    destination_requests_per_second: Option<RequestRate>,
    /// So many processes at once keep to these limits together.
    #[arg(skip)]
    divided_by: Option<NonZeroU32>,
}

impl LimitArgs {
    /// Those of one of so many processes.
    pub(crate) fn divided_by(self, number: NonZeroU32) -> Self {
        Self { divided_by: Some(number), ..self }
    }

    pub(crate) fn source(&self) -> EndLimits {
        EndLimits {
            bandwidth: self.source_bandwidth.or(self.bandwidth),
            requests_per_second: self.source_requests_per_second.or(self.requests_per_second),
            divided_by: self.divided_by,
            ..EndLimits::default()
        }
    }

    pub(crate) fn destination(&self) -> EndLimits {
        EndLimits {
            bandwidth: self.destination_bandwidth.or(self.bandwidth),
            requests_per_second: self.destination_requests_per_second.or(self.requests_per_second),
            divided_by: self.divided_by,
            ..EndLimits::default()
        }
    }

    /// These, but what the other says: a limit of both ends goes before one end's from here.
    pub(crate) fn overridden_by(self, other: Self) -> Self {
        let kept = |overridden: bool| if overridden { Self::default() } else { self };
        let bytes = kept(other.bandwidth.is_some());
        let requests = kept(other.requests_per_second.is_some());
        Self {
            bandwidth: other.bandwidth.or(self.bandwidth),
            source_bandwidth: other.source_bandwidth.or(bytes.source_bandwidth),
            destination_bandwidth: other.destination_bandwidth.or(bytes.destination_bandwidth),
            requests_per_second: other.requests_per_second.or(self.requests_per_second),
            source_requests_per_second: other
                .source_requests_per_second
                .or(requests.source_requests_per_second),
            destination_requests_per_second: other
                .destination_requests_per_second
                .or(requests.destination_requests_per_second),
            divided_by: self.divided_by,
        }
    }

    /// Refuses a limit that would have no effect: a disk has no requests.
    pub(crate) fn check(&self, source: &Opened, destination: &Opened) -> Result<()> {
        let told = |rate: Option<RequestRate>| rate.is_some_and(|rate| rate.0.is_some());
        for (end, rate, opened) in [
            ("source", self.source_requests_per_second, source),
            ("destination", self.destination_requests_per_second, destination),
        ] {
            if told(rate) && opened.folder.is_some() {
                let text = format!("--{end}-requests-per-second is given, and the {end} is a folder");
                return Err(Error::new(ErrorKind::InvalidConfig, text)
                    .help("a folder has no requests; --bandwidth limits what is read and written"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_goes_before_both_and_the_later_before_the_earlier() {
        let rate = |n| Some(RequestRate(Some(n)));
        let both = LimitArgs {
            requests_per_second: rate(5),
            source_requests_per_second: rate(7),
            ..LimitArgs::default()
        };
        let of =
            |args: LimitArgs| (args.source().requests_per_second, args.destination().requests_per_second);
        assert_eq!(of(both), (rate(7), rate(5)));
        let later = LimitArgs { requests_per_second: rate(9), ..LimitArgs::default() };
        assert_eq!(of(both.overridden_by(later)), (rate(9), rate(9)));
        let one = LimitArgs { destination_requests_per_second: rate(1), ..LimitArgs::default() };
        assert_eq!(of(both.overridden_by(one)), (rate(7), rate(1)));
        assert_eq!(of(both.overridden_by(LimitArgs::default())), of(both));
        let slow = LimitArgs { bandwidth: Some(Bandwidth(Some(1 << 20))), ..LimitArgs::default() };
        assert_eq!(slow.source().bandwidth, Some(Bandwidth(Some(1 << 20))));
        assert_eq!(slow.destination().bandwidth, slow.source().bandwidth);
    }
}
