//! What is done to which request.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use sha2::{Digest as _, Sha256};

/// Something that happens to a request or to its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// Not passed on; answered with 429 or 503 and `Retry-After: 1`.
    Throttle,
    /// The connection ends within the request's body; a request without a body doesn't reach the server.
    CutRequest,
    /// The server does what it was asked for, and the connection ends anywhere in the reply, its head included.
    CutReply,
    /// It takes 20 to 300 ms longer.
    Delay,
    /// The reply's body is cut short, and its declared length is that of what is left, or that of the whole.
    Truncate,
    /// A bit of the request's body is turned.
    FlipRequest,
    /// A bit of an object's content is turned in the reply.
    FlipReply,
    /// Not passed on; answered with the 403 of a firewall, or of an account that is closed.
    Firewall,
    /// Not passed on, and never answered.
    Hang,
}

impl Harm {
    /// All that a migration must withstand: what plain HTTP can't show to its reader is not among them.
    pub const BEARABLE: [Self; 6] =
        [Self::Throttle, Self::CutRequest, Self::CutReply, Self::Delay, Self::Truncate, Self::FlipRequest];
}

/// Which share of the requests is hurt, and how.
///
/// Drawn from the seed, the method, what is asked for and how often it was asked for before. Unless the plan is for ever,
/// a request that was hurt isn't when it comes the next time, so that no object fails by bad luck.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    seed: u64,
    /// Each with its share in percent.
    harms: Vec<(Harm, u32)>,
    /// The name of the bucket, which is another each time and so no part of the dice.
    bucket: String,
    /// Only requests whose target holds that text.
    only: Option<&'static str>,
    for_ever: bool,
    /// At most so many requests at once are passed on; none: all.
    most: Option<usize>,
}

impl Plan {
    /// Nothing is hurt.
    #[must_use]
    pub fn calm() -> Self {
        Self::default()
    }

    /// Each of the harms to that share of the requests, in percent.
    #[must_use]
    pub fn new(seed: u64, harms: &[Harm], percent: u32, bucket: &str) -> Self {
        let harms = harms.iter().map(|harm| (*harm, percent)).collect();
        Self { seed, harms, bucket: bucket.to_owned(), only: None, for_ever: false, most: None }
    }

    /// Only requests whose target holds that text, and those every time.
    #[must_use]
    pub fn always(harm: Harm, only: &'static str) -> Self {
        Self { harms: vec![(harm, 100)], only: Some(only), for_ever: true, ..Self::default() }
    }

    /// A busy server: at most so many requests at once are passed on, each after a moment; others are throttled.
    #[must_use]
    pub fn busy(most: usize) -> Self {
        Self { most: Some(most), ..Self::default() }
    }

    pub(super) fn most(&self) -> Option<usize> {
        self.most
    }

    /// What a request asks for, without what is another in each run.
    pub(super) fn subject(&self, method: &str, target: &str) -> String {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = if self.bucket.is_empty() { path.to_owned() } else { path.replace(&self.bucket, "") };
        let lasting = |pair: &&str| pair.starts_with("partNumber=") || !pair.contains('=');
        let query: Vec<&str> = query.split('&').filter(lasting).collect();
        format!("{method} {path}?{}", query.join("&"))
    }

    pub(super) fn draw(&self, subject: &str, times: u64) -> Option<(Harm, StdRng)> {
        let meant = self.only.is_none_or(|text| subject.contains(text));
        if !meant || !(self.for_ever || times % 2 == 1) {
            return None;
        }
        let digest = Sha256::digest(format!("{} {subject} {times}", self.seed));
        let mut random = StdRng::from_seed(digest.into());
        let mut dice = random.random_range(0..100);
        for (harm, percent) in &self.harms {
            if dice < *percent {
                return Some((*harm, random));
            }
            dice -= percent;
        }
        None
    }
}
