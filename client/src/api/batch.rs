//! Many small acts in one request, and many small contents in one answer.

use bytes::Bytes;
use holdfast_protocol::batch::{self, BatchAct, BatchResult, ContentHeader, ContentsWanted, Unpacker};
use reqwest::header::ACCEPT_ENCODING;
use reqwest::{Method, Response};
use serde::Deserialize as _;
use serde_json::Value;

use super::error::{ApiError, Problem};
use super::limit::Limits;
use super::retry::Patience;
use super::send::Ask;
use super::{Address, Api, answer};

/// An act, and the content behind it.
pub type ActWith = (BatchAct, Vec<u8>);

/// Contents as they arrive.
#[derive(Debug)]
pub struct Contents {
    response: Response,
    address: Address,
    patience: Patience,
    limits: Limits,
    unpacker: Unpacker,
    header: Option<ContentHeader>,
}

impl Contents {
    /// The next content, in the order in which they were asked for, or why there is none; `None` after the last.
    ///
    /// # Errors
    /// [`ApiError::Broken`] when the answer breaks off.
    pub async fn next(&mut self) -> Result<Option<Result<Vec<u8>, ApiError>>, ApiError> {
        loop {
            if self.header.is_none() {
                let header = self.unpacker.header().map_err(|why| ApiError::nonsense(why.to_string()))?;
                let parsed = header.map(serde_json::from_slice::<ContentHeader>).transpose();
                self.header = parsed.map_err(|error| ApiError::nonsense(error.to_string()))?;
                if self.header.as_ref().is_some_and(|header| header.size > batch::MOST_EACH) {
                    return Err(ApiError::nonsense("a content larger than any in an answer of many"));
                }
            }
            if let Some(header) = &self.header
                && let Some(bytes) = self.unpacker.content(usize::try_from(header.size).unwrap_or(usize::MAX))
            {
                let bytes = bytes.to_vec();
                let refused = refusal(header.status, header.problem.as_ref());
                self.header = None;
                return Ok(Some(refused.map_or(Ok(bytes), Err)));
            }
            match answer::chunk(&mut self.response, &self.address, self.patience.stall).await? {
                Some(bytes) => {
                    self.limits.received(bytes.len()).await;
                    self.unpacker.feed(&bytes);
                }
                None if self.header.is_none() && self.unpacker.is_empty() => return Ok(None),
                None => return Err(ApiError::Broken { detail: "in the middle of a content".to_owned() }),
            }
        }
    }
}

impl Api {
    /// Does acts in their order, each for itself; what became of each. `is_twice_once` says that doing all of them again is
    /// the same as doing them once.
    ///
    /// # Errors
    /// The server's, when it has done none of them; where the connection broke off they may have been done.
    pub async fn batch(
        &self,
        drive: &str,
        acts: &[ActWith],
        is_twice_once: bool,
    ) -> Result<Vec<Result<BatchResult, ApiError>>, ApiError> {
        let mut body = Vec::new();
        for (act, content) in acts {
            body.extend(batch::header(act).map_err(|error| ApiError::nonsense(error.to_string()))?);
            body.extend_from_slice(content);
        }
        let url = self.address.at(&["api", "drives", drive, "batch"]);
        let ask = Ask::new(Method::POST, url).bytes(batch::CONTENT_TYPE, Bytes::from(body));
        let ask = if is_twice_once { ask.repeatable() } else { ask };
        let response = self.ask(ask).await?;
        let text = answer::whole_of(response, &self.address, self.patience.stall).await?;
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let results: Vec<_> = lines.map(result).collect::<Result<_, _>>()?;
        if results.len() != acts.len() {
            return Err(ApiError::nonsense(format!("{} results for {} acts", results.len(), acts.len())));
        }
        Ok(results)
    }

    /// Asks for the contents of small files.
    ///
    /// # Errors
    /// The server's.
    pub async fn contents(&self, drive: &str, wanted: &ContentsWanted) -> Result<Contents, ApiError> {
        let url = self.address.at(&["api", "drives", drive, "contents"]);
        let ask = Ask::new(Method::POST, url).repeatable().json(wanted)?;
        let response = self.ask(ask.header(ACCEPT_ENCODING, "identity")?).await?;
        Ok(Contents {
            response,
            address: self.address.clone(),
            patience: self.patience,
            limits: self.limits.clone(),
            unpacker: Unpacker::default(),
            header: None,
        })
    }
}

fn result(line: &[u8]) -> Result<Result<BatchResult, ApiError>, ApiError> {
    let result: BatchResult =
        serde_json::from_slice(line).map_err(|error| ApiError::nonsense(error.to_string()))?;
    Ok(match refusal(result.status, result.problem.as_ref()) {
        Some(refused) => Err(refused),
        None => Ok(result),
    })
}

/// Why one of many was not done.
fn refusal(status: u16, problem: Option<&serde_json::Map<String, Value>>) -> Option<ApiError> {
    if (200..300).contains(&status) {
        return None;
    }
    let told = problem.and_then(|fields| Problem::deserialize(Value::Object(fields.clone())).ok());
    Some(match told {
        Some(problem) => ApiError::Problem(Box::new(Problem { status, ..problem })),
        None => ApiError::nonsense(format!("{status} without an explanation")),
    })
}
