//! One file over HTTP into a part file that survives: what broke off is taken up where it ended, now or by the next run.
//!
//! A part is only taken up when the server says that it is still the same file: `If-Range` with the strong ETag, else
//! the date, of the first answer (RFC 9110, 13.1.5). Where it cannot, or the file has changed, the whole is fetched
//! again. The only place of the program that speaks HTTP; everything here blocks.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use ureq::http::{HeaderMap, StatusCode, header};

use super::part::{Part, PartState};

/// Redirects that are followed.
const MAX_REDIRECTS: u32 = 8;
/// Variables that name a proxy, in the order in which they are asked.
const PROXY_VARIABLES: [&str; 6] = ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// How to deal with the network.
#[derive(Clone, Debug)]
pub struct NetworkSettings {
    /// How long the other side may stay silent.
    pub timeout: Duration,
    /// How often a download that breaks off is tried in all.
    pub attempts: u32,
    /// Pause before the second attempt; it doubles from one to the next.
    pub pause: Duration,
    /// The proxy, if any.
    proxy: Option<ureq::Proxy>,
}

impl NetworkSettings {
    /// With the proxy that the environment names.
    ///
    /// # Errors
    /// [`DownloadError::Proxy`] where it names one that cannot be used.
    pub fn from_environment(timeout: Duration, attempts: u32) -> Result<Self, DownloadError> {
        for variable in PROXY_VARIABLES {
            let value = std::env::var(variable).unwrap_or_default();
            if !value.is_empty() && ureq::Proxy::new(&value).is_err() {
                return Err(DownloadError::Proxy { variable });
            }
        }
        Ok(Self { timeout, attempts, pause: Duration::from_millis(500), proxy: ureq::Proxy::try_from_env() })
    }

    fn agent(&self, url: &str) -> ureq::Agent {
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A redirect must not lead from https to http.
            .https_only(url.starts_with("https://"))
            .max_redirects(MAX_REDIRECTS)
            .max_redirects_will_error(true)
            .proxy(self.proxy.clone())
            .timeout_resolve(Some(self.timeout))
            .timeout_connect(Some(self.timeout))
            .timeout_recv_response(Some(self.timeout))
            .timeout_per_read(Some(self.timeout))
            .user_agent(concat!("stridepose/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent()
    }
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are here.
    pub received: u64,
    /// Bytes of the whole, where the server says.
    pub total: Option<u64>,
}

/// A download that did not work. Every message says what is kept and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The environment names a proxy that cannot be used.
    #[error("{variable} is no address of a proxy: write e.g. {variable}=http://host:3128, or unset it")]
    Proxy {
        /// The variable. Its value may hold a password.
        variable: &'static str,
    },
    /// The server does not give the file.
    #[error("{url}: the server answers {status}; {}", status_advice(*status))]
    Status {
        /// Address.
        url: String,
        /// Its answer.
        status: StatusCode,
    },
    /// The address leads nowhere, or nothing came from there.
    #[error("{url}: {reason}; without a network, name a folder that holds the file with --mirror DIR")]
    Unreachable {
        /// Address.
        url: String,
        /// Why not.
        reason: String,
    },
    /// It broke off too often.
    #[error(
        "{url}: broke off after {received} of {} bytes ({reason}; attempts: {attempts}); what is here is kept: run \
         the same command again to go on",
        total.map_or_else(|| "an unknown number of".to_owned(), |total| total.to_string())
    )]
    BrokeOff {
        /// Address.
        url: String,
        /// Bytes that are here.
        received: u64,
        /// Bytes of the whole.
        total: Option<u64>,
        /// How often it was tried.
        attempts: u32,
        /// What happened last.
        reason: String,
    },
    /// More than a network can have.
    #[error("{url}: {bytes} bytes or more, at most {limit} are taken")]
    TooLarge {
        /// Address.
        url: String,
        /// What the server says or has sent.
        bytes: u64,
        /// What is taken.
        limit: u64,
    },
    /// The part cannot be written.
    #[error("{path}: {}", disk_advice(source, *missing))]
    Disk {
        /// The part.
        path: PathBuf,
        /// Bytes that are still to come.
        missing: Option<u64>,
        /// What the system says.
        source: io::Error,
    },
}

fn status_advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            "the file is no longer there: look at the origin that `stridepose models licence NAME` names"
        }
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            "the proxy wants a name and password: http://name:password@host:port"
        }
        _ => "try again later, or name a folder that holds the file with --mirror DIR",
    }
}

fn disk_advice(source: &io::Error, missing: Option<u64>) -> String {
    if source.kind() != io::ErrorKind::StorageFull {
        return source.to_string();
    }
    let need = missing.map_or_else(String::new, |bytes| format!(", {bytes} more bytes are needed"));
    format!("the disk is full{need}; make room and run the same command again, what is here is kept")
}

/// Why an attempt ended.
enum Ended {
    /// Another attempt may help.
    ForNow(String),
    /// It may not.
    ForGood(DownloadError),
}

/// Brings `url` into `part`, at most `limit` bytes. A part that an earlier run left is taken up.
///
/// # Errors
/// [`DownloadError`]; what is worth keeping is kept.
pub fn download(
    url: &str,
    part: &Part,
    limit: u64,
    settings: &NetworkSettings,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), DownloadError> {
    let agent = settings.agent(url);
    let mut reason = String::new();
    for attempt in 0..settings.attempts {
        if attempt > 0 {
            tracing::info!("{url}: {reason}; going on ({} of {})", attempt + 1, settings.attempts);
            std::thread::sleep(settings.pause * 2_u32.saturating_pow(attempt - 1));
        }
        match try_once(&agent, url, part, limit, on_progress) {
            Ok(()) => return Ok(()),
            Err(Ended::ForGood(error)) => return Err(error),
            Err(Ended::ForNow(why)) => reason = why,
        }
    }
    let received = part.length();
    if received == 0 {
        let reason = format!("{reason} (attempts: {})", settings.attempts);
        return Err(DownloadError::Unreachable { url: url.to_owned(), reason });
    }
    Err(DownloadError::BrokeOff {
        url: url.to_owned(),
        received,
        total: part.state(url).and_then(|state| state.total),
        attempts: settings.attempts,
        reason,
    })
}

fn try_once(
    agent: &ureq::Agent,
    url: &str,
    part: &Part,
    limit: u64,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), Ended> {
    let here = part.length();
    let state = part.state(url);
    if let Some(PartState { total: Some(total), .. }) = state
        && total == here
    {
        on_progress(Progress { received: here, total: Some(total) });
        return Ok(());
    }
    // Compression would make byte ranges those of the compressed form.
    let mut request = agent.get(url).header(header::ACCEPT_ENCODING, "identity");
    let validator = state.and_then(|state| state.validator).filter(|_| here > 0);
    if let Some(validator) = &validator {
        request = request.header(header::RANGE, format!("bytes={here}-")).header(header::IF_RANGE, validator);
    }
    let mut response = request.call().map_err(|error| ended_by(url, &error))?;
    let (status, headers) = (response.status(), response.headers());
    let (start, total) = match status {
        StatusCode::OK => (0, content_length(headers)),
        StatusCode::PARTIAL_CONTENT => match content_range(headers) {
            Some((start, total)) if start == here && validator.is_some() && is_same(headers, validator.as_deref()) => {
                (start, total)
            }
            _ => {
                part.discard();
                return Err(Ended::ForNow("the server sent another part than the one that was asked for".to_owned()));
            }
        },
        StatusCode::RANGE_NOT_SATISFIABLE => {
            part.discard();
            return Err(Ended::ForNow("the file has become shorter on the server".to_owned()));
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            return Err(Ended::ForNow(format!("the server answers {status}")));
        }
        _ if status.is_server_error() => return Err(Ended::ForNow(format!("the server answers {status}"))),
        _ => return Err(Ended::ForGood(DownloadError::Status { url: url.to_owned(), status })),
    };
    let too_large = |bytes| Ended::ForGood(DownloadError::TooLarge { url: url.to_owned(), bytes, limit });
    if let Some(total) = total.filter(|total| *total > limit) {
        return Err(too_large(total));
    }
    if start == 0 && here > 0 {
        tracing::info!("{url}: the part of {here} bytes cannot be taken up, the whole is fetched again");
    }
    let missing = |received: u64| total.map(|total| total.saturating_sub(received));
    let on_disk_error = |received, source| {
        let path = part.path().to_owned();
        Ended::ForGood(DownloadError::Disk { path, missing: missing(received), source })
    };
    let mut file = part.open(start).map_err(|source| on_disk_error(start, source))?;
    if start == 0 {
        let state = PartState { url: url.to_owned(), validator: validator_of(headers), total };
        part.set_state(&state).map_err(|source| on_disk_error(0, source))?;
    }
    let mut received = start;
    let mut buffer = vec![0; 1 << 16];
    let mut body = response.body_mut().as_reader();
    on_progress(Progress { received, total });
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => return Err(Ended::ForNow(error.to_string())),
        };
        received += count as u64;
        if received > limit {
            part.discard();
            return Err(too_large(received));
        }
        file.write_all(&buffer[..count]).map_err(|source| on_disk_error(received - count as u64, source))?;
        on_progress(Progress { received, total });
    }
    match total {
        Some(total) if received < total => Err(Ended::ForNow("the connection was closed".to_owned())),
        Some(total) if received > total => {
            part.discard();
            Err(Ended::ForNow(format!("the server sent {received} bytes and had said {total}")))
        }
        _ => Ok(()),
    }
}

fn ended_by(url: &str, error: &ureq::Error) -> Ended {
    let for_good = |reason: String| Ended::ForGood(DownloadError::Unreachable { url: url.to_owned(), reason });
    match error {
        // A certificate that is not trusted comes as this.
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => for_good(error.to_string()),
        ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed | ureq::Error::Protocol(_) => {
            Ended::ForNow(error.to_string())
        }
        ureq::Error::HostNotFound => for_good("there is no such host".to_owned()),
        ureq::Error::TooManyRedirects => for_good(format!("more than {MAX_REDIRECTS} redirects")),
        ureq::Error::RequireHttpsOnly(to) => for_good(format!("it redirects to {to}, which is not https")),
        other => for_good(other.to_string()),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    text(headers, &header::CONTENT_LENGTH)?.trim().parse().ok()
}

/// First byte and size of the whole, of `bytes 100-199/1000`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let (range, total) = text(headers, &header::CONTENT_RANGE)?.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

/// What `If-Range` takes: the ETag unless it is weak, else the date.
fn validator_of(headers: &HeaderMap) -> Option<String> {
    let tag = text(headers, &header::ETAG).filter(|tag| !tag.starts_with("W/"));
    tag.or_else(|| text(headers, &header::LAST_MODIFIED)).map(str::to_owned)
}

/// Whether an answer that names its file names the one that was begun; some servers do not look at `If-Range`.
fn is_same(headers: &HeaderMap, begun: Option<&str>) -> bool {
    match (validator_of(headers), begun) {
        (Some(now), Some(begun)) => now == begun || now.starts_with('"') != begun.starts_with('"'),
        _ => true,
    }
}
